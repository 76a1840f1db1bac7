"""The cast of the studio's tests: Alice is ready to order from three providers."""

from __future__ import annotations

import json
import struct
import zlib
from io import BytesIO
from typing import Any
from uuid import uuid4

from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from accounts.models import Wallet
from marketplace.models import Service
from studio import works
from studio.forms import WorkForm
from studio.kinds import FORMS, kind_of
from studio.models import Work
from studio.working import work_on
from tests.chat import stage
from zgcompute._limits import HttpReply
from zgcompute.providers import Provider
from zgcompute.testing_providers import FakeProvider

NETWORK = stage.NETWORK
TYPES = {"image": "text-to-image", "edit": "image-editing", "speech": "speech-to-text"}
_PROVIDERS = {"image": "0x" + "3" * 40, "edit": "0x" + "4" * 40, "speech": "0x" + "5" * 40}


def make_service(kind: str) -> Service:
    """The provider of that kind of work, as the catalog mirrors it."""
    return stage.make_service(
        provider=_PROVIDERS[kind],
        service_type=TYPES[kind],
        input_price=12_000 if kind == "speech" else 0,
        output_price=0 if kind == "speech" else 3_000_000,
        model=f"test-{kind}",
    )


def make_ready(wallet: Wallet, service: Service) -> Service:
    stage.make_ready(wallet, service)
    return service


def png(width: int = 4, height: int = 3, **options: Any) -> bytes:
    out = BytesIO()
    Image.new("RGB", (width, height), (10, 120, 200)).save(out, "PNG", **options)
    return out.getvalue()


def bomb() -> bytes:
    """A PNG of few bytes that declares 60,000 pixels a side."""
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def wav(seconds: int = 2) -> bytes:
    data = b"\0\0" * 8000 * seconds
    head = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 16_000, 2, 16)
    body = b"WAVE" + head + struct.pack("<4sI", b"data", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def fields(kind: str, **changes: Any) -> dict[str, Any]:
    """What a browser sends for an order of that kind, without files."""
    own: dict[str, dict[str, Any]] = {
        "image": {"prompt": "A lighthouse", "n": 2, "size": "512x512"},
        "edit": {"prompt": "Make it purple", "size": ""},
        "speech": {"response_format": "verbose_json", "language": "en"},
    }
    return {"key": uuid4(), **own[kind], **changes}


def upload(kind: str, content: bytes | None = None, name: str = "") -> dict[str, Any]:
    """The file of an order of that kind."""
    if kind == "image":
        return {}
    made = png() if kind == "edit" else wav()
    part = "image" if kind == "edit" else "recording"
    return {part: SimpleUploadedFile(name or "x.bin", made if content is None else content)}


def order(wallet: Wallet, service: Service, **changes: Any) -> Work:
    """A pending work of the service's kind."""
    kind = kind_of(service)
    return works.order(wallet, service, kind, valid_form(wallet, kind, **changes))[0]


def valid_form(wallet: Wallet, kind: str, **changes: Any) -> WorkForm:
    """The form of an order, with a file unless it starts from a `source`."""
    sent = {} if "source" in changes else upload(kind)
    form = FORMS[kind](fields(kind, **changes), sent, wallet=wallet, network=NETWORK)
    assert form.is_valid(), form.errors
    return form


def done(work: Work, client: Any) -> Work:
    """Let the work be done here and now by `client`."""
    work_on(work.pk, connect=lambda *_: client)
    return Work.objects.prefetch_related("files").get(pk=work.pk)


def fake(service: Service, **options: Any) -> FakeProvider:
    return FakeProvider(service.snapshot(), **options)


class FixedDoor:
    """Answers every order with the same reply, and knows no signatures; counts the orders."""

    def __init__(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.reply = HttpReply(status, headers or {}, body)
        self.orders = 0

    def send(self, method: str, *request: Any) -> HttpReply:
        return self.get(*request) if method == "GET" else self.post(*request)

    def post(self, *_: Any) -> HttpReply:
        self.orders += 1
        return self.reply

    def get(self, *_: Any) -> HttpReply:
        return HttpReply(400, {}, b'{"error":"signature not found"}')


def behind(door: FixedDoor, service: Service) -> Provider:
    """The real client of `service` with that reply in the place of the wire."""
    return Provider(service.snapshot(), door=door)  # type: ignore[arg-type]


def pictures_reply(*texts: str) -> bytes:
    return json.dumps({"created": 1, "data": [{"b64_json": text} for text in texts]}).encode()
