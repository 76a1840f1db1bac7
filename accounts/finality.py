"""From which block on the chain is taken at its word."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.utils import timezone

from zgcompute.networks import Network
from zgcompute.types import Block

IDLE = timedelta(seconds=30)  # a local chain that made no block for so long waits for a transaction


def final_block(head: Block, network: Network) -> int:
    """The newest block with enough on top of it, where `head` is the latest of `network`.

    A local chain may make blocks for transactions only: while it rests, nothing but its owner
    replaces its head, and nothing else would ever come on top of it.
    """
    if network.local and timezone.now() - datetime.fromtimestamp(head.timestamp, tz=UTC) > IDLE:
        return head.number
    return head.number - settings.CONFIRMATIONS
