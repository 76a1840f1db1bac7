"""What is known exactly of a wallet's movements: from the contracts' events and transactions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from accounts import settlements
from accounts.models import AccountEvent, Ledger, Movement, Settlement, Transaction
from marketplace.models import NetworkState

MINED = (Transaction.State.MINED, Transaction.State.CONFIRMED)
_DEPOSITS = ("depositFund", "addLedger")
_WITHDRAWALS = ("refund",)
_TOLD_BY_EVENTS = ("transferFund", "retrieveFund")
_Kind = Movement.Kind


@dataclass(frozen=True, slots=True)
class Fact:
    """A movement, not yet stored, that is known exactly, and the block that it happened in."""

    movement: Movement
    block_number: int


def sent(ledger: Ledger) -> list[Transaction]:
    """Mined transactions that moved the wallet's money and that no exact movement names yet."""
    exact = Movement.objects.filter(transaction=OuterRef("pk"), seen_block=None)
    functions = (*_DEPOSITS, *_WITHDRAWALS, *_TOLD_BY_EVENTS)
    calls = Transaction.objects.filter(
        wallet=ledger.wallet_id,
        network=ledger.network,
        function__in=functions,
        state__in=MINED,
        block_number__lte=ledger.block_number,
    ).filter(~Exists(exact))
    return list(calls.order_by("block_number", "nonce"))


def waiting(ledger: Ledger, calls: Iterable[Transaction]) -> list[Transaction]:
    """Of `calls` those that only events explain exactly, and whose events have not been read.

    The movements of those whose events have been read get to know their transaction.
    """
    asked = {call.hash: call for call in calls if call.function in _TOLD_BY_EVENTS}
    if not asked:
        return []
    _credit(ledger, asked)
    read = _events(ledger).filter(transaction_hash__in=asked).values_list("transaction_hash")
    known = {row[0] for row in read}
    return [call for call in asked.values() if call.hash not in known]


def unbooked(network: str) -> QuerySet[Transaction]:
    """Mined transactions of all wallets that moved money and that no movement names yet."""
    calls = Transaction.objects.filter(network=network, state__in=MINED, movements=None)
    read = AccountEvent.objects.filter(network=network, transaction_hash=OuterRef("hash"))
    told = Q(function__in=_TOLD_BY_EVENTS) & ~Exists(read)
    return calls.filter(told | Q(function__in=(*_DEPOSITS, *_WITHDRAWALS)))


def may_explain(call: Transaction, kind: str, provider: str) -> bool:
    """Whether that transaction can have made an inferred movement of `kind`."""
    function = {_Kind.TRANSFER: "transferFund", _Kind.RETURN: "retrieveFund"}.get(_Kind(kind))
    return call.function == function and call.provider in (provider, "")


def most(call: Transaction, kind: str) -> int:
    """Neuron that the transaction can have moved at most: a retrieval all that was payable."""
    return int(call.amount) if kind == _Kind.TRANSFER else 2**256


def of_transactions(calls: Iterable[Transaction]) -> Iterator[Fact]:
    """Deposits and withdrawals: the contracts emit nothing, the transactions say it all."""
    for call in calls:
        is_deposit = call.function in _DEPOSITS
        amount = int(call.value if is_deposit else call.amount)
        if call.function in _TOLD_BY_EVENTS or not amount or call.block_number is None:
            continue
        movement = Movement(
            kind=_Kind.DEPOSIT if is_deposit else _Kind.WITHDRAWAL,
            source=Movement.Source.TRANSACTION,
            amount=amount,
            transaction=call,
            transaction_hash=call.hash,
            block_number=call.block_number,
            happened_at=call.submitted_at or timezone.now(),
        )
        yield Fact(movement, call.block_number)


def of_events(ledger: Ledger) -> Iterator[Fact]:
    """What the contracts' events tell of the blocks up to the last read, and is not booked yet.

    Their amounts are levels: each is compared with the level before it.
    """
    new = _events(ledger).filter(is_booked=False, block_number__lte=ledger.block_number)
    by_provider: dict[str, list[AccountEvent]] = {}
    for event in new:
        by_provider.setdefault(event.provider, []).append(event)
    for provider, events in by_provider.items():
        settlements.adopt(ledger.wallet, ledger.network, events)
        yield from _steps(ledger, provider, events)


def _steps(ledger: Ledger, provider: str, new: list[AccountEvent]) -> Iterator[Fact]:
    """The movements that `new` events with a provider tell; they are marked as booked."""
    unbooked, told = {event.pk for event in new}, []
    level = _level_before(ledger, new[0])
    for event in _events(ledger).filter(_from(new[0]), provider=provider).iterator():
        if event.pk in unbooked:
            unbooked.discard(event.pk)
            if event.kind == AccountEvent.Kind.SETTLEMENT or level is not None:
                told.append(event.pk)
                yield from _fact(ledger, event, level or 0)
        level = _level_after(event, level)
        if not unbooked:
            break
    AccountEvent.objects.filter(pk__in=told).update(is_booked=True)


def _from(event: AccountEvent) -> Q:
    later = Q(block_number=event.block_number, log_index__gte=event.log_index)
    return later | Q(block_number__gt=event.block_number)


def _level_before(ledger: Ledger, event: AccountEvent) -> int | None:
    """What was locked before the event; None while the events before it have not been read."""
    earlier = _events(ledger).filter(~_from(event), provider=event.provider)
    known = earlier.exclude(balance=None, kind=AccountEvent.Kind.SETTLEMENT).last()
    if known is not None:
        return _level_after(known, None)
    return 0 if NetworkState.look(ledger.network).is_history_complete else None


def _level_after(event: AccountEvent, before: int | None) -> int | None:
    if event.kind == AccountEvent.Kind.DELETION:
        return 0
    return before if event.balance is None else int(event.balance)


def _fact(ledger: Ledger, event: AccountEvent, before: int) -> Iterator[Fact]:
    is_settlement = event.kind == AccountEvent.Kind.SETTLEMENT
    after = _level_after(event, before) or 0
    change = -int(event.amount) if is_settlement else after - before
    if not change:
        return
    movement = Movement(
        provider=event.provider,
        kind=_Kind.TRANSFER if change > 0 else _Kind.RETURN,
        source=Movement.Source.EVENT,
        amount=abs(change),
        event=event,
        transaction_hash=event.transaction_hash,
        block_number=event.block_number,
        happened_at=event.happened_at,
    )
    if is_settlement:
        movement.kind = _Kind.SETTLEMENT
        movement.settlement = Settlement.objects.filter(
            network=ledger.network,
            transaction_hash=event.transaction_hash,
            log_index=event.log_index,
        ).first()
    yield Fact(movement, event.block_number)


def _credit(ledger: Ledger, calls: Mapping[str, Transaction]) -> None:
    told = Movement.objects.filter(
        wallet=ledger.wallet_id, network=ledger.network, transaction=None
    )
    for movement in told.filter(transaction_hash__in=calls).exclude(kind=_Kind.SETTLEMENT):
        movement.transaction = calls[movement.transaction_hash]
        movement.source = Movement.Source.TRANSACTION
        movement.save(update_fields=["transaction", "source"])


def _events(ledger: Ledger) -> QuerySet[AccountEvent]:
    return AccountEvent.objects.filter(network=ledger.network, user=ledger.wallet.address)
