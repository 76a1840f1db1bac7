"""Deposit and transfer in one confirmation, for wallets that can (EIP-5792, wallet_sendCalls).

The wallet carries both calls in one transaction of its own making, or none of them. Who sends that
transaction, and to whom, is the wallet's affair, so it cannot be compared with what was prepared as
a plain one is. It counts only if its data carries every prepared call as it is (target, value and
calldata) and its events show the transfer; otherwise it is not taken for the batch.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from datetime import timedelta

from django.db.models import QuerySet
from django.db.transaction import atomic
from django.utils import timezone

from accounts import transactions
from accounts.models import SubAccount, Transaction, Wallet
from accounts.outcomes import HASH
from accounts.rules import Refused, available_now, ledger_of, require_positive, rules_of
from zgcompute.addresses import checksum, same
from zgcompute.amounts import exact
from zgcompute.chain import Chain
from zgcompute.networks import Network
from zgcompute.types import Event, Receipt
from zgcompute.types import Transaction as Seen

TIME_TO_REPORT = timedelta(days=1)  # for the page to say which transaction a batch became
MAX_ID = 8194  # EIP-5792: at most 4096 bytes as hex
_State = Transaction.State
_log = logging.getLogger(__name__)


@atomic
def prepare(wallet: Wallet, network: Network, provider: str, amount: int) -> uuid.UUID:
    """Prepare locking `amount` neuron with `provider` and depositing first what is missing.

    Returns the batch's key; raises Refused where a rule of either call would be broken.
    """
    require_positive(amount)
    missing = _missing(wallet, network, checksum(provider), amount)
    deposit = transactions.prepare_deposit(wallet, network, missing)
    transfer = transactions.prepare_transfer(wallet, network, provider, amount, coming=missing)
    key = uuid.uuid4()
    Transaction.objects.filter(pk__in=(deposit.pk, transfer.pk)).update(batch=key)
    return key


def rows_of(key: uuid.UUID) -> QuerySet[Transaction]:
    """The calls of a batch in the order in which they are carried out."""
    return Transaction.objects.filter(batch=key).order_by("prepared_at")


def record_id(rows: Sequence[Transaction], wallet_id: str) -> None:
    """Note that the wallet took the batch, under the name that it will be asked for."""
    if not 0 < len(wallet_id) <= MAX_ID:
        raise _refusal(rows, "This is no name of a batch.")
    unsent = _same(rows).filter(hash="", batch_id="")
    unsent.update(
        batch_id=wallet_id,
        state=_State.SUBMITTED,
        submitted_at=timezone.now(),
        ended_at=None,
        reason="",
        advice="",
    )


def record_hash(rows: Sequence[Transaction], transaction_hash: str) -> None:
    """Note which transaction the wallet says the batch became; `following` checks it."""
    normal = transaction_hash.lower()
    if not HASH.fullmatch(normal):
        raise _refusal(rows, "This is not a transaction hash.")
    others = Transaction.objects.filter(wallet=rows[0].wallet, network=rows[0].network, hash=normal)
    if others.exclude(batch=rows[0].batch).exists():
        raise _refusal(rows, "This transaction was reported already, for another call.")
    _same(rows).filter(hash="").update(hash=normal, state=_State.SUBMITTED)
    if _same(rows).exclude(hash=normal).exists():
        raise _refusal(rows, "This batch was reported already, under another hash.")


def record_failure(rows: Sequence[Transaction]) -> None:
    """Note that the wallet gave the batch up: it never reached the chain."""
    given_up = _same(rows).filter(hash="", state=_State.SUBMITTED)
    given_up.update(
        state=_State.DROPPED,
        reason="Your wallet says that it could not send the batch.",
        advice="Nothing was moved. Try it with two confirmations.",
        ended_at=timezone.now(),
    )


def give_up_unreported(network: str) -> None:
    """End batches of which the page never said what they became."""
    silent = Transaction.objects.filter(
        network=network,
        state=_State.SUBMITTED,
        hash="",
        submitted_at__lt=timezone.now() - TIME_TO_REPORT,
    )
    silent.update(
        state=_State.DROPPED,
        reason="Your wallet did not say which transaction the batch became.",
        advice="The balances shown are what counts.",
        ended_at=timezone.now(),
    )


def difference(row: Transaction, seen: Seen) -> str:
    """Why that transaction does not carry the batch of `row`; "" if it carries every call."""
    carried = seen.data.lower()
    for call in rows_of(_key(row)):
        parts = (call.to[2:], call.data[2:], f"{int(call.value):064x}" if call.value else "")
        if not all(part.lower() in carried for part in parts):
            return f"That transaction does not carry the prepared call {call.function}."
    return ""


def is_carried_out(chain: Chain, row: Transaction, receipt: Receipt) -> bool:
    """Whether the transaction's own events show the transfer of the batch."""
    transfer = rows_of(_key(row)).exclude(provider="").get()
    events = chain.events(receipt.block_number, receipt.block_number)
    return any(_shows(event, transfer, receipt) for event in events)


def _missing(wallet: Wallet, network: Network, provider: str, amount: int) -> int:
    """Neuron that have to be deposited before the transfer; the first deposit has a minimum."""
    state, ledger = rules_of(network), ledger_of(wallet, network)
    found = SubAccount.objects.filter(wallet=wallet, network=network.slug, provider=provider)
    pending = found.first()
    cancelled = min(amount, pending.pending_refund if pending else 0)
    missing = amount - cancelled - available_now(wallet, network.slug, ledger)
    if not ledger.exists:
        return max(missing, state.min_account_balance or 0)
    if missing <= 0:
        raise Refused(
            f"Your ledger has enough for {exact(amount)} 0G: no deposit is needed.",
            advice="Review the transfer alone.",
        )
    return missing


def _same(rows: Sequence[Transaction]) -> QuerySet[Transaction]:
    return Transaction.objects.filter(pk__in=[row.pk for row in rows])


def _refusal(rows: Sequence[Transaction], reason: str) -> Refused:
    _log.warning("Refused a report for batch %s of %s: %s", rows[0].batch, rows[0].wallet, reason)
    return Refused(reason, advice="Look into your wallet's history for what it sent.")


def _key(row: Transaction) -> uuid.UUID:
    assert row.batch is not None
    return row.batch


def _shows(event: Event, transfer: Transaction, receipt: Receipt) -> bool:
    return (
        event.transaction_hash == receipt.hash
        and event.name == "BalanceUpdated"
        and same(event.arguments["user"], transfer.wallet.address)
        and same(event.arguments["provider"], transfer.provider)
    )
