"""Exact sums of amounts in the database, which has no integer wide enough for one.

An amount is stored as zero-padded digits (`NeuronField`). Nine digits at a time are summed as
integers that no database rounds, and the pieces put together here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import BigIntegerField, Sum
from django.db.models.functions import Cast, Substr

from zgcompute.amounts import MAX_NEURON

_DIGITS = len(str(MAX_NEURON))
_PIECE = 9  # digits: their sum over a thousand million rows still fits into 64 bits
_STARTS = range(0, _DIGITS, _PIECE)


def pieces(field: str) -> dict[str, Sum]:
    """The aggregates that together are the sum of a NeuronField; `total` reads them."""
    return {
        _name(field, start): Sum(
            Cast(Substr(field, start + 1, min(_PIECE, _DIGITS - start)), BigIntegerField())
        )
        for start in _STARTS
    }


def total(row: Mapping[str, Any], field: str) -> int:
    """The sum of `field` in neuron, from a row of its `pieces`; 0 of no rows."""
    return sum(
        int(row[_name(field, start)] or 0) * 10 ** max(0, _DIGITS - start - _PIECE)
        for start in _STARTS
    )


def _name(field: str, start: int) -> str:
    return f"{field}_from_{start}"
