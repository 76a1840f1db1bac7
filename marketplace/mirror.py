"""Keeping what we know of a network itself fresh: its latest block and its contracts' rules."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

from marketplace.models import NetworkState
from zgcompute.chain import Chain
from zgcompute.errors import Error

RULES_AGE = timedelta(minutes=10)  # constants are read again after this long


def watch_block(chain: Chain, network: str) -> bool:
    """Read the latest block and, now and then, the rules; tell whether the chain answered.

    A failure is remembered, with its reason, where every page can see it.
    """
    state = NetworkState.of(network)
    now = timezone.now()
    try:
        block = chain.block()
        if _rules_are_due(state, now):
            state.record_rules(chain.contracts(), chain.constants(), now)
    except Error as error:
        state.record_problem(str(error))
        return False
    state.record_block(block, now)
    return True


def _rules_are_due(state: NetworkState, now: datetime) -> bool:
    return state.rules_at is None or now - state.rules_at >= RULES_AGE
