"""What the workers do for this app: shells over functions that need no worker.

None of them retries: the timetable comes round again within seconds, and what went wrong is
recorded where the pages show it.
"""

from __future__ import annotations

from celery import shared_task

from marketplace import catalog, health, mirror, rollup
from marketplace.leases import lease
from marketplace.network import chain, served


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
