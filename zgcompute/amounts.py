"""Exact conversion between neuron (the chain's integer unit) and 0G (what people read).

The only module that knows how many neuron make one 0G. No floats anywhere.
"""

from __future__ import annotations

import re
from dataclasses import fields
from functools import lru_cache
from typing import Any, cast

from zgcompute.errors import AmountError

NEURON_PER_0G = 10**18
MAX_NEURON = 2**256 - 1  # uint256, the widest amount a contract can hold

_DECIMAL = re.compile(r"(?P<whole>[0-9]{1,60})(?:\.(?P<fraction>[0-9]{1,60}))?", re.ASCII)


class Neuron(int):
    """An amount of money: a whole number of neuron, which `og` shows as exact decimal 0G.

    It is an int everywhere (equal to it, printed, written as JSON and stored like it), so that
    whoever computes needs no conversion; sums, differences and multiples of it are Neuron too. What
    it adds is only the view, as text: a float could not hold the digits.
    """

    __slots__ = ()

    @property
    def og(self) -> str:
        """The amount in 0G with all its digits, such as "1.5"."""
        return exact(self)

    def __add__(self, other: int) -> Neuron:
        return _kept(int.__add__(self, other))

    def __radd__(self, other: int) -> Neuron:
        return _kept(int.__radd__(self, other))

    def __sub__(self, other: int) -> Neuron:
        return _kept(int.__sub__(self, other))

    def __rsub__(self, other: int) -> Neuron:
        return _kept(int.__rsub__(self, other))

    def __mul__(self, other: int) -> Neuron:
        return _kept(int.__mul__(self, other))

    def __rmul__(self, other: int) -> Neuron:
        return _kept(int.__rmul__(self, other))

    def __neg__(self) -> Neuron:
        return Neuron(int.__neg__(self))


def _kept(result: int) -> Neuron:
    # Beside a float the result is NotImplemented, as for every int.
    return Neuron(result) if isinstance(result, int) else cast("Neuron", result)


class HoldsMoney:
    """Base of frozen dataclasses: fields declared as Neuron are that, whatever int was given."""

    __slots__ = ()

    def __post_init__(self) -> None:
        for name in _money_fields(cast("Any", type(self))):
            object.__setattr__(self, name, Neuron(getattr(self, name)))


@lru_cache
def _money_fields(cls: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(cls) if field.type == "Neuron")


def parse(text: str) -> Neuron:
    """Return the neuron in the decimal 0G amount `text`, such as "1.5".

    Raises AmountError for anything but plain digits with an optional fraction, for more than
    18 decimals (they would be lost) and for more than a uint256 holds.
    """
    match = _DECIMAL.fullmatch(text.strip())
    if match is None:
        raise AmountError(f"{text[:40]!r} is not an amount of 0G.", advice="Write it like 1.5")
    fraction = (match["fraction"] or "").rstrip("0")
    if len(fraction) > 18:
        raise AmountError(
            "An amount of 0G has at most 18 decimals.", advice="Leave out the smallest digits."
        )
    neuron = int(match["whole"]) * NEURON_PER_0G + int(fraction.ljust(18, "0") or "0")
    if neuron > MAX_NEURON:
        raise AmountError("The amount is larger than any balance can be.", advice="Check it.")
    return Neuron(neuron)


def exact(neuron: int) -> str:
    """Return `neuron` as a 0G amount with all its digits, such as "0.000000000000000001"."""
    sign = "-" if neuron < 0 else ""
    whole, rest = divmod(abs(neuron), NEURON_PER_0G)
    fraction = f"{rest:018d}".rstrip("0")
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def short(neuron: int, *, decimals: int = 6, round_up: bool = False) -> str:
    """Return `neuron` in 0G with at most `decimals` decimals, for display beside the exact value.

    Rounds toward zero (a balance is never overstated), or away from zero with `round_up` (a cost
    is never understated). An amount too small for that many decimals keeps its first significant
    digits instead of becoming zero.
    """
    if neuron == 0:
        return "0"
    step = 10 ** max(0, 18 - decimals)
    if abs(neuron) < step:
        step = 10 ** max(0, len(str(abs(neuron))) - 3)
    steps, rest = divmod(abs(neuron), step)
    if rest and round_up:
        steps += 1
    return exact(steps * step * (-1 if neuron < 0 else 1))
