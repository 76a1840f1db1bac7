"""Texts as the words that a search compares: folded alike for SQLite, PostgreSQL and highlights.

Case and accents do not count. Scripts without spaces are cut into characters, so that a part of
a sentence is found as a phrase.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

PIECE = 20_000  # characters of a text that are searched as one; PostgreSQL takes 1 MB of words
_MOST_TERMS = 8
_UNSPACED = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")

Term = tuple[str, ...]  # words that follow each other; of the last one only the beginning counts


def words(text: str) -> str:
    """Return the folded words of `text`, with a space between them."""
    return " ".join(_WORD.findall(_folded(text)))


def pieces(text: str) -> Iterator[tuple[int, str]]:
    """Yield the words of each piece of `text` with the place where the piece starts."""
    for start in range(0, len(text), PIECE):
        if found := words(text[start : start + PIECE]):
            yield start, found


def terms(query: str) -> list[Term]:
    """Return what a person looks for: every term has to be there."""
    parts = (tuple(_WORD.findall(_folded(part))) for part in query.split())
    return [part for part in parts if part][:_MOST_TERMS]


def places(text: str, wanted: list[Term]) -> list[tuple[int, int]]:
    """Return where `text` says one of the terms: start and end in characters, in order."""
    origins = [place for place, char in enumerate(text) for _ in _fold(char)]
    found = [(one[0], one.start(), one.end() - 1) for one in _WORD.finditer(_folded(text))]
    spans = []
    for index in range(len(found)):
        length = max((len(t) for t in wanted if _says(found, index, t)), default=0)
        if length:
            start, end = found[index][1], found[index + length - 1][2]
            spans.append((origins[start], origins[end] + 1))
    return spans


def _says(found: list[tuple[str, int, int]], index: int, term: Term) -> bool:
    said = [one[0] for one in found[index : index + len(term)]]
    return said[:-1] == list(term[:-1]) and said[-1].startswith(term[-1])


def _folded(text: str) -> str:
    return text.lower() if text.isascii() else "".join(map(_fold, text))


@lru_cache(maxsize=4096)
def _fold(char: str) -> str:
    parts = unicodedata.normalize("NFKD", char.casefold())
    return unicodedata.normalize("NFC", "".join(c for c in parts if not unicodedata.combining(c)))
