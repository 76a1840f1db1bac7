"""On-chain settlements: read out of a transaction's events, matched with the usage they paid for.

A provider settles whole requests, so a successful settlement pays whole fees, the oldest first,
and passes over one that is larger than what is left of it; one that found the balance exhausted
(PARTIAL) may pay a part. What nothing here explains was used elsewhere, and is shown as such,
unless it is too little for any request: then the provider charged more than the exact fees.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import IntEnum

from django.db import transaction
from django.db.models import F, QuerySet

from accounts.models import AccountEvent, Payment, Settlement, Usage, Wallet
from zgcompute.addresses import same
from zgcompute.types import Address, Event

RECORDED_LATE = timedelta(seconds=10)  # our record of an answer may follow the provider's


class Status(IntEnum):
    """The contract's verdict on one item of a settlement (InferenceServing)."""

    SUCCESS = 0
    PARTIAL = 1
    PROVIDER_MISMATCH = 2
    NO_TEE_SIGNER = 3
    INVALID_NONCE = 4
    INVALID_SIGNATURE = 5


@dataclass(slots=True)
class Item:
    """One user's part of a settlement transaction, put together from its events."""

    result: Event
    spent: list[Event] = field(default_factory=list)
    levels: list[Event] = field(default_factory=list)

    @property
    def user(self) -> Address:
        return Address(str(self.result.arguments["user"]))

    @property
    def status(self) -> int:
        return int(self.result.arguments["status"])

    @property
    def owed(self) -> int:
        """Neuron that the contract says are still unsettled after it."""
        return int(self.result.arguments["unsettledAmount"])

    @property
    def amount(self) -> int:
        """Neuron taken: the sum of the ledger's FundSpent events."""
        return sum(int(event.arguments["amount"]) for event in self.spent)

    @property
    def provider(self) -> Address | None:
        """The provider, where an event names it; else it is the transaction's sender."""
        return Address(str(self.levels[-1].arguments["provider"])) if self.levels else None

    @property
    def balance_after(self) -> int | None:
        return int(self.levels[-1].arguments["amount"]) if self.levels else None


def items(events: Sequence[Event], inference: str) -> list[Item]:
    """Return the settlement items in `events` of any number of transactions, in log order."""
    by_transaction: dict[str, list[Event]] = {}
    for event in events:
        by_transaction.setdefault(event.transaction_hash, []).append(event)
    return [item for logs in by_transaction.values() for item in _items(logs, inference)]


def _items(logs: Iterable[Event], inference: str) -> list[Item]:
    """Money events belong to the next result of the same user, or else to its last one."""
    found: list[Item] = []
    waiting: dict[str, list[Event]] = {}
    for event in logs:
        user = str(event.arguments.get("user", ""))
        if event.name == "TEESettlementResult":
            item = Item(event)
            _give(item, waiting.pop(user, []))
            found.append(item)
        elif _is_money(event, inference):
            waiting.setdefault(user, []).append(event)
    for item in reversed(found):
        _give(item, waiting.pop(item.user, []))
    return found


def _is_money(event: Event, inference: str) -> bool:
    if event.name == "FundSpent":
        return same(str(event.arguments["service"]), inference)
    return event.name == "BalanceUpdated"


def _give(item: Item, events: Iterable[Event]) -> None:
    for event in events:
        (item.spent if event.name == "FundSpent" else item.levels).append(event)


def adopt(wallet: Wallet, network: str, steps: Iterable[AccountEvent]) -> None:
    """Keep the settlements among a wallet's `steps`, and match them with its usage.

    One that is older than others that have paid already takes its turn before them.
    """
    rows = {
        (step.transaction_hash, step.log_index): _settlement(wallet, network, step)
        for step in steps
        if step.kind == AccountEvent.Kind.SETTLEMENT
    }
    known = Settlement.objects.filter(network=network, transaction_hash__in={k[0] for k in rows})
    for row in known:
        rows.pop((row.transaction_hash, row.log_index), None)
    Settlement.objects.bulk_create(rows.values(), ignore_conflicts=True)
    for provider in {row.provider for row in rows.values()}:
        oldest = min(row.block_number for row in rows.values() if row.provider == provider)
        mine = Settlement.objects.filter(wallet=wallet, network=network, provider=provider)
        with transaction.atomic():
            Wallet.objects.select_for_update().get(pk=wallet.pk)
            _unpay(mine.filter(block_number__gte=oldest))
            match(wallet, network, provider)


def _settlement(wallet: Wallet, network: str, step: AccountEvent) -> Settlement:
    return Settlement(
        wallet=wallet,
        network=network,
        provider=step.provider,
        transaction_hash=step.transaction_hash,
        log_index=step.log_index,
        block_number=step.block_number,
        block_hash=step.block_hash,
        status=step.status,
        amount=step.amount,
        unsettled_amount=step.unsettled_amount,
        balance_after=step.balance,
        settled_at=step.happened_at,
    )


@transaction.atomic
def match(wallet: Wallet, network: str, provider: str) -> None:
    """Pay unsettled usage from settlements that are not explained in full yet, oldest first."""
    Wallet.objects.select_for_update().get(pk=wallet.pk)
    mine = {"wallet": wallet, "network": network, "provider": provider}
    unpaid = Usage.objects.filter(**mine, settlement=None).order_by("happened_at", "pk")
    oldest = unpaid.first()
    if oldest is None:
        return
    rows = Settlement.objects.filter(
        **mine, matched__lt=F("amount"), settled_at__gte=oldest.happened_at - RECORDED_LATE
    )
    for settlement in rows.order_by("block_number", "log_index"):
        _pay(settlement, unpaid)


def _pay(settlement: Settlement, unpaid: QuerySet[Usage]) -> None:
    rest = settlement.amount - settlement.matched
    used = list(unpaid.filter(happened_at__lte=settlement.settled_at + RECORDED_LATE))
    paid = _whole(used, rest)
    rest -= sum(usage.unpaid for usage in paid)
    parts = [(usage, usage.unpaid) for usage in paid]
    partly = next((usage for usage in used if usage not in paid), None)
    if settlement.status == Status.PARTIAL and rest and partly:
        parts.append((partly, min(rest, partly.unpaid)))
        rest -= parts[-1][1]
    if not parts:
        return
    payments = [Payment(settlement=settlement, usage=u, amount=amount) for u, amount in parts]
    Payment.objects.bulk_create(payments, batch_size=100)
    for usage, amount in parts:
        usage.paid += amount
        usage.settlement = settlement if not usage.unpaid else None
    Usage.objects.bulk_update([u for u, _ in parts], ["paid", "settlement"], batch_size=100)
    settlement.matched = settlement.amount - rest
    settlement.save(update_fields=["matched"])


def _whole(used: Sequence[Usage], amount: int) -> list[Usage]:
    """The oldest of `used` whose whole fees fit into `amount`.

    A provider's order may differ from ours by a request: where another one in place of the
    youngest makes up the amount exactly, it is taken.
    """
    fitting: list[Usage] = []
    passed: list[Usage] = []
    for usage in used:
        is_fitting = usage.unpaid <= amount
        (fitting if is_fitting else passed).append(usage)
        amount -= usage.unpaid if is_fitting else 0
    by_fee = {usage.unpaid: usage for usage in reversed(passed)}
    for usage in reversed(fitting) if amount else ():
        if other := by_fee.get(usage.unpaid + amount):
            return [one for one in fitting if one is not usage] + [other]
    return fitting


@transaction.atomic
def undo_above(network: str, block_number: int) -> None:
    """Forget settlements above a block that the chain replaced; their usage is unpaid again."""
    gone = Settlement.objects.filter(network=network, block_number__gt=block_number)
    list(Wallet.objects.select_for_update().filter(pk__in=gone.values("wallet")))
    _unpay(gone)
    gone.delete()


def _unpay(rows: QuerySet[Settlement]) -> None:
    """Let settlements have paid nothing: their usage is unpaid again."""
    for payment in Payment.objects.filter(settlement__in=rows):
        usage = Usage.objects.get(pk=payment.usage_id)
        usage.paid -= payment.amount
        usage.settlement = None
        usage.save(update_fields=["paid", "settlement"])
        payment.delete()
    rows.exclude(matched=0).update(matched=0)
