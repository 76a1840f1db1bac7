"""Words as a search compares them."""

from __future__ import annotations

import pytest

from chat import words
from chat.search import parts


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Grüße, ÉCOLE!", "grusse ecole"),
        ("don't snake_case", "don t snake case"),
        ("我们说你好 now", "我 们 说 你 好 now"),
        ("한국어 Привет", "한국어 привет"),
        ("e\u0301cole ﬁne", "ecole fine"),
        (" \n*** ", ""),
    ],
)
def test_case_accents_and_signs_do_not_count(text: str, folded: str) -> None:
    assert words.words(text) == folded


def test_a_query_is_its_words_and_phrases() -> None:
    assert words.terms("Don't  STOP 你好 *") == [("don", "t"), ("stop",), ("你", "好")]
    assert len(words.terms("a " * 50)) == 8


@pytest.mark.parametrize(
    ("text", "query", "said"),
    [
        ("The Grüße of Größe", "gruss", ["Grüße"]),
        ("ÉCOLE and école", "eco", ["ÉCOLE", "école"]),
        ("ab 你好 cd 你不好", "你好", ["你好"]),
        ("I don't, don x", "don't", ["don't"]),
        ("nothing", "else", []),
        ("straße Straßen", "strasse", ["straße", "Straßen"]),
    ],
)
def test_places_are_those_of_the_text_as_it_was_written(
    text: str, query: str, said: list[str]
) -> None:
    found = words.places(text, words.terms(query))
    assert [text[start:end] for start, end in found] == said


def test_a_long_text_is_searched_in_pieces() -> None:
    text = "a" * (words.PIECE - 1) + " end"
    assert [start for start, _ in words.pieces(text)] == [0, words.PIECE]


def test_a_hit_shows_the_words_around_the_first_place() -> None:
    shown = parts("x " * 100 + "the needle here\n" + "y " * 200, [("needle",)])
    assert [part.text for part in shown if part.is_hit] == ["needle"]
    whole = "".join(part.text for part in shown)
    assert whole.startswith("… x")
    assert whole.endswith(" …")
    assert len(whole) < 210
    assert "\n" not in whole


@pytest.mark.parametrize(
    ("markdown", "said"),
    [
        ("## A needle\n\n> and *its* **eye**", "A needle  and its eye"),
        ("the `needle` of 2 ** 3 and f(**eyes)", "the needle of 2 ** 3 and f(**eyes)"),
        ("| needle |\n| ---: |\n| 1 |", "| needle |  | 1 |"),
        ("a_needle # is no heading", "a_needle # is no heading"),
    ],
)
def test_a_hit_is_shown_as_words_and_not_as_markdown(markdown: str, said: str) -> None:
    assert "".join(part.text for part in parts(markdown, [("needle",)])) == said
