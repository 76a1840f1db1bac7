"""Booking what moved, so that a wallet's movements always add up to its mirrored balances.

A read of the balances shows by how much they differ from the read before. What the contracts'
events and the followed transactions tell exactly is booked as they tell it. What then remains of
the difference is taken apart by its signs and booked under the height of the read (`seen_block`)
until later evidence takes its place. So the rows end the same in whichever order mirror, events
and transactions come.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from accounts import evidence
from accounts.models import AccountEvent, Ledger, Movement, SubAccount, Transaction, Wallet
from zgcompute import types

ELSEWHERE = ""  # the provider of what is locked with services of another kind than inference
_UNREAD = 2**63 - 1  # the `seen_block` of what a replaced block showed, until the next read
_Kind = Movement.Kind


@dataclass(frozen=True, slots=True)
class Change:
    """A difference of balances in neuron; `locked` by provider."""

    available: int = 0
    locked: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_any(self) -> bool:
        return bool(self.available) or any(self.locked.values())

    def __add__(self, other: Change) -> Change:
        locked = dict(self.locked)
        for provider, change in other.locked.items():
            locked[provider] = locked.get(provider, 0) + change
        return Change(self.available + other.available, locked)

    def __neg__(self) -> Change:
        return Change(-self.available, {name: -change for name, change in self.locked.items()})


def mirrored(ledger: Ledger, sub_accounts: Iterable[SubAccount]) -> Change:
    """The balances as they are mirrored now, as a difference to nothing."""
    locked = {row.provider: int(row.balance) for row in sub_accounts}
    return _levels(int(ledger.available), int(ledger.total), locked)


def read(state: types.WalletState) -> Change:
    """The balances as the chain tells them, as a difference to nothing."""
    locked = {str(account.provider): account.balance for account in state.sub_accounts}
    ledger = state.ledger
    return _levels(ledger.available if ledger else 0, ledger.total if ledger else 0, locked)


def _levels(available: int, total: int, locked: Mapping[str, int]) -> Change:
    elsewhere = total - available - sum(locked.values())
    return Change(available, {**locked, ELSEWHERE: elsewhere})


def book(ledger: Ledger, before: Change, after: Change) -> None:
    """Book the step from `before` to `after`, which the read at `ledger.block_number` showed.

    The caller holds the lock of the ledger's row.
    """
    rows = Movement.objects.filter(wallet=ledger.wallet_id, network=ledger.network)
    is_open = not before.is_any or rows.exists()
    _Book(ledger).write(after + -before if is_open else after)  # the first read opens the books


@transaction.atomic
def explain(wallet: Wallet, network: str) -> None:
    """Let what has become known since the last read take the place of what was inferred."""
    locked = Ledger.objects.select_for_update().filter(wallet=wallet, network=network)
    if (ledger := locked.first()) and ledger.block_number is not None:
        _Book(ledger).write(Change())


def explain_sent(network: str) -> None:
    """Explain the wallets whose transactions were found mined, or mined no longer."""
    wallets = set(evidence.unbooked(network).values_list("wallet", flat=True))
    told = _unsupported(Movement.objects.filter(network=network))
    for wallet in Wallet.objects.filter(
        pk__in=wallets | set(told.values_list("wallet", flat=True))
    ):
        explain(wallet, network)


def take_back(network: str, above: int) -> set[Wallet]:
    """Forget what blocks above `above` told: the chain replaced them. The next read counts anew.

    The sums stay those of the mirrored balances; the affected wallets are returned.
    """
    late = Q(event__block_number__gt=above) | Q(seen_block__gt=above)
    late |= Q(event=None, seen_block=None, block_number__gt=above)
    affected = Movement.objects.filter(late, network=network)
    ledgers = Ledger.objects.select_for_update().filter(network=network).select_related("wallet")
    touched = ledgers.filter(Q(wallet__in=affected.values("wallet")) | Q(block_number__gt=above))
    found = list(touched)
    for ledger in found:
        _Book(ledger).reopen(affected.filter(wallet=ledger.wallet_id))
    Ledger.objects.filter(pk__in=[ledger.pk for ledger in found]).update(block_number=None)
    AccountEvent.objects.filter(network=network, block_number__gt=above).delete()
    return {ledger.wallet for ledger in found}


class _Book:
    """One wallet's movements on one network, while its ledger's row is locked."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.rows = Movement.objects.filter(wallet=ledger.wallet_id, network=ledger.network)
        self._inferred: dict[int, list[Movement]] = {}  # by height of the read
        for row in self.rows.exclude(seen_block=None):
            self._inferred.setdefault(row.seen_block or 0, []).append(row)
        self._rests: dict[int, Change] = {}  # what is to be inferred anew, by height of the read

    def write(self, difference: Change) -> None:
        """Book `difference` and all that has become known since."""
        assert self.ledger.block_number is not None
        news = difference + _pop(self._inferred.pop(_UNREAD, []))
        if news.is_any:
            self._add(self.ledger.block_number, news)
        for row in _unsupported(self.rows):
            self._add(self._shown_at(row.block_number), _pop([row]))
        sent = evidence.sent(self.ledger)
        for fact in (*evidence.of_transactions(sent), *evidence.of_events(self.ledger)):
            self._keep(fact.movement)
            self._add(self._shown_at(fact.block_number), -_change([fact.movement]))
        waiting = evidence.waiting(self.ledger, sent)
        for call in waiting:
            if call.pk not in self._named:
                self._add(self._shown_at(call.block_number), Change())
        for seen_block in sorted(self._rests):
            self._infer(seen_block, waiting)

    def reopen(self, gone: QuerySet[Movement]) -> None:
        """Take `gone` out of the books, and keep what they add up to until the next read."""
        lost = list(gone)
        for rows in self._inferred.values():
            rows[:] = [row for row in rows if row not in lost]
        self._add(_UNREAD, _pop(lost))
        self._infer(_UNREAD, [])

    def _shown_at(self, block_number: int | None) -> int:
        """The height of the first read that can have shown what happened in that block."""
        later = [height for height in self._inferred if height >= (block_number or 0)]
        return min([self.ledger.block_number or 0, *later])

    def _add(self, seen_block: int, change: Change) -> None:
        self._rests[seen_block] = self._rests.get(seen_block, Change()) + change

    def _keep(self, movement: Movement) -> None:
        movement.wallet_id, movement.network = self.ledger.wallet_id, self.ledger.network
        movement.save()

    def _infer(self, seen_block: int, waiting: list[Transaction]) -> None:
        """Replace what was inferred from the read at that height by what is to be inferred now."""
        old = self._inferred.pop(seen_block, [])
        when = min((row.happened_at for row in old), default=timezone.now())
        rows = _apart(self._rests[seen_block] + _pop(old))
        for row in rows:
            row.happened_at, row.seen_block = when, seen_block
        named = self._named
        sent = [call for call in waiting if (call.block_number or 0) <= seen_block]
        sent = [call for call in sent if call.pk not in named]
        for part in [part for row in rows for part in _credited(row, sent)]:
            self._keep(part)
            self._inferred.setdefault(seen_block, []).append(part)

    @property
    def _named(self) -> set[UUID | None]:
        """The transactions that some inferred movement names."""
        return {row.transaction_id for rows in self._inferred.values() for row in rows}


def _unsupported(rows: QuerySet[Movement]) -> QuerySet[Movement]:
    """What transactions told that are mined no longer, or in another block."""
    told = rows.filter(event=None, seen_block=None, transaction__isnull=False)
    return told.exclude(
        transaction__state__in=evidence.MINED, transaction__block_number=F("block_number")
    )


def _pop(rows: list[Movement]) -> Change:
    """Delete the rows, and return what they added up to."""
    found = _change(rows)
    if rows:
        Movement.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return found


def _change(rows: Iterable[Movement]) -> Change:
    total = Change()
    for row in rows:
        total += Change(row.available_change, {row.provider: row.locked_change})
    return total


def _apart(change: Change) -> list[Movement]:
    """The fewest movements that make up `change`.

    More with a provider was transferred. Less with a provider came back as far as the ledger
    received something; else it was settled. What the providers do not explain is the wallet's.
    """
    rows, available = [], change.available
    for provider, locked in sorted(change.locked.items()):
        if locked > 0:
            rows.append(_row(_Kind.TRANSFER, locked, provider))
            available += locked
    for provider, locked in sorted(change.locked.items()):
        returned = min(max(available, 0), max(-locked, 0))
        rows += [_row(_Kind.RETURN, returned, provider)] if returned else []
        settled = max(-locked, 0) - returned
        rows += [_row(_Kind.SETTLEMENT, settled, provider)] if settled else []
        available -= returned
    if available:
        rows.append(_row(_Kind.DEPOSIT if available > 0 else _Kind.WITHDRAWAL, abs(available)))
    return rows


def _row(kind: Movement.Kind, amount: int, provider: str = "") -> Movement:
    return Movement(kind=kind, source=Movement.Source.LEVEL, amount=amount, provider=provider)


def _credited(row: Movement, sent: list[Transaction]) -> list[Movement]:
    """The row in parts: what followed transactions of its kind explain, then what is left."""
    parts: list[Movement] = []
    for call in [call for call in sent if evidence.may_explain(call, row.kind, row.provider)]:
        amount = min(int(row.amount), evidence.most(call, row.kind))
        if not amount:
            continue
        sent.remove(call)
        part = _row(_Kind(row.kind), amount, row.provider)
        part.source, part.transaction = Movement.Source.TRANSACTION, call
        part.transaction_hash, part.block_number = call.hash, call.block_number
        part.happened_at, part.seen_block = _when(call, row.happened_at), row.seen_block
        parts.append(part)
        row.amount = int(row.amount) - amount
    return [*parts, row] if int(row.amount) else parts


def _when(call: Transaction, otherwise: datetime) -> datetime:
    return call.submitted_at or otherwise
