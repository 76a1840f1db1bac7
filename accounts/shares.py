"""How wide the parts of a drawn bar are: proportional, never too narrow to be seen, in integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WHOLE = 100_000  # thousandths of a percent of the bar
LEAST = 800  # what a part gets that would be narrower: 2.6 px of a phone's 328


@dataclass(frozen=True, slots=True)
class Span:
    """A part's place in the bar, in thousandths of a percent from its left end."""

    start: int
    width: int

    @property
    def x(self) -> str:
        return percent(self.start)

    @property
    def end(self) -> str:
        return percent(self.start + self.width)

    @property
    def length(self) -> str:
        return percent(self.width)


def spans(amounts: Sequence[int]) -> list[Span]:
    """Divide a whole bar among `amounts`; what is nothing gets nothing, and no gap remains."""
    widths = _widths(amounts)
    return [Span(sum(widths[:index]), width) for index, width in enumerate(widths)]


def percent(thousandths: int) -> str:
    """Thousandths of a percent as SVG writes a length: 12345 is 12.345%."""
    return f"{thousandths // 1000}.{thousandths % 1000:03d}%"


def _widths(amounts: Sequence[int]) -> list[int]:
    present = [index for index, amount in enumerate(amounts) if amount > 0]
    if not present:
        return [0] * len(amounts)
    least = min(LEAST, WHOLE // len(present))
    small = _too_small(amounts, present, least)
    widths = [least if index in small else 0 for index in range(len(amounts))]
    large = [index for index in present if index not in small]
    room, total, used = WHOLE - least * len(small), sum(amounts[index] for index in large), 0
    before = 0
    for index in large:  # each ends where it ends exactly: the rounding never adds up
        before += amounts[index]
        widths[index] = room * before // total - used
        used += widths[index]
    return widths


def _too_small(amounts: Sequence[int], present: Sequence[int], least: int) -> set[int]:
    """The parts that a proportional share would leave narrower than `least`."""
    small: set[int] = set()
    while True:
        room = WHOLE - least * len(small)
        total = sum(amounts[index] for index in present if index not in small)
        more = {
            index
            for index in present
            if index not in small and amounts[index] * room < least * total
        }
        if not more:
            return small
        small |= more
