"""Columns of exact amounts over time: rectangles of an SVG, drawn here without a script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

STEP, BAR, HEIGHT = 8, 6, 100


@dataclass(frozen=True, slots=True)
class Column:
    """One column in a view box of HEIGHT; `amount` is in neuron."""

    label: str
    amount: int
    x: int
    height: int

    @property
    def y(self) -> int:
        return HEIGHT - self.height


@dataclass(frozen=True, slots=True)
class Columns:
    """A row of columns from zero up; the tallest is `highest` neuron."""

    columns: list[Column]
    highest: int

    @property
    def width(self) -> int:
        return len(self.columns) * STEP

    @property
    def first(self) -> str:
        return self.columns[0].label

    @property
    def last(self) -> str:
        return self.columns[-1].label


def columns(amounts: Sequence[tuple[str, int]]) -> Columns:
    """Draw `amounts` (a label and neuron each) from left to right; something is never invisible."""
    highest = max((amount for _, amount in amounts), default=0)
    return Columns(
        [
            Column(label, amount, index * STEP + (STEP - BAR) // 2, _height(amount, highest))
            for index, (label, amount) in enumerate(amounts)
        ],
        highest,
    )


def _height(amount: int, highest: int) -> int:
    return max(2, HEIGHT * amount // highest) if amount else 0
