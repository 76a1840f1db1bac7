"""Everything the account page shows of a wallet on one network, from our mirror only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from accounts import activity, explanations, narration, picture, usage_report
from accounts.models import (
    Ledger,
    ProviderSession,
    Refund,
    Settlement,
    SubAccount,
    Transaction,
    Usage,
    Wallet,
)
from accounts.reserve import Position, position_of, unpaid_usage
from marketplace.models import Service
from marketplace.prices import exact_decimals
from marketplace.templatetags.zg import plain
from zgcompute.networks import Network

SHOWN = 5  # rows of each list; the whole is on a page of its own
_NEWS = timedelta(days=1)  # how long a settlement is worth a note


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """One sub-account with what is known about it."""

    sub_account: SubAccount
    service: Service | None
    position: Position
    refunds: list[Refund]
    has_due_refund: bool
    session: ProviderSession | None

    @property
    def name(self) -> str:
        """What people know the provider by: its model, or else its address."""
        address = self.sub_account.provider
        listed = plain(self.service.model, 40) if self.service else ""
        return listed or f"{address[:6]}…{address[-4:]}"


@dataclass(frozen=True, slots=True)
class TransactionRow:
    transaction: Transaction
    story: narration.Story
    words: narration.StateWords
    url: str  # of the explorer, "" where there is none


@dataclass(frozen=True, slots=True)
class SettlementRow:
    settlement: Settlement
    decimals: int  # of the column of amounts
    name: str
    explanation: str
    url: str


@dataclass(frozen=True, slots=True)
class Holdings:
    ledger: Ledger | None
    providers: list[ProviderRow]
    activity: list[activity.Row]
    settlements: list[SettlementRow]
    usage: list[usage_report.Row]
    unsettled_here: int
    is_in_flight: bool

    @property
    def is_read(self) -> bool:
        return self.ledger is not None and self.ledger.refreshed_at is not None

    @property
    def picture(self) -> picture.Picture | None:
        """Where all of it is, drawn; None where there is nothing or nothing was read."""
        if self.ledger is None:
            return None
        here = self.ledger
        holders = [_holder(row) for row in self.providers]
        return picture.draw(here.wallet_balance, here.available, here.locked, holders)

    @property
    def latest_drop(self) -> SettlementRow | None:
        """The settlement that made a balance fall at once, while that is news."""
        since = timezone.now() - _NEWS
        taken = [row for row in self.settlements if row.settlement.amount]
        return next((row for row in taken if row.settlement.settled_at > since), None)

    @property
    def poll_seconds(self) -> int:
        """How often the page looks again: only while something is on its way."""
        if not self.is_read or (self.ledger and self.ledger.is_awaited) or self.is_in_flight:
            return 1
        return 5 if self.unsettled_here else 0


def of(wallet: Wallet, network: Network) -> Holdings:
    """Gather the holdings of `wallet` in a fixed number of queries."""
    unpaid = _unpaid_by_provider(wallet, network.slug)
    providers = _providers(wallet, network.slug, unpaid)
    names = {row.sub_account.provider: row.name for row in providers if row.service}
    return Holdings(
        ledger=Ledger.objects.filter(wallet=wallet, network=network.slug).first(),
        providers=providers,
        activity=activity.latest(wallet, network, SHOWN, names),
        settlements=settlement_rows(wallet, network, names),
        usage=_recent_usage(wallet, network.slug),
        unsettled_here=sum(usage.unpaid for rows in unpaid.values() for usage in rows),
        is_in_flight=_is_in_flight(wallet, network.slug),
    )


def transaction_row(row: Transaction, network: Network) -> TransactionRow:
    """A transaction with its words."""
    url = network.transaction_url(row.hash) if row.hash else ""
    return TransactionRow(row, narration.story(row), narration.state_words(row), url)


def settlement_rows(
    wallet: Wallet, network: Network, names: Mapping[str, str]
) -> list[SettlementRow]:
    """The latest settlements, each with what it paid for."""
    found = wallet.settlements.filter(network=network.slug).prefetch_related("payments__usage")
    rows = list(found[:SHOWN])
    lowest = explanations.lowest_prices(rows)
    decimals = exact_decimals(n for row in rows for n in (row.amount, row.matched))
    return [
        SettlementRow(
            row,
            decimals,
            names.get(row.provider, "a provider"),
            explanations.explanation(row, lowest),
            network.transaction_url(row.transaction_hash),
        )
        for row in rows
    ]


def _recent_usage(wallet: Wallet, network: str) -> list[usage_report.Row]:
    return usage_report.table_rows(list(wallet.usage.filter(network=network)[:SHOWN]))


def _is_in_flight(wallet: Wallet, network: str) -> bool:
    waiting = wallet.transactions.filter(network=network, state__in=Transaction.OPEN)
    return waiting.exclude(hash="").exists()


def _holder(row: ProviderRow) -> picture.Holder:
    sub = row.sub_account
    return picture.holder(
        row.name, sub.provider, sub.balance, sub.pending_refund, row.position.unsettled
    )


def _unpaid_by_provider(wallet: Wallet, network: str) -> Mapping[str, list[Usage]]:
    found: dict[str, list[Usage]] = defaultdict(list)
    for usage in unpaid_usage(wallet, network):
        found[usage.provider].append(usage)
    return found


def _providers(
    wallet: Wallet, network: str, unpaid: Mapping[str, list[Usage]]
) -> list[ProviderRow]:
    rows = wallet.sub_accounts.filter(network=network).prefetch_related("refunds")
    services = {
        service.provider: service
        for service in Service.objects.on(network).filter(provider__in=[r.provider for r in rows])
    }
    running = {
        session.provider: session
        for session in wallet.provider_sessions.filter(
            network=network, expires_at__gt=timezone.now()
        )
    }
    return [
        _provider(row, services.get(row.provider), unpaid.get(row.provider, []), running)
        for row in sorted(rows, key=lambda row: row.balance, reverse=True)
    ]


def _provider(
    row: SubAccount,
    service: Service | None,
    unpaid: list[Usage],
    running: Mapping[str, ProviderSession],
) -> ProviderRow:
    refunds = list(row.refunds.all())
    return ProviderRow(
        sub_account=row,
        service=service,
        position=position_of(row, unpaid),
        refunds=refunds,
        has_due_refund=any(refund.is_payable for refund in refunds),
        session=running.get(row.provider),
    )
