"""The settlements page: each with the requests that it paid, and the difference that remains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from accounts import explanations, sums
from accounts.models import Payment, Settlement, Wallet
from accounts.periods import Excerpt, Paging, paging
from marketplace.models import Service
from marketplace.prices import exact_decimals
from zgcompute.networks import Network

ROWS = 10  # of a page: each may name two hundred requests
PAYMENTS = 100  # requests named of one settlement; all of them are on the usage page


@dataclass(frozen=True, slots=True)
class Row:
    """A settlement; `running` is what this provider settled up to it beyond what was used here."""

    settlement: Settlement
    name: str
    explanation: str
    url: str
    payments: list[Payment]
    hidden: int
    decimals: int  # of the column of payments
    running: int

    @property
    def difference(self) -> int:
        return int(self.settlement.amount) - int(self.settlement.matched)


@dataclass(frozen=True, slots=True)
class Report:
    excerpt: Excerpt
    paging: Paging
    provider_choices: list[tuple[str, str]]


def report(wallet: Wallet, network: Network, excerpt: Excerpt) -> Report:
    """Gather the page in a fixed number of queries."""
    mine = wallet.settlements.filter(network=network.slug)
    names = dict(Service.objects.on(network.slug).values_list("provider", "model"))
    providers = mine.order_by("provider").values_list("provider", flat=True).distinct()
    rows = excerpt.within(mine, "settled_at")
    if excerpt.provider:
        rows = rows.filter(provider=excerpt.provider)
    paid = rows.prefetch_related("payments__usage")
    return Report(
        excerpt=excerpt,
        paging=paging(
            excerpt, paid, rows.count(), lambda page: _rows(mine, network, page, names), ROWS
        ),
        provider_choices=[(one, names.get(one, one)) for one in providers],
    )


def _rows(
    mine: QuerySet[Settlement],
    network: Network,
    page: Sequence[Settlement],
    names: Mapping[str, str],
) -> list[Row]:
    running = _running(mine, page[0]) if page else {}
    lowest = explanations.lowest_prices(page)
    found = []
    for row in page:
        payments = list(row.payments.all())
        found.append(
            Row(
                settlement=row,
                name=names.get(row.provider, ""),
                explanation=explanations.explanation(row, lowest),
                url=network.transaction_url(row.transaction_hash),
                payments=payments[:PAYMENTS],
                hidden=max(0, len(payments) - PAYMENTS),
                decimals=exact_decimals([row.matched, *(one.usage.fee for one in payments)]),
                running=running[row.provider],
            )
        )
        running[row.provider] -= found[-1].difference
    return found


def _running(mine: QuerySet[Settlement], newest: Settlement) -> dict[str, int]:
    """What each provider had settled beyond what was used here, up to and with `newest`."""
    same_block = Q(block_number=newest.block_number, log_index__lte=newest.log_index)
    until: Any = mine.filter(Q(block_number__lt=newest.block_number) | same_block).order_by()
    pieces = sums.pieces("amount") | sums.pieces("matched")
    return {
        group["provider"]: sums.total(group, "amount") - sums.total(group, "matched")
        for group in until.values("provider").annotate(**pieces)
    }
