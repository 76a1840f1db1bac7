from __future__ import annotations

from hashlib import sha256

import pytest

from zgcompute.serving.streams import Lines, Tally

FIRST = b'data: {"id":"chat-1","choices":[{"delta":{"content":"one two"}}]}\n\n'
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n'
DONE = b"data: [DONE]\n\n"
STREAM = FIRST + USAGE + DONE


def passed(stream: bytes, size: int, *, hides_usage: bool) -> bytes:
    lines = Lines(hides_usage=hides_usage)
    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
    return b"".join(lines.feed(piece) for piece in pieces) + lines.finish()


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_every_byte_goes_through_where_the_usage_was_asked_for(size: int) -> None:
    assert passed(STREAM, size, hides_usage=False) == STREAM


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_the_usage_is_left_out_where_the_client_did_not_ask_for_it(size: int) -> None:
    assert passed(STREAM, size, hides_usage=True) == FIRST + b"\n" + DONE


def test_words_that_look_like_a_usage_stay() -> None:
    tricky = b'data: {"choices":[{"delta":{"content":"\\"choices\\":[] \\"usage\\":{"}}]}\n\n'
    assert passed(tricky, 1000, hides_usage=True) == tricky


def test_half_a_line_waits_for_its_other_half() -> None:
    lines = Lines(hides_usage=False)
    assert lines.feed(b"data: {") == b""
    assert lines.feed(b"}\nda") == b"data: {}\n"
    assert lines.finish() == b"da"


def tally(*parts: bytes) -> Tally:
    counting = Tally()
    for part in parts:
        counting.feed(part)
    return counting


def test_the_hash_is_of_all_that_came() -> None:
    assert tally(FIRST, USAGE, DONE).sha256 == sha256(STREAM).hexdigest()


def test_usage_and_id_are_read() -> None:
    counted = tally(STREAM).counted("key-1")
    assert counted.usage is not None
    assert (counted.usage.prompt_tokens, counted.usage.completion_tokens) == (3, 2)
    assert counted.response_id == "key-1"


def test_without_a_key_the_completions_id_is_the_answers() -> None:
    assert tally(STREAM).counted("").response_id == "chat-1"


def test_without_a_usage_the_words_are_there_to_be_counted() -> None:
    counted = tally(FIRST, DONE).counted("key-1")
    assert (counted.usage, counted.text) == (None, "one two")
