"""A growing text is cut where it is finished, whatever pieces it came in."""

from __future__ import annotations

import random
import time

import pytest

from chat.blocks import begins_with_code, finished_length
from chat.live import Live

PARTS = [
    *("- a\n", "1. b\n", "\n", "text\n", "```py\n", "```\n", "  ```\n", "    x\n", "~~~\n"),
    *("# h\n", "* c", "> q\n", "1", "0. z\n", "word", "\r\n", "   \n", "Grüße 你好"),
]


@pytest.mark.parametrize(
    ("text", "finished"),
    [
        ("", ""),
        ("Hello", ""),
        ("Hello\n\n", ""),
        ("Hello\n\nW", "Hello\n\n"),
        ("Hello\n\n1", ""),  # may become a list
        ("- a\n\n- b", ""),
        ("- a\n\nText", "- a\n\n"),
        ("Code:\n```py\nx = 1\n\ny", "Code:\n"),
        ("```py\nx = 1\n\ny\n```\n", "```py\nx = 1\n\ny\n```\n"),
        ("````\n```\n\nz", ""),
    ],
)
def test_only_what_cannot_change_any_more_is_finished(text: str, finished: str) -> None:
    assert text[: finished_length(text)] == finished


def test_the_cut_depends_on_the_text_alone() -> None:
    chance = random.Random(7)
    for _ in range(1500):
        text = "".join(chance.choice(PARTS) for _ in range(chance.randint(1, 12)))
        shown = latest = 0
        for end in range(len(text) + 1):
            assert finished_length(text[:end]) >= latest
            latest = finished_length(text[:end])
            shown += finished_length(text[shown:end])
            assert shown == latest, text[:end]


def test_a_long_list_is_read_once() -> None:
    live, started = Live(), time.thread_time()
    for _ in range(500):
        live.add("- a\n" * 200, "")
        live.take()
    assert time.thread_time() - started < 3


@pytest.mark.parametrize(
    ("tail", "is_code"),
    [
        ("```py\nx = 1\n", True),
        ("~~~\n\nx", True),
        ("```x``` is code", False),
        ("  ```\nx", False),
        ("- a\n", False),
        ("", False),
    ],
)
def test_an_open_fence_is_code(tail: str, is_code: bool) -> None:
    assert begins_with_code(tail) is is_code


def test_the_pieces_put_together_are_the_text() -> None:
    chance, live = random.Random(3), Live()
    text = "".join(chance.choice(PARTS) for _ in range(300))
    shown = tail = ""
    for start in range(0, len(text), 7):
        live.add(text[start : start + 7], "")
        piece = live.take()
        shown += piece.block
        tail = piece.tail if piece.block else tail + piece.text
        assert shown + tail == live.text
    assert live.text == text


def test_what_no_database_stores_is_replaced() -> None:
    live = Live()
    live.add("a\0b", "")
    assert live.take().text == "a\N{REPLACEMENT CHARACTER}b"
