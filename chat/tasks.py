"""What the workers do for this app."""

from __future__ import annotations

from celery import shared_task

from chat import imported_proof, receipts, shelf, transitions
from marketplace.leases import lease


@shared_task
def close_lost_streams(network: str) -> None:
    """End the running answers that no engine works on any more."""
    transitions.interrupt_lost(network)


@shared_task
def check_answers(network: str) -> None:
    """Look again for signatures that were missing, and judge what imports have left."""
    with lease(f"check_answers {network}", seconds=600) as mine:
        if mine:
            receipts.check_due(network)
            imported_proof.judge_waiting(network)


@shared_task
def purge_deleted(network: str) -> None:
    """Delete for good the conversations that were deleted long enough ago."""
    shelf.purge(network)
