from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from zgcompute.errors import InvalidBody, MalformedReply
from zgcompute.transcripts import SpeechReply, parse_transcript, require_format
from zgcompute.types import Usage

SRT = "1\n00:00:00,000 --> 00:00:04,000\nHello\n\n2\n00:00:04,000 --> 01:02:03,250\nthere\n"


def parsed(body: bytes | str | dict[str, Any], response_format: str = "json") -> SpeechReply:
    if isinstance(body, dict):
        body = json.dumps(body)
    raw = body.encode() if isinstance(body, str) else body
    return parse_transcript(b"ask", raw, response_format, key="k")


def test_words_and_the_stated_length_are_read() -> None:
    found = parsed({"text": "Hello.", "usage": {"type": "duration", "seconds": 5}})
    assert (found.text, found.seconds, found.usage) == ("Hello.", Decimal(5), None)


def test_the_usage_decides_before_the_duration() -> None:
    keys = {"text": "a", "duration": 4.5, "language": "english"}
    assert parsed(keys, "verbose_json").seconds == Decimal("4.5")
    assert parsed(keys, "verbose_json").language == "english"
    assert parsed(keys | {"usage": {"seconds": 7}}, "verbose_json").seconds == 7


def test_tokens_are_billed_where_the_usage_says_so() -> None:
    usage = {"type": "tokens", "input_tokens": 14, "output_tokens": 45}
    assert parsed({"text": "a", "usage": usage}).usage == Usage(14, 45)
    assert parsed({"text": "a", "usage": {"type": "tokens"}}).usage is None


def test_subtitles_state_their_length_in_the_last_cue() -> None:
    assert parsed(SRT, "srt").seconds == Decimal("3723.25")
    assert parsed(SRT, "srt").text == SRT
    vtt = "WEBVTT\n\n00:01.000 --> 00:09.500 align:start\nHello\n"
    assert parsed(vtt, "vtt").seconds == Decimal("9.5")
    assert parsed("WEBVTT\n", "vtt").seconds is None


def test_plain_text_states_nothing() -> None:
    assert parsed("Hello --> 00:00:01,000\n", "text").text == "Hello --> 00:00:01,000\n"


@pytest.mark.parametrize("stated", ["NaN", "Infinity", "-1", "true", '"5"', "1e400", "[]", "null"])
def test_a_length_that_is_none_counts_as_not_stated(stated: str) -> None:
    body = f'{{"text":"a","usage":{{"type":"duration","seconds":{stated}}},"duration":{stated}}}'
    assert parsed(body).seconds is None


@pytest.mark.parametrize("body", ["", "<html>", "[]", '{"text":5}', '{"text":', "{}"])
def test_a_reply_without_words_is_malformed(body: str) -> None:
    with pytest.raises(MalformedReply):
        parsed(body)


def test_broken_text_is_made_sound() -> None:
    assert parsed(b"a\xff\0b", "text").text == "a\ufffd\ufffdb"
    assert parsed('{"text":"\\ud800 \\u0000"}').text == "? \ufffd"


def test_only_known_forms_are_asked_for() -> None:
    assert require_format("srt") == "srt"
    with pytest.raises(InvalidBody, match="no form"):
        require_format("docx")
