"""The picture of where a wallet's money is: two bars, the second one a closer look at the first.

The first bar is everything: wallet, ledger, and what is locked with providers. The second one
divides what is locked among the providers. Each part has a pattern of its own and its figure
beside the picture; a part that would be too narrow to be seen is drawn a little wider.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from accounts.shares import WHOLE, Span, spans
from marketplace.prices import exact_decimals

NAMED = 5  # providers with a place of their own; the others share one
NAMED_FROM = 3  # percent of what is locked; below, a provider is one of the others


class Kind(StrEnum):
    """Where an amount is; also the name of its pattern."""

    WALLET = "wallet"
    AVAILABLE = "available"
    FREE = "free"
    UNSETTLED = "unsettled"
    REFUNDING = "refunding"
    ELSEWHERE = "elsewhere"  # locked with other services than inference


WORDS = {
    Kind.WALLET: "In your wallet",
    Kind.AVAILABLE: "Ledger, available",
    Kind.FREE: "With providers, free",
    Kind.UNSETTLED: "With providers, used but not settled",
    Kind.REFUNDING: "With providers, on its way back",
    Kind.ELSEWHERE: "With other services",
}


@dataclass(frozen=True, slots=True)
class Holder:
    """A provider's parts in neuron; they add up to the sub-account's balance."""

    name: str
    address: str
    free: int
    unsettled: int
    refunding: int

    @property
    def parts(self) -> tuple[int, int, int]:
        return self.free, self.unsettled, self.refunding

    @property
    def total(self) -> int:
        return sum(self.parts)


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a bar; `amount` in neuron."""

    kind: Kind
    amount: int
    span: Span

    @property
    def words(self) -> str:
        return WORDS[self.kind]


@dataclass(frozen=True, slots=True)
class Band:
    """A provider's place in the second bar, with its own parts in it."""

    label: str
    total: int
    span: Span
    parts: list[Part]


@dataclass(frozen=True, slots=True)
class Picture:
    """Both bars, and the same in figures: `sums` for the key, `holders` for the table."""

    parts: list[Part]
    sums: list[Part]  # every kind that there is, once
    bands: list[Band]
    locked: Span  # what of the first bar the second one shows
    holders: list[Holder]
    elsewhere: int

    @property
    def total(self) -> int:
        return sum(part.amount for part in self.sums)

    @property
    def decimals(self) -> int:
        """Those of the table's column of sums."""
        parts = [part.amount for part in self.sums]
        return exact_decimals([*parts, *(n for one in self.holders for n in one.parts)])


def holder(name: str, address: str, balance: int, pending_refund: int, unsettled: int) -> Holder:
    """Divide a sub-account: unsettled fees come out of what is free, then out of refunds."""
    owed = min(unsettled, balance)
    free = max(0, balance - pending_refund - owed)
    return Holder(name, address, free, owed, balance - owed - free)


def draw(wallet: int, available: int, locked: int, holders: Iterable[Holder]) -> Picture | None:
    """Draw the amounts in neuron; None where there is nothing at all.

    `locked` is the ledger's own figure: what the providers do not explain of it is elsewhere.
    """
    largest_first = sorted(holders, key=lambda one: one.total, reverse=True)
    elsewhere = max(0, locked - sum(one.total for one in largest_first))
    sums = _sums(wallet, available, largest_first, elsewhere)
    if not any(amount for _, amount in sums):
        return None
    parts = _parts(sums, Span(0, WHOLE))
    return Picture(
        parts=[part for part in parts if part.amount],
        sums=[part for part in parts if part.amount or part.kind in _ALWAYS],
        bands=_bands(largest_first, elsewhere),
        locked=_locked(parts),
        holders=largest_first,
        elsewhere=elsewhere,
    )


_ALWAYS = (Kind.WALLET, Kind.AVAILABLE, Kind.FREE)


def _sums(
    wallet: int, available: int, holders: Sequence[Holder], elsewhere: int
) -> list[tuple[Kind, int]]:
    return [
        (Kind.WALLET, wallet),
        (Kind.AVAILABLE, available),
        (Kind.FREE, sum(one.free for one in holders)),
        (Kind.UNSETTLED, sum(one.unsettled for one in holders)),
        (Kind.REFUNDING, sum(one.refunding for one in holders)),
        (Kind.ELSEWHERE, elsewhere),
    ]


def _parts(amounts: Sequence[tuple[Kind, int]], within: Span) -> list[Part]:
    """Place the amounts inside of `within`, each end rounded once."""
    places = spans([amount for _, amount in amounts])
    return [
        Part(kind, amount, _scaled(place, within))
        for (kind, amount), place in zip(amounts, places, strict=True)
    ]


def _scaled(place: Span, within: Span) -> Span:
    start = within.start + place.start * within.width // WHOLE
    end = within.start + (place.start + place.width) * within.width // WHOLE
    return Span(start, end - start)


def _locked(parts: Sequence[Part]) -> Span:
    inside = [part.span for part in parts if part.kind not in (Kind.WALLET, Kind.AVAILABLE)]
    return Span(inside[0].start, sum(span.width for span in inside))


def _bands(holders: Sequence[Holder], elsewhere: int) -> list[Band]:
    shown = _grouped(holders)
    places = spans([*(one.total for one in shown), elsewhere])
    bands = [
        Band(one.name, one.total, place, _parts_of(one, place))
        for one, place in zip(shown, places, strict=False)
        if one.total
    ]
    if elsewhere:
        parts = [Part(Kind.ELSEWHERE, elsewhere, places[-1])]
        bands.append(Band("other services", elsewhere, places[-1], parts))
    return bands


def _parts_of(one: Holder, place: Span) -> list[Part]:
    amounts = [
        (Kind.FREE, one.free),
        (Kind.UNSETTLED, one.unsettled),
        (Kind.REFUNDING, one.refunding),
    ]
    return _parts([(kind, amount) for kind, amount in amounts if amount], place)


def _grouped(holders: Sequence[Holder]) -> list[Holder]:
    """The large ones by name; the rest together, where there are two or more of them."""
    total = sum(one.total for one in holders)
    large = [one for one in holders[:NAMED] if one.total * 100 >= NAMED_FROM * total]
    rest = holders[len(large) :]
    if len(rest) < 2:
        return list(holders)
    others = Holder(
        f"{len(rest)} others",
        "",
        sum(one.free for one in rest),
        sum(one.unsettled for one in rest),
        sum(one.refunding for one in rest),
    )
    return [*large, others]
