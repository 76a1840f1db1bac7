"""Images, edits, asynchronous jobs and speech."""

from __future__ import annotations

import asyncio
import base64
import struct

import pytest

from devnet.faults import Fault
from devnet.providers import drawing, png
from devnet.providers.signatures import sha256
from tests.devnet.bench import ALICE, MALLORY, Bench, Reply, bench, recovered, session
from zgcompute.types import Address

USER = Address(ALICE.address)
GENERATE = "/v1/proxy/images/generations"
EDIT = "/v1/proxy/images/edits"
TRANSCRIBE = "/v1/proxy/audio/transcriptions"
BOUNDARY = "----boundary"
FORM = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
SMALL = {"size": "64x64"}


@pytest.fixture
def prisma() -> Bench:
    return bench("prisma")


@pytest.fixture
def retouch() -> Bench:
    return bench("retouch")


@pytest.fixture
def echo() -> Bench:
    return bench("echo")


def form(**fields: str | bytes) -> bytes:
    parts = []
    for name, value in fields.items():
        is_file = isinstance(value, bytes)
        head = f'Content-Disposition: form-data; name="{name}"'
        head += '; filename="f.bin"\r\nContent-Type: application/octet-stream' if is_file else ""
        content = value if isinstance(value, bytes) else value.encode()
        parts.append(f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + content + b"\r\n")
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def wav(seconds: float, rate: int = 8000) -> bytes:
    data = bytes(int(seconds * rate) * 2)
    kind = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16)
    body = b"WAVE" + kind + struct.pack("<4sI", b"data", len(data)) + data
    return struct.pack("<4sI", b"RIFF", len(body)) + body


def images(reply: Reply) -> list[bytes]:
    return [base64.b64decode(entry["b64_json"]) for entry in reply.json["data"]]


def signature(bench: Bench, response_id: str) -> Reply:
    return bench.ask(f"/v1/proxy/signature/{response_id}", token=None)


def test_a_prompt_becomes_the_same_picture_every_time(prisma: Bench) -> None:
    order = {"prompt": "a lighthouse", "response_format": "b64_json", "size": "96x64"}
    first, second = images(prisma.ask(GENERATE, order)), images(prisma.ask(GENERATE, order))
    assert first == second
    picture = png.decode(first[0])
    assert (picture.width, picture.height) == (96, 64)
    assert b"devnet" in first[0]


def test_images_are_signed_by_their_bytes_and_the_clients_own_body(prisma: Bench) -> None:
    body = b'{ "prompt": "two", "n": 2, "size": "64x64", "response_format": "b64_json" }'
    reply = prisma.ask(GENERATE, body)
    record = signature(prisma, reply.headers["zg-res-key"]).json
    hashes = ",".join(sha256(image) for image in images(reply))
    assert record["text"] == f"{sha256(body)}:{hashes}"
    assert recovered(record) == prisma.provider.profile.tee_key.address
    assert prisma.provider.book.unsettled(USER) == 2 * prisma.provider.profile.output_price


def test_images_can_be_fetched_by_url(prisma: Bench) -> None:
    reply = prisma.ask(GENERATE, {"prompt": "x", **SMALL})
    path = reply.json["data"][0]["url"].removeprefix(prisma.provider.url)
    image = prisma.ask(path, token=None)
    assert image.headers["content-type"] == "image/png"
    assert image.headers["cache-control"] == "private, max-age=1799, immutable"
    assert image.body.startswith(b"\x89PNG")
    assert prisma.ask(path[:-1] + "9", token=None).status == 404
    assert prisma.ask(path[:-1] + "one", token=None).error == "invalid image index"
    refused = prisma.ask(path, b"x", token=None)
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD")


def test_fetching_too_many_images_is_refused(prisma: Bench) -> None:
    statuses = [prisma.ask("/v1/proxy/images/none/0", token=None).status for _ in range(31)]
    assert statuses[29:] == [404, 429]


def test_a_count_that_is_text_means_one(prisma: Bench) -> None:
    reply = prisma.ask(GENERATE, {"prompt": "x", "n": "3", **SMALL})
    assert len(reply.json["data"]) == 1
    assert prisma.provider.book.unsettled(USER) == prisma.provider.profile.output_price


@pytest.mark.parametrize(
    "order",
    [
        {},
        {"prompt": " "},
        {"prompt": 7},
        {"prompt": "x", "n": 99},
        {"prompt": "x", "n": 0},
        {"prompt": "x", "size": "9x9"},
        {"prompt": "x", "size": "99999x99999"},
        {"prompt": "x", "size": 7},
        {"prompt": "x", "model": "dall-e-3"},
    ],
)
def test_impossible_orders_are_refused(prisma: Bench, order: object) -> None:
    assert prisma.ask(GENERATE, order).status == 400
    assert prisma.provider.book.unsettled(USER) == 0


def test_a_tampered_image_is_another_than_the_signed_one(prisma: Bench) -> None:
    prisma.provider.faults.set(Fault.TAMPERED_ANSWER)
    reply = prisma.ask(GENERATE, {"prompt": "x", "response_format": "b64_json", **SMALL})
    text = signature(prisma, reply.headers["zg-res-key"]).json["text"]
    assert sha256(images(reply)[0]) not in text


def test_an_edit_keeps_the_size_and_changes_the_picture(retouch: Bench) -> None:
    source = drawing.landscape("s", width=80, height=64)
    body = form(image=source, prompt="bluer", response_format="b64_json", model="devnet-editor")
    edited = images(retouch.ask(EDIT, body, headers=FORM))[0]
    picture = png.decode(edited)
    assert (picture.width, picture.height) == (80, 64)
    assert edited != source


@pytest.mark.parametrize("wrap", ["{}", "data:image/png;base64,{}"])
def test_an_edit_may_be_json(retouch: Bench, wrap: str) -> None:
    source = base64.b64encode(drawing.landscape("s", width=64, height=64)).decode()
    order = {"prompt": "p", "image": wrap.format(source), "response_format": "b64_json"}
    assert png.decode(images(retouch.ask(EDIT, order))[0]).width == 64


def test_what_cannot_be_decoded_is_drawn_anew(retouch: Bench) -> None:
    for junk in (b"GIF89a", b"\x89PNG\r\n\x1a\n" + b"\xff" * 40):
        reply = retouch.ask(EDIT, form(image=junk, prompt="p"), headers=FORM)
        assert reply.status == 200


def test_an_edit_needs_a_picture(retouch: Bench) -> None:
    assert retouch.ask(EDIT, form(prompt="p"), headers=FORM).error["type"] == "BadRequestError"


@pytest.mark.parametrize(
    "body",
    [b"", b"--", b"no form", form(), b"--" + BOUNDARY.encode() + b"\r\n\r\n\r\nx", b"\0" * 99],
)
def test_broken_forms_are_refused(retouch: Bench, echo: Bench, body: bytes) -> None:
    assert retouch.ask(EDIT, body, headers=FORM, method="POST").status == 400
    assert echo.ask(TRANSCRIBE, body, headers=FORM, method="POST").status == 400
    no_boundary = {"content-type": "multipart/form-data"}
    assert echo.ask(TRANSCRIBE, body, headers=no_boundary, method="POST").status == 400


def test_pngs_of_every_filter_are_read() -> None:
    import zlib

    rows = b"".join(bytes([kind, 10, 20, 30, 40, 50, 60]) for kind in range(5))
    header = struct.pack(">IIBBBBB", 2, 5, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + name + content + b"\0\0\0\0" for name, content in chunks
    )
    red = [list(row) for row in png.decode(data).planes[0]]
    assert red == [[10, 40], [10, 50], [20, 90], [20, 95], [30, 135]]


def test_a_job_is_done_later_and_billed_then(prisma: Bench) -> None:
    async def order() -> tuple[Reply, Reply, Reply]:
        taken = await prisma.ask_async("/v1/async/images/generations", {"prompt": "x", **SMALL})
        path = f"/v1/async/jobs/{taken.json['jobId']}"
        early = await prisma.ask_async(path)
        while (late := await prisma.ask_async(path)).json["status"] in ("pending", "processing"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        stranger = session(key=MALLORY, address=MALLORY.address)
        assert (await prisma.ask_async(path, token=stranger)).status == 403
        return taken, early, late

    taken, early, late = asyncio.run(order())
    assert (taken.status, taken.json["status"]) == (202, "pending")
    assert early.headers["retry-after"] == "5"
    assert late.json["status"] == "completed"
    assert late.json["data"]["data"][0]["url"]
    assert signature(prisma, late.headers["zg-res-key"]).status == 200
    assert prisma.provider.book.unsettled(USER) == prisma.provider.profile.output_price


def test_jobs_are_refused_where_there_are_none(prisma: Bench) -> None:
    assert bench().ask("/v1/async/images/generations", {"prompt": "x"}).status == 503
    empty = prisma.ask("/v1/async/images/generations", method="POST")
    assert empty.error == "request body is required"
    assert prisma.ask("/v1/async/jobs/none").error == "job not found"


def test_speech_is_as_long_as_the_recording(echo: Bench) -> None:
    body = form(file=wav(6.4), model="devnet-listener", response_format="verbose_json")
    reply = echo.ask(TRANSCRIBE, body, headers=FORM)
    assert reply.json["duration"] == 6.4
    assert reply.json["segments"][-1]["end"] == 6.4
    assert "devnet" in reply.json["text"]
    assert echo.provider.book.unsettled(USER) == 6 * echo.provider.profile.input_price
    text = signature(echo, reply.headers["zg-res-key"]).json["text"]
    assert text == f"{sha256(body)}:{sha256(reply.body)}"


@pytest.mark.parametrize(
    ("wanted", "kind", "start"),
    [
        ("json", "application/json", b'{"text": "This is devnet'),
        ("text", "text/plain", b"This is devnet"),
        ("srt", "application/x-subrip", b"1\n00:00:00,000 --> 00:00:04,000\nThis"),
        ("vtt", "text/vtt", b"WEBVTT\n\n00:00:00.000 --> 00:00:04.000\nThis"),
    ],
)
def test_transcripts_come_in_five_formats(
    echo: Bench, wanted: str, kind: str, start: bytes
) -> None:
    reply = echo.ask(TRANSCRIBE, form(file=wav(9.0), response_format=wanted), headers=FORM)
    assert reply.headers["content-type"].startswith(kind)
    assert reply.body.startswith(start)
    expected = 1 if wanted == "text" else 9
    assert echo.provider.book.unsettled(USER) == expected * echo.provider.profile.input_price


@pytest.mark.parametrize(
    "recording",
    [b"RIFF", b"RIFF____WAVEfmt ", wav(1)[:30], b"\0" * 99, b"RIFF\0\0\0\0WAVE" + b"\0" * 999],
)
def test_a_broken_recording_is_transcribed_all_the_same(echo: Bench, recording: bytes) -> None:
    assert echo.ask(TRANSCRIBE, form(file=recording), headers=FORM).status == 200


def test_an_unknown_format_or_model_is_refused(echo: Bench) -> None:
    for fields in ({"response_format": "pdf"}, {"model": "whisper"}):
        reply = echo.ask(TRANSCRIBE, form(file=wav(1), **fields), headers=FORM)
        assert reply.status == 400
