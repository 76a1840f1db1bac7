"""What the workers do for this app: shells over functions that need no worker.

None of them retries: the timetable comes round again within seconds, and what went wrong is
recorded where the pages show it.
"""

from __future__ import annotations

import logging

from celery import shared_task
from django.db import transaction
from kombu.exceptions import OperationalError

from marketplace import catalog, health, mirror, reporting, rollup, verifying
from marketplace.leases import lease
from marketplace.network import chain, served

_log = logging.getLogger(__name__)


@shared_task
def watch_block(network: str) -> None:
    """Read the latest block and the contracts' rules."""
    with lease(f"watch_block {network}", seconds=60) as mine:
        if mine:
            mirror.watch_block(chain(network), network)


@shared_task
def sync_services(network: str) -> None:
    """Bring the catalog up to date."""
    with lease(f"sync_services {network}", seconds=180) as mine:
        if mine:
            catalog.sync(chain(network), network)


@shared_task
def probe_services(network: str) -> None:
    """Ask every provider whether it is there, and bring the figures made of it up to date."""
    with lease(f"probe_services {network}", seconds=600) as mine:
        if mine:
            health.probe_services(served()[network])
            rollup.refresh(network)


@shared_task
def read_reports(network: str) -> None:
    """Read what the network's own status service reports, where it has one."""
    with lease(f"read_reports {network}", seconds=120) as mine:
        if mine:
            reporting.refresh(served()[network])


@shared_task
def verify_waiting(network: str) -> None:
    """Run the verifications of providers that somebody asked for."""
    with lease(f"verify_waiting {network}", seconds=600) as mine:
        if mine:
            verifying.run_waiting(served()[network])


def verify_later(network: str) -> None:
    """Ask for a look at once; where the queue is down, the timetable's next sweep does the work."""

    def ask() -> None:
        try:
            verify_waiting.delay(network)
        except OperationalError as error:
            _log.warning("The queue did not take a task: %s", error)

    transaction.on_commit(ask)
