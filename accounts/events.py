"""What the contracts' events say about accounts: steps of sub-accounts, and settlements of ours."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from accounts import booking, settlements
from accounts.finality import final_block
from accounts.models import AccountEvent, Wallet
from accounts.settlements import Item
from marketplace import indexing
from marketplace.indexing import Reading
from marketplace.service_events import ServiceReader
from zgcompute.addresses import same
from zgcompute.chain import Chain
from zgcompute.networks import Network
from zgcompute.types import Address, Block, Event, Transaction

PAST_RANGES = 4  # ranges of the past that one sweep reads


def read_events(chain: Chain, network: Network) -> set[Wallet]:
    """Take back what the chain replaced, then read the next blocks' events.

    Returns the wallets of ours that are concerned: their balances changed. Raises ChainError
    where the chain cannot be read: what was not read comes with the next sweep.
    """
    reader, head = AccountReader(), chain.block()
    indexing.follow(chain, network, head, _readers(reader))
    indexing.read_new(chain, network, final_block(head, network), _readers(reader))
    return _explained(reader.concerned, network)


def read_past_events(chain: Chain, network: Network) -> set[Wallet]:
    """Read some of what happened before this site began to read; returns as `read_events`."""
    reader, is_more = AccountReader(), True
    for _ in range(PAST_RANGES):
        is_more = is_more and indexing.read_past(chain, network, _readers(reader))
    if not is_more:
        reader.concerned |= _unbooked(network)
    return _explained(reader.concerned, network)


def follow_head(chain: Chain, network: Network, head: Block) -> bool:
    """Take back what the chain replaced; tell whether it did."""
    return indexing.follow(chain, network, head, _readers(AccountReader()))


class AccountReader:
    """Keeps the steps of everybody's sub-accounts, and the settlements of our wallets."""

    def __init__(self) -> None:
        self.concerned: set[Wallet] = set()
        self._steps: list[AccountEvent] = []

    def prepare(self, reading: Reading) -> None:
        inference = reading.chain.contracts().inference
        items = settlements.items(reading.events, inference)
        unnamed = {item.result.transaction_hash for item in items if item.provider is None}
        senders = reading.chain.transactions(sorted(unnamed)) if unnamed else {}
        self._steps = [_settled(reading, item, senders) for item in items]
        told = {_place(event) for item in items for event in item.levels}
        self._steps += [
            _changed(reading, event)
            for event in reading.events
            if event.name in ("BalanceUpdated", "AccountDeleted")
            and same(event.contract, inference)
            and _place(event) not in told
        ]

    def record(self, reading: Reading) -> None:
        AccountEvent.objects.bulk_create(self._steps, ignore_conflicts=True, batch_size=500)
        ours = {wallet.address: wallet for wallet in _wallets(reading.events)}
        for address, wallet in ours.items():
            mine = [step for step in self._steps if step.user == address]
            settlements.adopt(wallet, reading.network, mine)
        self.concerned |= set(ours.values())

    def take_back(self, network: str, above: int) -> None:
        self.concerned |= booking.take_back(network, above)
        settlements.undo_above(network, above)


def _readers(reader: AccountReader) -> tuple[indexing.Reader, ...]:
    return (ServiceReader(), reader)


def _explained(wallets: set[Wallet], network: Network) -> set[Wallet]:
    for wallet in wallets:
        booking.explain(wallet, network.slug)
    return wallets


def _unbooked(network: Network) -> set[Wallet]:
    """Wallets with steps that could not be told before everything before them was read."""
    waiting = AccountEvent.objects.filter(network=network.slug, is_booked=False)
    return set(Wallet.objects.filter(address__in=waiting.values("user")))


def _wallets(events: Iterable[Event]) -> Iterable[Wallet]:
    users = {str(event.arguments["user"]) for event in events if "user" in event.arguments}
    return Wallet.objects.filter(address__in=users)


def _place(event: Event) -> tuple[str, int]:
    return event.transaction_hash, event.log_index


def _settled(reading: Reading, item: Item, senders: dict[str, Transaction | None]) -> AccountEvent:
    step = _step(reading, item.result, AccountEvent.Kind.SETTLEMENT)
    step.provider = item.provider or _sender(item.result, senders)
    step.balance, step.status = item.balance_after, item.status
    step.amount, step.unsettled_amount = item.amount, item.owed
    return step


def _sender(event: Event, senders: dict[str, Transaction | None]) -> Address:
    """Only its provider may send a settlement (contract rule PROVIDER_MISMATCH)."""
    seen = senders.get(event.transaction_hash)
    return seen.sender if seen else Address(event.contract)


def _changed(reading: Reading, event: Event) -> AccountEvent:
    is_deletion = event.name == "AccountDeleted"
    kind = AccountEvent.Kind.DELETION if is_deletion else AccountEvent.Kind.LEVEL
    step = _step(reading, event, kind)
    step.provider = str(event.arguments["provider"])
    step.balance = 0 if is_deletion else int(event.arguments["amount"])
    return step


def _step(reading: Reading, event: Event, kind: AccountEvent.Kind) -> AccountEvent:
    return AccountEvent(
        network=reading.network,
        user=str(event.arguments["user"]),
        kind=kind,
        transaction_hash=event.transaction_hash,
        log_index=event.log_index,
        block_number=event.block_number,
        block_hash=event.block_hash,
        happened_at=datetime.fromtimestamp(reading.time_of(event), tz=UTC),
    )
