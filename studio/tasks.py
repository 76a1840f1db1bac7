"""What the workers do for this app."""

from __future__ import annotations

from celery import shared_task

from marketplace.leases import lease
from studio import proofs, transitions, working


@shared_task
def close_lost_works(network: str) -> None:
    """Look after the jobs that lost their engine, and end the works that nobody works on."""
    working.resume_lost(network)
    transitions.interrupt_lost(network)


@shared_task
def check_works(network: str) -> None:
    """Look again for signatures that were missing."""
    with lease(f"check_works {network}", seconds=600) as mine:
        if mine:
            proofs.check_due(network)
