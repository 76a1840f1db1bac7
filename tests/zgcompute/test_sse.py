from __future__ import annotations

import random

import pytest

from zgcompute._sse import EventDecoder, SseEvent


def decoded(*chunks: bytes) -> list[SseEvent]:
    decoder = EventDecoder()
    return [event for chunk in chunks for event in decoder.feed(chunk)] + decoder.finish()


def texts(*chunks: bytes) -> list[str]:
    return [event.data for event in decoded(*chunks)]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_every_line_end_works(end: bytes) -> None:
    assert texts(end.join([b"data: a", b"", b"data: b", b"", b""])) == ["a", "b"]


def test_cuts_may_fall_anywhere() -> None:
    stream = (
        "data: héllo 😀\r\n\r\n: note\r\ndata:x\rdata: y\n\nevent: end\nid: 7\ndata:\n\n".encode()
    )
    whole = decoded(stream)
    assert whole == [
        SseEvent("héllo 😀"),
        SseEvent("x\ny"),
        SseEvent("", event="end", id="7"),
    ]
    chance = random.Random(1)
    for _ in range(200):
        cuts = sorted(chance.sample(range(len(stream)), 8))
        chunks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
        assert decoded(*chunks) == whole
    assert decoded(*(bytes([byte]) for byte in stream)) == whole


def test_an_event_is_given_as_soon_as_it_is_complete() -> None:
    decoder = EventDecoder()
    assert decoder.feed(b"data: a\n") == []
    assert decoder.feed(b"\n") == [SseEvent("a")]


def test_a_return_and_its_line_feed_may_come_apart() -> None:
    assert texts(b"data: a\r", b"", b"\ndata: b\r", b"\n\r", b"\n") == ["a\nb"]


def test_comments_and_unknown_fields_are_ignored() -> None:
    assert texts(b": ping\nretry: 5\nfoo: bar\nid: a\0b\ndata: x\n\n") == ["x"]


def test_a_last_event_without_its_blank_line_still_counts() -> None:
    assert texts(b"data: a\n\ndata: b") == ["a", "b"]
    assert texts(b"data: a\n") == ["a"]
    assert texts(b"") == []


def test_blank_lines_alone_are_no_events() -> None:
    assert texts(b"\n\n\r\n\r\n") == []


def test_a_byte_order_mark_at_the_start_is_dropped() -> None:
    assert texts(b"\xef\xbb\xbfdata: a\n\ndata: \xef\xbb\xbf\n\n") == ["a", "\ufeff"]


def test_broken_utf8_is_replaced() -> None:
    assert texts(b"data: a\xff\xc3\n\n") == ["a\ufffd\ufffd"]


def test_a_type_holds_for_one_event_and_an_id_for_the_rest() -> None:
    assert decoded(b"event: e\nid: 1\ndata: a\n\ndata: b\n\n") == [
        SseEvent("a", "e", "1"),
        SseEvent("b", "message", "1"),
    ]


def test_a_field_without_a_colon_has_an_empty_value() -> None:
    assert texts(b"data\ndata\n\n") == ["\n"]


def test_many_small_chunks_of_one_line_stay_cheap() -> None:
    decoder = EventDecoder()
    for _ in range(100_000):
        decoder.feed(b"x" * 10)
    assert decoder.finish() == []
