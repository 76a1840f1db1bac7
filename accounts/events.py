"""Reading the contracts' events from a stored cursor, a few blocks behind the head."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from django.db import transaction

from accounts import settlements
from accounts.finality import final_block
from accounts.models import Settlement, Wallet
from accounts.settlements import Item
from marketplace.models import NetworkState
from zgcompute.chain import Chain
from zgcompute.networks import Network
from zgcompute.types import Address, Event

BLOCKS_AT_ONCE = 2000
FIRST_LOOK = 1000  # how far back a new site reads on a public network; a local one reads all
REWIND = 128  # blocks read again after the chain replaced one that was read


def read_events(chain: Chain, network: Network) -> set[Wallet]:
    """Read the next blocks' events, record settlements, move the cursor.

    Returns the wallets of ours that the events name: their balances changed. Reading a range
    twice records nothing twice. Raises ChainError where the chain cannot be read: the cursor
    stays where it was.
    """
    state = NetworkState.of(network.slug)
    head = chain.block()
    newest = final_block(head, network)
    _place_cursor(chain, network, state, head.number, newest)
    assert state.events_block is not None
    first, last = state.events_block + 1, min(newest, state.events_block + BLOCKS_AT_ONCE)
    if last < first:
        return set()
    end = chain.block(last)
    events = chain.events(first, last)
    recorded = _drafts(chain, events)
    with transaction.atomic():
        for draft in recorded:
            _record(network, draft)
        state.events_block, state.events_hash = last, end.hash
        state.save(update_fields=["events_block", "events_hash"])
    return _named(events)


def _place_cursor(
    chain: Chain, network: Network, state: NetworkState, head: int, newest: int
) -> None:
    """Give a new site its first cursor, and step back where the chain replaced what was read."""
    if state.events_block is None:
        back = newest + 1 if network.local else FIRST_LOOK
        _move_cursor(chain, state, newest - back)
    elif _is_replaced(chain, network, state, head):
        _move_cursor(chain, state, min(state.events_block, newest) - REWIND)


def _is_replaced(chain: Chain, network: Network, state: NetworkState, head: int) -> bool:
    assert state.events_block is not None
    if state.events_block > head:
        lag = 0 if network.local else REWIND  # nodes behind one URL are not always equally far
        return state.events_block > head + lag
    return bool(state.events_hash) and chain.block(state.events_block).hash != state.events_hash


def _move_cursor(chain: Chain, state: NetworkState, block_number: int) -> None:
    """Put the cursor behind `block_number`, and forget the settlements above it."""
    block = chain.block(max(0, block_number))
    with transaction.atomic():
        settlements.undo_above(state.network, block_number)
        state.events_block, state.events_hash = block.number, block.hash
        state.save(update_fields=["events_block", "events_hash"])


def _named(events: Sequence[Event]) -> set[Wallet]:
    users = {str(event.arguments["user"]) for event in events if "user" in event.arguments}
    return set(Wallet.objects.filter(address__in=users))


def _drafts(chain: Chain, events: Sequence[Event]) -> list[Settlement]:
    """The settlements of our wallets in `events`, not saved yet."""
    found = settlements.items(events, chain.contracts().inference)
    ours = {
        wallet.address: wallet
        for wallet in Wallet.objects.filter(address__in={item.user for item in found})
    }
    return [_draft(chain, ours[item.user], item) for item in found if item.user in ours]


def _draft(chain: Chain, wallet: Wallet, item: Item) -> Settlement:
    event = item.result
    timestamp = chain.block(event.block_number).timestamp
    return Settlement(
        wallet=wallet,
        provider=item.provider or _sender(chain, event),
        transaction_hash=event.transaction_hash,
        log_index=event.log_index,
        block_number=event.block_number,
        block_hash=event.block_hash,
        status=item.status,
        amount=item.amount,
        unsettled_amount=item.owed,
        balance_after=item.balance_after,
        settled_at=datetime.fromtimestamp(timestamp, tz=UTC),
    )


def _sender(chain: Chain, event: Event) -> Address:
    """Only its provider may send a settlement (contract rule PROVIDER_MISMATCH)."""
    seen = chain.transaction(event.transaction_hash)
    return seen.sender if seen else Address(event.contract)


def _record(network: Network, draft: Settlement) -> None:
    draft.network = network.slug
    Settlement.objects.bulk_create([draft], ignore_conflicts=True)
    settlements.match(draft.wallet, network.slug, draft.provider)
