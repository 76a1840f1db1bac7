"""Everything the account page shows of a wallet on one network, from our mirror only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from django.utils import timezone

from accounts import narration, settlements
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
from zgcompute.networks import Network

SHOWN = 20  # rows of each list


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
    def differs(self) -> bool:
        """The provider reports other unsettled fees than the requests made here add up to."""
        reported = self.sub_account.unsettled
        return reported is not None and reported != self.position.used_here


@dataclass(frozen=True, slots=True)
class TransactionRow:
    transaction: Transaction
    story: narration.Story
    words: narration.StateWords
    url: str  # of the explorer, "" where there is none


@dataclass(frozen=True, slots=True)
class SettlementRow:
    settlement: Settlement
    explanation: str
    url: str


@dataclass(frozen=True, slots=True)
class Holdings:
    ledger: Ledger | None
    providers: list[ProviderRow]
    transactions: list[TransactionRow]
    settlements: list[SettlementRow]
    usage: list[Usage]
    unsettled_here: int

    @property
    def is_read(self) -> bool:
        return self.ledger is not None and self.ledger.refreshed_at is not None

    @property
    def _is_in_flight(self) -> bool:
        rows = [row.transaction for row in self.transactions]
        return any(row.hash and row.is_open for row in rows)

    @property
    def poll_seconds(self) -> int:
        """How often the page looks again: only while something is on its way."""
        if not self.is_read or (self.ledger and self.ledger.is_awaited) or self._is_in_flight:
            return 1
        return 5 if self.unsettled_here else 0


def of(wallet: Wallet, network: Network) -> Holdings:
    """Gather the holdings of `wallet` in a fixed number of queries."""
    unpaid = _unpaid_by_provider(wallet, network.slug)
    return Holdings(
        ledger=Ledger.objects.filter(wallet=wallet, network=network.slug).first(),
        providers=_providers(wallet, network.slug, unpaid),
        transactions=transaction_rows(wallet, network),
        settlements=settlement_rows(wallet, network),
        usage=_recent_usage(wallet, network.slug),
        unsettled_here=sum(usage.unpaid for rows in unpaid.values() for usage in rows),
    )


def transaction_row(row: Transaction, network: Network) -> TransactionRow:
    """A transaction with its words."""
    url = network.transaction_url(row.hash) if row.hash else ""
    return TransactionRow(row, narration.story(row), narration.state_words(row), url)


def transaction_rows(wallet: Wallet, network: Network) -> list[TransactionRow]:
    """The latest transactions, without those that never left the page."""
    rows = wallet.transactions.filter(network=network.slug)
    return [transaction_row(row, network) for row in rows[:SHOWN]]


def settlement_rows(wallet: Wallet, network: Network) -> list[SettlementRow]:
    """The latest settlements, each with what it paid for."""
    rows = wallet.settlements.filter(network=network.slug).prefetch_related("payments__usage")
    return [
        SettlementRow(
            row, settlements.explanation(row), network.transaction_url(row.transaction_hash)
        )
        for row in rows[:SHOWN]
    ]


def _recent_usage(wallet: Wallet, network: str) -> list[Usage]:
    return list(wallet.usage.filter(network=network).select_related("settlement")[:SHOWN])


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
