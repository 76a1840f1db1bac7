"""What the workers do for this app: shells over functions that need no worker.

Sweeps do not retry, the timetable comes round again within seconds; what was asked for once is
retried where its error may pass. What went wrong is recorded where the pages show it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

from celery import shared_task
from django.db import transaction
from kombu.exceptions import OperationalError

from accounts import booking, events, following, refresh
from accounts.models import Transaction, Wallet
from marketplace.leases import lease
from marketplace.models import NetworkState
from marketplace.network import chain, served
from zgcompute.errors import Error, Transient

_log = logging.getLogger(__name__)


@shared_task
def follow_transactions(network: str) -> None:
    """See how far the transactions that wallets sent have come."""
    with _alone("follow_transactions", network) as mine:
        if mine:
            following.follow(chain(network), served()[network])
            booking.explain_sent(network)


@shared_task
def read_events(network: str) -> None:
    """Read new events; wallets that they name are refreshed at once."""
    with _alone("read_events", network) as mine:
        if mine:
            named = events.read_events(chain(network), served()[network])
            refresh.refresh(chain(network), served()[network], named)


@shared_task
def read_past_events(network: str) -> None:
    """Read on into the past, until the contracts' first block."""
    with _alone("read_past_events", network) as mine:
        if mine:
            events.read_past_events(chain(network), served()[network])


@shared_task
def refresh_active_wallets(network: str) -> None:
    """Keep the balances fresh of everybody who is here."""
    with _alone("refresh_active_wallets", network) as mine:
        if mine:
            refresh.refresh(chain(network), served()[network], refresh.active_wallets())


@shared_task(autoretry_for=(Transient,), retry_backoff=True, max_retries=5)
def refresh_wallet(wallet_id: int, network: str) -> None:
    """Refresh one wallet now."""
    wallets = Wallet.objects.filter(pk=wallet_id)
    refresh.refresh(chain(network), served()[network], wallets)


@shared_task(autoretry_for=(Transient,), retry_backoff=True, max_retries=3)
def rehearse(transaction_id: str) -> None:
    """Estimate what a prepared transaction will cost, and whether the contract would refuse it."""
    row = Transaction.objects.select_related("wallet").get(pk=transaction_id)
    following.rehearse(chain(row.network), row)


def rehearse_later(transaction_id: UUID) -> None:
    """Ask for a rehearsal of a transaction that was just prepared."""
    _later(lambda: rehearse.delay(str(transaction_id)))


def refresh_wallet_later(wallet_id: int, network: str) -> None:
    """Ask for a refresh of one wallet as soon as what was written is visible."""
    _later(lambda: refresh_wallet.delay(wallet_id, network))


def follow_later(network: str) -> None:
    """Ask for a look at the chain now instead of at the next sweep."""
    _later(lambda: follow_transactions.delay(network))


def _later(enqueue: Callable[[], object]) -> None:
    """The queue is only a hint: where it is down, the timetable's next sweep does the work."""

    def ask() -> None:
        try:
            enqueue()
        except OperationalError as error:
            _log.warning("The queue did not take a task: %s", error)

    transaction.on_commit(ask)


@contextmanager
def _alone(task: str, network: str) -> Iterator[bool]:
    """Let one worker at a time through, and record what the chain refused."""
    with lease(f"{task} {network}", seconds=120) as mine:
        try:
            yield mine
        except Error as error:
            _log.warning("%s of %s: %s", task, network, error)
            NetworkState.of(network).record_problem(str(error))
