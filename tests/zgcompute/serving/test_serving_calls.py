from __future__ import annotations

import json
from typing import Any

import pytest

from zgcompute.bodies import chat_body
from zgcompute.serving.calls import (
    CHAT_CALL,
    EDITS_CALL,
    IMAGES_CALL,
    SPEECH_CALL,
    Call,
    Kind,
    understand,
)
from zgcompute.serving.problems import Problem
from zgcompute.uploads import Upload, form

HELLO = [{"role": "user", "content": "Hello <b>"}]
WAV = b"RIFF\0\0\0\0WAVE" + b"\0" * 100


def chat(**fields: Any) -> Call:
    body = json.dumps({"messages": HELLO, **fields}, indent=2).encode()
    return understand(CHAT_CALL, "application/json", body)


def test_a_chat_is_written_as_providers_forward_it() -> None:
    sent = chat(model="m", stream=True).body_for("m")
    assert sent.content == chat_body("m", HELLO, stream=True)


def test_the_usage_is_always_asked_for_because_words_would_be_billed_otherwise() -> None:
    call = chat(model="m", stream=True, stream_options={"include_usage": False, "x": 1})
    options = json.loads(call.body_for("m").content)["stream_options"]
    assert options == {"include_usage": True, "x": 1}
    assert not call.wants_usage


@pytest.mark.parametrize("model", [None, "", "auto"])
def test_no_model_in_particular_leaves_the_choice(model: str | None) -> None:
    call = chat(model=model)
    assert call.model == ""
    assert json.loads(call.body_for("served").content)["model"] == "served"


def test_a_form_goes_out_as_it_came() -> None:
    sent = form({"model": "listener"}, "file", Upload.recording(WAV))
    call = understand(SPEECH_CALL, sent.content_type, sent.body)
    assert call.model == "listener"
    assert call.body_for("listener").content == sent.body


@pytest.mark.parametrize("fields", [{}, {"model": "auto"}])
def test_a_form_without_a_model_gets_the_served_one(fields: dict[str, str]) -> None:
    sent = form({**fields, "response_format": "srt"}, "file", Upload.recording(WAV))
    call = understand(SPEECH_CALL, sent.content_type, sent.body)
    again = understand(SPEECH_CALL, sent.content_type, call.body_for("listener").content)
    assert (call.model, again.model) == ("", "listener")
    assert again.fields["response_format"] == "srt"
    assert WAV in call.body_for("listener").content


@pytest.mark.parametrize(
    ("kind", "body", "param"),
    [
        (CHAT_CALL, b"[]", None),
        (CHAT_CALL, b"{", None),
        (CHAT_CALL, b"[" * 100_000, None),
        (CHAT_CALL, b'{"messages":[]}', "messages"),
        (CHAT_CALL, b'{"messages":"hi"}', "messages"),
        (CHAT_CALL, b'{"messages":[{}],"model":7}', "model"),
        (CHAT_CALL, b'{"messages":[{}],"temperature":NaN}', None),
        (IMAGES_CALL, b'{"model":"m"}', "prompt"),
        (IMAGES_CALL, b'{"prompt":"x","n":"3"}', "n"),
        (IMAGES_CALL, b'{"prompt":"x","n":65}', "n"),
        (SPEECH_CALL, b"{}", "file"),
        (EDITS_CALL, b"no json", None),
    ],
)
def test_what_no_provider_could_take_is_refused_here(
    kind: Kind, body: bytes, param: str | None
) -> None:
    with pytest.raises(Problem) as caught:
        understand(kind, "application/json", body)
    assert (caught.value.status, caught.value.param) == (400, param)


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=x"])
def test_a_form_that_is_cut_is_refused_here(content_type: str) -> None:
    with pytest.raises(Problem):
        understand(SPEECH_CALL, content_type, b"--x\r\nhalf a form")
