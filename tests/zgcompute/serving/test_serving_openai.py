"""OpenAI's Python client, unmodified, against both servers."""

from __future__ import annotations

import base64
import io
import json
import re
import urllib.request
import wave
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from devnet.testing import Devnet
from tests.zgcompute.serving.conftest import Fronts
from zgcompute._fake_media import tiny_png

pytestmark = pytest.mark.chain
GUIDE = Path(__file__).parents[3] / "docs/serve.md"
HELLO: list[Any] = [{"role": "user", "content": "Hello"}]


def recording(seconds: int = 3) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"\0" * 16_000 * seconds)
    return file.getvalue()


def test_models_are_listed_and_found(fronts: Fronts) -> None:
    client = fronts.of("chat").client()
    assert "devnet-chat" in [model.id for model in client.models.list()]
    assert client.models.retrieve("devnet-chat").object == "model"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("none/such")


def test_a_whole_answer_has_its_proof_and_fee_in_headers(fronts: Fronts, devnet: Devnet) -> None:
    chat = fronts.of("chat").client().chat.completions
    raw = chat.with_raw_response.create(model="devnet-chat", messages=HELLO)
    assert raw.headers["zg-verification"] == "verified"
    assert raw.headers["zg-provider"] == devnet.address("aurora")
    assert int(raw.headers["zg-fee-neuron"]) > 0
    answer = raw.parse()
    assert answer.choices[0].message.content
    assert answer._request_id == raw.headers["zg-res-key"]


def test_a_stream_is_read_as_from_openai(fronts: Fronts) -> None:
    chat = fronts.of("chat").client().chat.completions
    stream = chat.create(model="devnet-chat", messages=HELLO, stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert "Hello" in text


def test_the_usage_comes_where_it_is_asked_for(fronts: Fronts) -> None:
    chat = fronts.of("chat").client().chat.completions
    options: Any = {"include_usage": True}
    chunks = list(
        chat.create(model="devnet-chat", messages=HELLO, stream=True, stream_options=options)
    )
    assert chunks[-1].usage is not None
    assert not chunks[-1].choices


def test_after_a_streams_last_event_comments_tell_proof_and_fee(fronts: Fronts) -> None:
    url = fronts.of("chat").url
    body = json.dumps({"model": "devnet-chat", "messages": HELLO, "stream": True}).encode()
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(f"{url}/chat/completions", body, headers)
    with urllib.request.urlopen(request) as reply:
        key, stream = reply.headers["zg-res-key"], reply.read().decode()
    _, _, trailer = stream.partition("data: [DONE]")
    lines = [line for line in trailer.splitlines() if line]
    assert lines[0].startswith(": zg-verification verified; ")
    fee = lines[1].removeprefix(": zg-fee-neuron ")
    asked = json.dumps({"id": key}).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{url}/verify", asked)) as reply:
        known = json.load(reply)
    assert (known["isValid"], known["outcome"]) == (True, "verified")
    assert known["fee_neuron"] == fee


def test_pictures_are_made_and_proved(fronts: Fronts) -> None:
    images = fronts.of("images").client().images
    raw = images.with_raw_response.generate(
        model="devnet-painter", prompt="a hill", n=2, size="128x128", response_format="b64_json"
    )
    assert raw.headers["zg-verification"] == "verified"
    pictures = raw.parse().data
    assert pictures is not None
    assert len(pictures) == 2
    assert base64.b64decode(pictures[0].b64_json or "").startswith(b"\x89PNG")


def test_pictures_are_changed(fronts: Fronts) -> None:
    images = fronts.of("edits").client().images
    raw = images.with_raw_response.edit(
        model="devnet-editor", prompt="warmer", image=("mine.png", tiny_png("mine"), "image/png")
    )
    assert raw.headers["zg-verification"] == "verified"
    assert raw.parse().data


@pytest.mark.parametrize("model", ["devnet-listener", "auto"])
@pytest.mark.parametrize("form", ["json", "text", "srt", "verbose_json"])
def test_recordings_are_written_down(fronts: Fronts, form: Any, model: str) -> None:
    speech = fronts.of("speech").client().audio.transcriptions
    raw = speech.with_raw_response.create(
        model=model, file=("talk.wav", recording()), response_format=form
    )
    assert raw.headers["zg-verification"] == "verified"
    assert "devnet text" in str(raw.parse())


def test_a_job_ends_with_proved_pictures(fronts: Fronts) -> None:
    client = fronts.of("images").client()
    order = {"model": "devnet-painter", "prompt": "a hill", "size": "64x64"}
    job = client.post("/async/images/generations", body=order, cast_to=dict[str, Any])
    while True:
        raw = client.get(f"/async/jobs/{job['jobId']}", cast_to=httpx.Response)
        if raw.json()["status"] not in ("pending", "processing"):
            break
    assert raw.json()["status"] == "completed"
    assert raw.headers["zg-verification"] == "verified"


def test_an_unknown_model_is_not_found_and_no_provider_hears_of_it(fronts: Fronts) -> None:
    chat = fronts.of("chat").client().chat.completions
    for _ in range(6):  # five would block the wallet at the provider for an hour
        with pytest.raises(openai.NotFoundError) as caught:
            chat.create(model="gpt-4o", messages=HELLO)
        assert caught.value.code == "model_not_found"
    assert chat.create(model="devnet-chat", messages=HELLO).choices


def test_no_balance_is_402_with_the_command_that_helps(fronts: Fronts, devnet: Devnet) -> None:
    chat = fronts.of("chat").client().chat.completions
    devnet.fault("aurora", "reserve")
    with pytest.raises(openai.APIStatusError) as caught:
        chat.create(model="devnet-chat", messages=HELLO)
    assert (caught.value.status_code, caught.value.code) == (402, "insufficient_balance")
    assert f"transfer-fund --provider {devnet.address('aurora')}" in caught.value.message


def test_too_many_requests_are_a_rate_limit_with_its_wait(fronts: Fronts, devnet: Devnet) -> None:
    with fronts.fresh("chat", "--queue-seconds", "0") as served:
        devnet.fault("aurora", "rate-limited", times=1)
        with pytest.raises(openai.RateLimitError) as caught:
            served.client().chat.completions.create(model="devnet-chat", messages=HELLO)
    assert int(caught.value.response.headers["retry-after"]) >= 1


def test_a_request_waits_in_line_instead_where_it_may(fronts: Fronts, devnet: Devnet) -> None:
    chat = fronts.of("chat").client().chat.completions
    devnet.fault("aurora", "rate-limited", times=1)
    assert chat.create(model="devnet-chat", messages=HELLO).choices


def test_a_failing_provider_is_a_server_error(fronts: Fronts, devnet: Devnet) -> None:
    chat = fronts.of("speech").client().audio.transcriptions
    devnet.fault("echo", "server-error", times=1)
    with pytest.raises(openai.InternalServerError) as caught:
        chat.create(model="devnet-listener", file=("talk.wav", recording()))
    assert caught.value.code == "provider_failed"


def test_the_callers_own_mistake_is_a_bad_request(fronts: Fronts) -> None:
    chat = fronts.of("chat").client().chat.completions
    with pytest.raises(openai.BadRequestError):
        chat.create(model="devnet-chat", messages=[])
    words: Any = [{"role": "user", "content": "word " * 40_000}]
    with pytest.raises(openai.BadRequestError) as caught:
        chat.create(model="devnet-chat", messages=words)
    assert caught.value.code == "context_length_exceeded"


def test_a_session_that_ended_is_renewed_unseen(fronts: Fronts, devnet: Devnet) -> None:
    chat = fronts.of("chat").client().chat.completions
    devnet.fault("aurora", "expired-session", times=1)
    assert chat.create(model="devnet-chat", messages=HELLO).choices


def test_a_stream_that_breaks_off_ends_in_an_error(fronts: Fronts, devnet: Devnet) -> None:
    chat = fronts.of("chat").client().chat.completions
    devnet.fault("aurora", "disconnect", times=1)
    stream = chat.create(model="devnet-chat", messages=HELLO, stream=True)
    with pytest.raises(openai.APIError, match="billed"):
        list(stream)


def test_an_answer_of_other_bytes_is_told_apart(fronts: Fronts, devnet: Devnet) -> None:
    chat = fronts.of("chat").client().chat.completions
    devnet.fault("aurora", "tampered-answer", times=1)
    raw = chat.with_raw_response.create(model="devnet-chat", messages=HELLO)
    assert raw.headers["zg-verification"] == "failed"


def test_the_guides_python_runs_as_it_stands_there(
    fronts: Fronts, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    exec(code.replace("http://127.0.0.1:3000/v1", fronts.of("chat").url), {})
    assert "Hello" in capsys.readouterr().out
