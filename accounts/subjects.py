"""What a billed request was about: a link to it and how its proof came out.

Only the app that made the request knows, and this one must not know that app: it registers a
finder when it starts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from accounts.models import Usage


@dataclass(frozen=True, slots=True)
class Subject:
    """`outcome` is one of the four words; `style` and `icon` are those it is shown with."""

    title: str
    url: str
    outcome: str
    style: str
    icon: str


Finder = Callable[[Sequence[Usage]], Mapping[int, Subject]]

_finders: list[Finder] = []


def register(finder: Finder) -> None:
    """Ask `finder` too: it returns the subjects that it knows by the usage's key, in one query."""
    if finder not in _finders:
        _finders.append(finder)


def of(rows: Sequence[Usage]) -> dict[int, Subject]:
    """The subjects of `rows` by their keys; what nobody knows any longer is missing."""
    found: dict[int, Subject] = {}
    for finder in _finders if rows else ():
        found.update(finder(rows))
    return found
