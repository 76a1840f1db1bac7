"""All 255 key slots with a provider at a glance, drawn as one small SVG and said in words.

The state is a shape: a free slot is a dot, an active one a full square, one used elsewhere a
frame, an expired one a stroke, a revoked one a cross.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.utils import timezone

from accounts import keys
from accounts.models import ApiKey, SubAccount

_COLUMNS, _STEP, _SIZE = 32, 10, 8
WIDTH = _COLUMNS * _STEP - (_STEP - _SIZE)
HEIGHT = -(-keys.SLOTS // _COLUMNS) * _STEP - (_STEP - _SIZE)
_WORDS = {
    "active": "active or waiting for a signature",
    "elsewhere": "used elsewhere",
    "expired": "expired, not used again yet",
    "revoked": "revoked",
    "free": "free",
}
_SHAPES = {
    "free": "m3 3h2v2h-2z",
    "active": "h8v8h-8z",
    "elsewhere": "m1 1h6v6h-6z",
    "expired": "m1 7l6-6",
    "revoked": "m1 1l6 6m0-6l-6 6",
}


@dataclass(frozen=True, slots=True)
class Slots:
    """A path for each state that has slots, and the same as a list: word, count, numbers."""

    paths: list[tuple[str, str]]
    words: list[tuple[str, str, int, str]]
    width: int = WIDTH
    height: int = HEIGHT


def slots(account: SubAccount, known: Iterable[ApiKey]) -> Slots:
    """Draw the slots of the present generation; `known` are the provider's keys."""
    present = {key.slot: key for key in known if key.generation == account.generation}
    found: dict[str, list[int]] = {state: [] for state in _WORDS}
    for slot in range(keys.SLOTS):
        found[_state(account, slot, present.get(slot))].append(slot)
    return Slots(
        paths=[(state, _path(state, numbers)) for state, numbers in found.items() if numbers],
        words=[
            (state, word, len(found[state]), ranges(found[state]))
            for state, word in _WORDS.items()
            if found[state]
        ],
    )


def ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers in words that are short: 0 to 3, 7, 9 to 254."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)


def _state(account: SubAccount, slot: int, key: ApiKey | None) -> str:
    if keys.is_revoked(account, slot):
        return "revoked"
    if key is None:
        return "free"
    if key.expires_at is not None and key.expires_at <= timezone.now():
        return "expired"
    return "active" if key.origin == ApiKey.Origin.MADE else "elsewhere"


def _path(state: str, numbers: Iterable[int]) -> str:
    return "".join(
        f"M{slot % _COLUMNS * _STEP} {slot // _COLUMNS * _STEP}{_SHAPES[state]}" for slot in numbers
    )
