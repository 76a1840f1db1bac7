"""Following what wallets sent until each transaction has a stated end, in one batch per sweep."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from accounts import batches, refresh
from accounts.finality import final_block
from accounts.models import Transaction
from accounts.outcomes import expire_unanswered
from marketplace.models import NetworkState
from zgcompute.addresses import same
from zgcompute.calls import arguments_of
from zgcompute.chain import Chain
from zgcompute.errors import TransactionReverted
from zgcompute.networks import Network
from zgcompute.types import Address, Block, Receipt, UnsignedCall
from zgcompute.types import Transaction as Seen

UNSEEN_GRACE = timedelta(seconds=20)  # nodes behind one URL are not always equally far
UNSEEN_LIMIT = timedelta(minutes=10)
LAST_WORD = timedelta(days=1)  # how long the chain may still show a doubtful end to be another
_State = Transaction.State
_log = logging.getLogger(__name__)


def follow(chain: Chain, network: Network) -> None:
    """Bring all open transactions of `network` up to date, and the balances they changed.

    Balances are read before a transaction is called mined, so that whoever sees the one sees the
    other. Raises ChainError where the chain cannot be read: nothing is changed then.
    """
    expire_unanswered(network.slug)
    batches.give_up_unreported(network.slug)
    rows = _followed(network.slug)
    if not rows:
        return
    hashes = [row.hash for row in rows]
    seen, receipts, head = chain.transactions(hashes), chain.receipts(hashes), chain.block()
    refresh.mirror(
        chain, network, {row.wallet for row in rows if _is_news(row, receipts[row.hash])}
    )
    ended = {
        row.wallet for row in rows if _advance(chain, row, seen[row.hash], receipts[row.hash], head)
    }
    refresh.mirror(chain, network, ended)


def rehearse(chain: Chain, row: Transaction) -> None:
    """Note on a prepared transaction its estimated fee, or why the contract would refuse it."""
    call = UnsignedCall(
        chain.network.chain_id,
        Address(row.to),
        row.data,
        row.value,
        row.function,
        arguments_of(row.data),  # the ledger hides some reasons, and these help to find them
    )
    prepared = Transaction.objects.filter(pk=row.pk, state=_State.PREPARED)
    try:
        prepared.update(fee_estimate=chain.estimate_fee(call, row.wallet.address))
    except TransactionReverted as error:
        prepared.update(reason=f"The contract would refuse this now: {error}", advice=error.advice)


def _is_news(row: Transaction, receipt: Receipt | None) -> bool:
    return receipt is not None and row.block_hash != receipt.block_hash


def _followed(network: str) -> list[Transaction]:
    """What is on its way, and what ended lately but not for good: the chain has the last word."""
    on_its_way = Q(state__in=(*Transaction.UNMINED, _State.MINED))
    doubtful = Q(state__in=Transaction.DOUBTFUL, ended_at__gt=timezone.now() - LAST_WORD)
    rows = Transaction.objects.filter(on_its_way | doubtful, network=network).exclude(hash="")
    return list(rows.select_related("wallet"))


def _advance(
    chain: Chain, row: Transaction, seen: Seen | None, receipt: Receipt | None, head: Block
) -> bool:
    """Move one transaction on; tell whether it changed balances in a way not read before."""
    if seen is None:
        return row.state not in Transaction.DOUBTFUL and _unseen(chain, row)
    if row.state == _State.REVERTED and not _is_news(row, receipt):
        return False
    if row.nonce is None and (difference := _difference(row, seen) or _age(chain, row, receipt)):
        _log.warning(
            "Hash %s is not transaction %s of %s: %s", row.hash, row.pk, row.wallet, difference
        )
        row.end(_State.MISMATCHED, difference, "Look into your wallet's history for what it sent.")
        return False
    row.seen_at = timezone.now()
    if same(seen.sender, row.wallet.address):  # a batch may be sent by somebody else's account
        row.nonce = seen.nonce
    row.reason, row.advice, row.ended_at = "", "", None
    if receipt is None:
        return _back_to_waiting(row)
    if not receipt.succeeded:
        return _reverted(chain, row, receipt)
    return _mined(chain, row, receipt, head)


def _difference(row: Transaction, seen: Seen) -> str:
    """What of the transaction on chain is not as it was prepared; "" if all is."""
    if row.batch is not None:
        return batches.difference(row, seen)
    if not same(seen.sender, row.wallet.address):
        return f"That transaction was sent by {seen.sender}, not by your wallet."
    if seen.to is None or not same(seen.to, row.to):
        return f"That transaction goes to {seen.to or 'a new contract'}, not to {row.to}."
    if seen.value != row.value:
        return "That transaction sends another amount than was prepared."
    if seen.data.lower() != row.data.lower():
        return "That transaction makes another call than was prepared."
    return ""


def _age(chain: Chain, row: Transaction, receipt: Receipt | None) -> str:
    """Why it cannot be what was prepared here: it was mined before; "" where it may be.

    The block's number alone would not do: a chain that was reorganised meanwhile is lower.
    """
    if receipt is None or row.prepared_block is None or receipt.block_number > row.prepared_block:
        return ""
    mined_at = datetime.fromtimestamp(chain.block(receipt.block_number).timestamp, tz=UTC)
    if mined_at > row.prepared_at + NetworkState.of(row.network).ahead:
        return ""
    return "That transaction is an older one: it was mined before this call was prepared."


def _back_to_waiting(row: Transaction) -> bool:
    """Seen, not mined: newly, still, or again after the chain replaced the block it was in."""
    was_mined = row.state == _State.MINED
    row.state = _State.REQUEUED if was_mined or row.state == _State.REQUEUED else _State.SENT
    row.block_number, row.block_hash, row.confirmations = None, "", 0
    row.save()
    if was_mined:
        refresh.rewind(row.wallet, row.network)
    return was_mined


def _mined(chain: Chain, row: Transaction, receipt: Receipt, head: Block) -> bool:
    is_doubted = row.batch is not None and _is_news(row, receipt)
    _note_block(row, receipt)
    if is_doubted and not batches.is_carried_out(chain, row, receipt):
        row.end(
            _State.MISMATCHED,
            "That transaction carries the batch, but the chain shows no transfer of yours in it.",
            "Look into your wallet's history for what it sent. The balances are what counts.",
        )
        return False
    row.confirmations = max(0, head.number - receipt.block_number)
    row.state = _State.MINED
    if receipt.block_number <= final_block(head, chain.network):
        row.end(_State.CONFIRMED)
    else:
        row.save()
    return False


def _reverted(chain: Chain, row: Transaction, receipt: Receipt) -> bool:
    _note_block(row, receipt)
    reason = chain.revert_reason(row.hash)
    if reason is None:
        row.end(_State.REVERTED, "The contract refused it without giving a reason.")
    else:
        row.end(_State.REVERTED, str(reason), reason.advice)
    return False


def _note_block(row: Transaction, receipt: Receipt) -> None:
    row.block_number, row.block_hash = receipt.block_number, receipt.block_hash
    if row.batch is None or row.is_followed_by_transfer:  # a batch pays once
        row.network_fee = receipt.network_fee


def _unseen(chain: Chain, row: Transaction) -> bool:
    """The chain does not know the hash: too early, replaced, dropped, or lost with its block."""
    now = timezone.now()
    unseen_for = now - _last_sign(row, now)
    if row.nonce is not None and unseen_for > UNSEEN_GRACE and _is_passed(chain, row):
        row.end(
            _State.REPLACED,
            "Another transaction with the same number was mined in its place: it was sped up or "
            "cancelled in the wallet. The balances shown are what counts.",
        )
        return True
    if unseen_for > UNSEEN_LIMIT:
        row.end(
            _State.DROPPED,
            "The chain has not shown it for ten minutes. If you sped it up or cancelled it in "
            "the wallet, the wallet's history has its successor.",
            "Check your balances before you send it again.",
        )
        return True
    return _back_to_waiting(row) if row.state == _State.MINED else False


def _last_sign(row: Transaction, now: datetime) -> datetime:
    return row.seen_at or row.submitted_at or now


def _is_passed(chain: Chain, row: Transaction) -> bool:
    assert row.nonce is not None
    return chain.transaction_count(row.wallet.address) > row.nonce
