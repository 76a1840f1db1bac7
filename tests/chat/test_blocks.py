"""A growing text falls into blocks where nothing that follows can change them."""

from __future__ import annotations

import pytest

from chat.growing import Growing
from chat.live import Live


@pytest.mark.parametrize(
    ("text", "tail"),
    [
        ("", ""),
        ("Hello", "Hello"),
        ("Hello\n\n", "Hello\n\n"),
        ("Hello\n\nW", "W"),
        ("Hello\n\n1", "1"),
        ("Hello\n- a", "Hello\n- a"),  # may be of the paragraph still
        ("Hello\n- a\n", "- a\n"),
        ("- a\n\n- b", "- a\n\n- b"),
        ("- a\n\n1", "- a\n\n1"),
        ("- a\n\nText", "Text"),
        ("Code:\n```py\nx = 1\n\ny", "y"),
        ("```py\nx = 1\n\ny\n```\n", ""),
        ("````\n```\n\nz", "z"),
    ],
)
def test_only_what_may_change_is_in_the_tail(text: str, tail: str) -> None:
    growing = Growing()
    growing.feed(text)
    assert growing.tail == tail


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("```py\nx = 1\n", "code"),
        ("~~~\n\nx", "code"),
        ("```x``` is code", "text"),
        ("  ```\nx", "text"),
        ("- a\n", "text"),
        ("| a |\n|---|\n| 1", "row"),
        ("| a |\n|---|\n- a list\n", "text"),
        ("", "text"),
    ],
)
def test_the_tail_is_of_a_kind(text: str, kind: str) -> None:
    growing = Growing()
    growing.feed(text)
    assert growing.kind == kind


def test_what_no_database_stores_is_replaced() -> None:
    live = Live()
    live.add("a\0b", "")
    assert live.take().text == "a\N{REPLACEMENT CHARACTER}b"


def test_links_that_are_defined_at_the_end_show_the_text_anew() -> None:
    live = Live()
    live.add("See [this].\n\nMore.\n\n[this]: https://a.example\n", "")
    live.grow(live.take())
    assert live.end().name == "answer"


def test_else_the_end_leaves_what_is_shown() -> None:
    live = Live()
    live.add("See this.\n\n```py\nx", "")
    live.grow(live.take())
    event = live.end()
    assert event.name == "ended"
    assert [place for place, _ in event.data["parts"]] == ["code", "anew"]
