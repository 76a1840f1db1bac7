"""Reading the contracts' events block by block: each range once, none left out, none twice.

What is read is one stretch of blocks without a gap. It grows upwards, a few blocks behind the
head, and, where it did not begin at the contracts' first block, downwards until it reaches it.
A range, what it says and the cursor behind it are written in one database transaction, so a
process may be killed anywhere. Where the chain replaced blocks that something rests on, everything
above the last common block is taken back and read again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from django.db import transaction

from marketplace import forks
from marketplace.models import NetworkState
from zgcompute.chain import Chain
from zgcompute.errors import RpcRefused, RpcUnreachable
from zgcompute.networks import Network
from zgcompute.types import Block, Event

BLOCKS_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Reading:
    """The events of a stretch of blocks in log order, and the headers of the blocks they are in."""

    chain: Chain
    network: str
    events: Sequence[Event]
    blocks: Mapping[int, Block]

    def time_of(self, event: Event) -> int:
        """Unix seconds of the event's block."""
        return self.blocks[event.block_number].timestamp


class Reader(Protocol):
    """Something that keeps what events tell."""

    def prepare(self, reading: Reading) -> None:
        """Ask the chain for whatever the events do not say; writes nothing."""

    def record(self, reading: Reading) -> None:
        """Write what the events tell; the same range may come twice, and counts once."""

    def take_back(self, network: str, above: int) -> None:
        """Forget what blocks above `above` told: the chain replaced them."""


def follow(chain: Chain, network: Network, head: Block, readers: Sequence[Reader]) -> bool:
    """Compare the chain up to `head` with what was read; tell whether something was taken back."""
    common = forks.last_common(chain, network, head)
    if common is None:
        return False
    with transaction.atomic():
        state = _locked(network)
        for reader in readers:
            reader.take_back(network.slug, common)
        forks.forget_above(network.slug, common)
        if state.events_block is not None and state.events_block > common:
            _step_back(state, common)
    return True


def read_new(chain: Chain, network: Network, final: int, readers: Sequence[Reader]) -> bool:
    """Read the next range up to block `final`; tell whether there is more of it.

    Raises ChainError where the chain cannot be read: the cursor stays where it was.
    """
    state = _placed(chain, network, final)
    assert state.events_block is not None
    first, last = state.events_block + 1, min(final, state.events_block + BLOCKS_AT_ONCE)
    if last < first:
        return False
    reading = _read(chain, network, first, last, readers)
    with transaction.atomic():
        state = _locked(network)
        if state.events_block != first - 1:  # another worker was faster, or took something back
            return True
        for reader in readers:
            reader.record(reading)
        state.events_block, state.events_hash = last, reading.blocks[last].hash
        state.save(update_fields=["events_block", "events_hash"])
        forks.keep_end(network.slug, reading.blocks[last])
    return last < final


def read_past(chain: Chain, network: Network, readers: Sequence[Reader]) -> bool:
    """Read a range below what has been read; tell whether there is more. Raises as `read_new`."""
    state = NetworkState.of(network.slug)
    if state.history_block is None or state.is_history_complete:
        return False
    start = state.history_start if state.history_start is not None else _start(chain, network)
    first, last = max(start, state.history_block - BLOCKS_AT_ONCE), state.history_block - 1
    reading = _read(chain, network, first, last, readers) if first <= last else None
    with transaction.atomic():
        state = _locked(network)
        if state.history_block != last + 1:
            return True
        if reading is not None:
            for reader in readers:
                reader.record(reading)
        state.history_block, state.history_start = min(first, last + 1), start
        state.save(update_fields=["history_block", "history_start"])
    return not state.is_history_complete


def _read(
    chain: Chain, network: Network, first: int, last: int, readers: Sequence[Reader]
) -> Reading:
    events = chain.events(first, last)
    blocks = chain.blocks([last, *(event.block_number for event in events)])
    _require_one_chain(network, events, blocks, last)
    reading = Reading(chain, network.slug, events, blocks)
    for reader in readers:
        reader.prepare(reading)
    return reading


def _require_one_chain(
    network: Network, events: Sequence[Event], blocks: Mapping[int, Block], last: int
) -> None:
    """What is being replaced while it is read would be read in part."""
    is_torn = last not in blocks or any(
        event.block_number not in blocks or blocks[event.block_number].hash != event.block_hash
        for event in events
    )
    if is_torn or forks.contradicts(network.slug, last, blocks[last].hash):
        raise RpcUnreachable(f"Blocks of {network.name} were replaced while they were being read.")


def _placed(chain: Chain, network: Network, final: int) -> NetworkState:
    """The state with a cursor: on a local chain at its start, else where the chain is now."""
    state = NetworkState.of(network.slug)
    if state.events_block is not None and state.history_block is not None:
        return state
    with transaction.atomic():
        state = _locked(network)
        if state.events_block is None:
            state.events_block, state.events_hash = 0 if network.local else max(0, final), ""
        if state.history_block is None:
            state.history_block = state.events_block + 1
            if network.local and state.events_block == 0:
                state.history_block = state.history_start = 0  # its first block has no events
        state.save(update_fields=["events_block", "events_hash", "history_block", "history_start"])
    return state


def _start(chain: Chain, network: Network) -> int:
    """The first block worth reading; 0 where no node remembers far enough back to tell."""
    if network.first_block or network.local:
        return network.first_block
    try:
        return chain.deployment_block()
    except RpcRefused:
        return 0


def _step_back(state: NetworkState, common: int) -> None:
    """Put the cursor onto the last common block; where none is left, begin anew."""
    is_inside = state.history_block is not None and common >= max(0, state.history_block - 1)
    state.events_block, state.events_hash = (common if is_inside else None), ""
    if not is_inside:
        state.history_block = state.history_start = None
    state.save(update_fields=["events_block", "events_hash", "history_block", "history_start"])


def _locked(network: Network) -> NetworkState:
    NetworkState.of(network.slug)
    return NetworkState.objects.select_for_update().get(network=network.slug)
