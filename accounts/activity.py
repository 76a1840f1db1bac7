"""The activity page: every movement of a wallet's money, and the calls that moved none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Count, QuerySet

from accounts import narration, sums
from accounts.models import Movement, Transaction, Wallet
from accounts.movements import AVAILABLE_SIGN, LOCKED_SIGN
from accounts.narration import StateWords
from accounts.periods import Excerpt, Paging, paging
from marketplace.models import Service
from marketplace.prices import exact_decimals
from zgcompute.amounts import exact
from zgcompute.networks import Network

CALLS = "calls"  # the excerpt's kind for calls that moved nothing
KINDS = {
    "": "All money",
    "deposit": "Deposits",
    "transfer": "Transfers",
    "return": "Returns",
    "settlement": "Settlements",
    "withdrawal": "Withdrawals",
    CALLS: "Calls that moved nothing",
}
HEADS = (
    *("time_utc", "kind", "provider", "amount_neuron"),
    *("available_change_neuron", "locked_change_neuron"),
    *("available_change_0g", "locked_change_0g"),
    *("source", "block", "transaction"),
)
_Kind = Movement.Kind
_TITLES = {
    _Kind.DEPOSIT: "Deposit",
    _Kind.TRANSFER: "Transfer to {}",
    _Kind.RETURN: "Returned from {}",
    _Kind.SETTLEMENT: "Fees settled by {}",
    _Kind.WITHDRAWAL: "Withdrawal",
}
_READ = StateWords("in the chain", "good", "check-circle", "")
_INFERRED = StateWords(
    "inferred",
    "wait",
    "eye",
    "Seen as a change of your balance; the contract emits no event for it.",
)


@dataclass(frozen=True, slots=True)
class Row:
    """A movement, or a call that moved nothing (its changes are 0); amounts in neuron.

    `decimals` are those of the whole column, so that the points line up.
    """

    decimals: int
    when: datetime
    title: str
    available_change: int
    locked_change: int
    words: StateWords
    note: str
    block: int | None
    hash: str
    url: str  # of the explorer, "" where there is none
    transaction: Transaction | None


@dataclass(frozen=True, slots=True)
class Report:
    """The page; the sums are of the whole time, not of the page's rows."""

    excerpt: Excerpt
    paging: Paging
    kinds: list[tuple[str, str, bool]]
    provider_choices: list[tuple[str, str]]
    available_sum: int
    locked_sum: int

    @property
    def is_of_calls(self) -> bool:
        return self.excerpt.kind == CALLS


def report(wallet: Wallet, network: Network, excerpt: Excerpt) -> Report:
    """Gather the page in a fixed number of queries."""
    names = _names(network.slug)
    of_calls = excerpt.kind == CALLS
    rows: QuerySet[Any] = (calls_of if of_calls else movements_of)(wallet, network.slug, excerpt)
    count, available, locked = (rows.count(), 0, 0) if of_calls else _added(rows)
    mine = wallet.movements.filter(network=network.slug).exclude(provider="")
    providers = mine.order_by("provider").values_list("provider", flat=True).distinct()
    return Report(
        excerpt=excerpt,
        paging=paging(excerpt, rows, count, lambda page: _rows(page, network, names)),
        kinds=[
            (label, excerpt.link(kind=kind), kind == excerpt.kind) for kind, label in KINDS.items()
        ],
        provider_choices=[(one, names.get(one, one)) for one in providers],
        available_sum=available,
        locked_sum=locked,
    )


def latest(wallet: Wallet, network: Network, number: int, names: Mapping[str, str]) -> list[Row]:
    """The newest rows of both kinds together; `names` are those of the providers."""
    everything = Excerpt(period="all")
    movements = movements_of(wallet, network.slug, everything)[:number]
    calls = calls_of(wallet, network.slug, everything)[:number]
    both: list[Movement | Transaction] = [*movements, *calls]
    newest = sorted(both, key=_when, reverse=True)
    return _rows(newest[:number], network, names)


def movements_of(wallet: Wallet, network: str, excerpt: Excerpt) -> QuerySet[Movement]:
    """The movements asked for, the newest first."""
    rows: QuerySet[Movement] = excerpt.within(wallet.movements.filter(network=network))
    if excerpt.kind in _Kind.values:
        rows = rows.filter(kind=excerpt.kind)
    if excerpt.provider:
        rows = rows.filter(provider=excerpt.provider)
    return rows.select_related("transaction")


def calls_of(wallet: Wallet, network: str, excerpt: Excerpt) -> QuerySet[Transaction]:
    """The transactions asked for that moved nothing (yet), the newest first."""
    mine = wallet.transactions.filter(network=network, movements=None)
    rows: QuerySet[Transaction] = excerpt.within(mine, "prepared_at")
    return rows.filter(provider=excerpt.provider) if excerpt.provider else rows


def csv_rows(wallet: Wallet, network: str, excerpt: Excerpt) -> Iterator[tuple[object, ...]]:
    """The cells of HEADS for every movement asked for; all of them sum to the ledger."""
    for row in movements_of(wallet, network, excerpt).iterator(500):
        yield (
            row.happened_at.astimezone(UTC).isoformat(timespec="seconds"),
            row.kind,
            row.provider,
            row.amount,
            row.available_change,
            row.locked_change,
            exact(row.available_change),
            exact(row.locked_change),
            row.source,
            "" if row.block_number is None else row.block_number,
            row.transaction_hash,
        )


def _names(network: str) -> dict[str, str]:
    return dict(Service.objects.on(network).values_list("provider", "model"))


def _when(row: Movement | Transaction) -> datetime:
    return row.happened_at if isinstance(row, Movement) else row.prepared_at


def _added(rows: QuerySet[Movement]) -> tuple[int, int, int]:
    """How many they are, and by how much they changed what is available and what is locked."""
    groups: Any = rows.order_by().values("kind")
    count = available = locked = 0
    for group in groups.annotate(rows=Count("pk"), **sums.pieces("amount")):
        kind, amount = _Kind(group["kind"]), sums.total(group, "amount")
        count += group["rows"]
        available += AVAILABLE_SIGN[kind] * amount
        locked += LOCKED_SIGN[kind] * amount
    return count, available, locked


def _rows(
    found: Sequence[Movement | Transaction], network: Network, names: Mapping[str, str]
) -> list[Row]:
    moved = [int(row.amount) for row in found if isinstance(row, Movement)]
    decimals = exact_decimals([0, *moved])
    return [
        _movement(row, network, names, decimals)
        if isinstance(row, Movement)
        else _call(row, network, decimals)
        for row in found
    ]


def _movement(row: Movement, network: Network, names: Mapping[str, str], decimals: int) -> Row:
    inferred = row.source == Movement.Source.LEVEL
    words = narration.state_words(row.transaction) if row.transaction else _READ
    shown = _INFERRED if inferred else words
    return Row(
        decimals=decimals,
        when=row.happened_at,
        title=_TITLES[_Kind(row.kind)].format(_name(row.provider, names)),
        available_change=row.available_change,
        locked_change=row.locked_change,
        words=shown,
        note=_INFERRED.sentence if inferred else "",
        block=row.block_number,
        hash=row.transaction_hash,
        url=network.transaction_url(row.transaction_hash) if row.transaction_hash else "",
        transaction=row.transaction,
    )


def _call(row: Transaction, network: Network, decimals: int) -> Row:
    return Row(
        decimals=decimals,
        when=row.prepared_at,
        title=narration.story(row).title,
        available_change=0,
        locked_change=0,
        words=narration.state_words(row),
        note=row.reason,
        block=row.block_number,
        hash=row.hash,
        url=network.transaction_url(row.hash) if row.hash else "",
        transaction=row,
    )


def _name(provider: str, names: Mapping[str, str]) -> str:
    if not provider:
        return "other services"
    short = f"{provider[:6]}…{provider[-4:]}"
    return f"{names[provider]} ({short})" if names.get(provider) else short
