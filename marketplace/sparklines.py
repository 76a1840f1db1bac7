"""Small charts as SVG paths, drawn here so that a page needs no script.

Shape carries the meaning and colour repeats it: a full bar was reached every time, a shorter one
now and then, a cross never, and a dash on the ground is a time when nobody measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_STEP, _BAR, _HEIGHT = 4, 3, 16


@dataclass(frozen=True, slots=True)
class Bars:
    """A row of bars in a view box of `width` x 16; `description` says the same in words."""

    width: int
    up: str
    partly: str
    down: str
    unknown: str
    description: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line in a view box of `width` x 48, broken where nothing was measured."""

    width: int
    path: str
    dots: str
    lowest: int
    highest: int


def bars(spans: Sequence[Sequence[int | None]], unit: str) -> Bars:
    """Draw [probes, reached, …] of each span of time; `unit` names one, such as "hour"."""
    paths = {"up": "", "partly": "", "down": "", "unknown": ""}
    counts = dict.fromkeys(paths, 0)
    for index, (probes, reached, *_) in enumerate(spans):
        kind, path = _bar(index * _STEP, probes or 0, reached or 0)
        paths[kind] += path
        counts[kind] += 1
    return Bars(width=len(spans) * _STEP - 1, description=_words(counts, unit), **paths)


def line(values: Sequence[int | None]) -> Line | None:
    """Draw `values` from left to right, from zero up; None where there is nothing to draw."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    top = max(known) or 1
    points = [None if value is None else 46 - 44 * value // top for value in values]
    return Line(
        width=(len(values) - 1) * 8 + 4,
        path="".join(_segment(points, index) for index in range(len(points))),
        dots="".join(f"M{2 + i * 8} {y}h0" for i, y in enumerate(points) if y is not None),
        lowest=min(known),
        highest=max(known),
    )


def _bar(x: int, probes: int, reached: int) -> tuple[str, str]:
    if not probes:
        return "unknown", f"M{x} {_HEIGHT - 1}h{_BAR}v1h-{_BAR}z"
    if not reached:
        return "down", f"M{x} {_HEIGHT}l{_BAR}-4m-{_BAR} 0l{_BAR} 4"
    height = max(3, (_HEIGHT - 2) * reached // probes) if reached < probes else _HEIGHT
    return "up" if reached == probes else "partly", (f"M{x} {_HEIGHT}v-{height}h{_BAR}v{height}z")


def _segment(points: Sequence[int | None], index: int) -> str:
    y = points[index]
    if y is None:
        return ""
    follows = index > 0 and points[index - 1] is not None
    return f"{'L' if follows else 'M'}{2 + index * 8} {y}"


def _words(counts: dict[str, int], unit: str) -> str:
    parts = [
        f"{counts[kind]} {unit}{'' if counts[kind] == 1 else 's'} {meaning}"
        for kind, meaning in _MEANINGS.items()
        if counts[kind]
    ]
    return "; ".join(parts) + "."


_MEANINGS = {
    "up": "always reachable",
    "partly": "reachable now and then",
    "down": "never reachable",
    "unknown": "not measured",
}
