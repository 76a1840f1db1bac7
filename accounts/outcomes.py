"""What the page reports of a prepared transaction: the hash it was sent as, or that it was not.

Reports, sweeps and clicks may come at the same time: each changes only what the others left.
"""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from datetime import timedelta

from django.db import IntegrityError, models
from django.db.transaction import atomic
from django.utils import timezone

from accounts.models import Transaction
from accounts.transactions import Refused

TIME_TO_ANSWER = timedelta(hours=1)  # a prepared call that nobody answered expires
HASH = re.compile(r"0x[0-9a-fA-F]{64}", re.ASCII)
_State = Transaction.State
_log = logging.getLogger(__name__)


def record_hash(transaction: Transaction, transaction_hash: str) -> Transaction:
    """Note that the wallet sent `transaction` as that hash; noting it again changes nothing.

    Whether the hash really is this call is for the chain to show: see `accounts.following`.
    Raises Refused for what is no hash, or another one than noted before.
    """
    if transaction.batch is not None:
        raise _refusal(transaction, "This call is part of a batch.")
    if not HASH.fullmatch(transaction_hash):
        raise _refusal(transaction, "This is not a transaction hash.")
    normal = transaction_hash.lower()
    _note_hash(transaction, normal)
    transaction.refresh_from_db()
    if transaction.hash != normal:
        raise _refusal(
            transaction, "This transaction was reported already, under another hash or name."
        )
    return transaction


def record_rejection(transaction: Transaction) -> Transaction:
    """Note that the person declined in the wallet; a call that was sent stays sent."""
    this = Transaction.objects.filter(pk=transaction.pk)
    _end_unsent(this, _State.REJECTED, "You declined it. Nothing was sent.")
    transaction.refresh_from_db()
    return transaction


def expire_unanswered(network: str) -> None:
    """End prepared calls that nobody answered in time."""
    old = Transaction.objects.filter(
        network=network, prepared_at__lt=timezone.now() - TIME_TO_ANSWER
    )
    _end_unsent(old, _State.EXPIRED, "No answer of your wallet reached this site in time.")


def _refusal(transaction: Transaction, reason: str) -> Refused:
    _log.warning(
        "Refused a hash for transaction %s of %s: %s", transaction.pk, transaction.wallet, reason
    )
    return Refused(reason, advice="Look into your wallet's history for what it sent.")


def _note_hash(transaction: Transaction, transaction_hash: str) -> None:
    """Write the hash unless there is one: two reports may arrive at the same time."""
    unreported = Transaction.objects.filter(pk=transaction.pk, hash="")
    with suppress(IntegrityError), atomic():  # another transaction may have that very hash
        unreported.update(
            hash=transaction_hash,
            state=_State.SUBMITTED,
            submitted_at=timezone.now(),
            ended_at=None,
            reason="",
            advice="",
        )


def _end_unsent(rows: models.QuerySet[Transaction], state: Transaction.State, reason: str) -> None:
    """End those that are unsent in the database now: a hash may have come since they were read."""
    unsent = rows.filter(state=_State.PREPARED)
    unsent.update(state=state, reason=reason, advice="", ended_at=timezone.now())
