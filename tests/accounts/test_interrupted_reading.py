"""However reading is interrupted, the database ends as if it never had been."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection

from accounts import events, refresh
from accounts.models import Wallet
from marketplace import indexing
from marketplace.models import NetworkState, Service
from tests.accounts import books, cast
from tests.accounts.cast import NETWORK, zg
from zgcompute.errors import ChainError, RpcRefused, RpcUnreachable
from zgcompute.networks import Network
from zgcompute.testing import FakeChain
from zgcompute.types import Block, Event


class Killed(Exception):
    """The process is gone."""


@pytest.fixture
def eventful(chain: FakeChain, alice: Wallet, aurora: Service) -> FakeChain:
    """Transfers, settlements of Alice's usage, and a retrieval in two steps."""
    for fee in ("0.001", "0.002", "0.003"):
        cast.use(cast.ALICE, aurora.provider, fee)
    chain.advance(3600)  # a chain whose latest block is old counts as resting
    chain.apply(chain.calls.deposit(zg("9")), alice.address)
    chain.apply(chain.calls.transfer(aurora.provider, zg("4")), alice.address)
    chain.settle(alice.address, aurora.provider, zg("0.003"))
    chain.mine(3)
    chain.apply(chain.calls.retrieve([aurora.provider]), alice.address)
    chain.settle(alice.address, aurora.provider, zg("0.003"))
    chain.mine(3)
    return chain


def sweep(chain: FakeChain, alice: Wallet) -> None:
    """What the workers do in a turn."""
    for wallet in {*events.read_events(chain, NETWORK), alice}:
        refresh.mirror(chain, NETWORK, [wallet])


def run(chain: FakeChain, alice: Wallet) -> books.Rows:
    while (NetworkState.of("devnet").events_block or 0) < chain.block_number() - 2:
        sweep(chain, alice)
    sweep(chain, alice)
    books.require_balance(alice)
    return books.dump()


@contextmanager
def killed_at(statement: int) -> Iterator[None]:
    """Let the process die when it is about to write for the nth time."""
    written = itertools.count(1)

    def execute(run: Callable[..., Any], sql: str, *rest: Any) -> Any:
        is_write = sql.startswith(("INSERT", "UPDATE", "DELETE"))
        if is_write and next(written) == statement:
            raise Killed
        return run(sql, *rest)

    with connection.execute_wrapper(execute):
        yield


@pytest.mark.django_db(transaction=True)
def test_a_process_killed_before_any_of_its_writes_loses_and_doubles_nothing(
    eventful: FakeChain, alice: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "BLOCKS_AT_ONCE", 5)
    undisturbed = None
    for statement in itertools.count(1, 5):
        restart(alice)
        try:
            with killed_at(statement):
                found = run(eventful, alice)
            is_killed = False
        except Killed:
            is_killed = True
            found = run(eventful, alice)
        undisturbed = undisturbed or _undisturbed(eventful, alice)
        assert found == undisturbed, f"killed before write {statement}"
        if not is_killed:
            break
    assert statement > 40


def _undisturbed(chain: FakeChain, alice: Wallet) -> books.Rows:
    restart(alice)
    return run(chain, alice)


def restart(alice: Wallet) -> None:
    """A new site with Alice and what she used."""
    used = list(alice.usage.order_by("pk"))
    books.forget_everything()
    alice.pk = None
    alice.save(force_insert=True)
    for row in used:
        row.pk, row.wallet, row.paid, row.settlement = None, alice, 0, None
        row.save(force_insert=True)


class Interrupted(FakeChain):
    """Dies after the events were read, before anything is written."""

    def __init__(self, chain: FakeChain) -> None:
        vars(self).update(vars(chain))
        self.deaths = 3

    def events(self, from_block: int, to_block: int) -> tuple[Event, ...]:
        found = super().events(from_block, to_block)
        if self.deaths:
            self.deaths -= 1
            raise Killed
        return found


def test_a_process_killed_between_reading_and_writing_reads_again(
    eventful: FakeChain, alice: Wallet
) -> None:
    undisturbed = _undisturbed(eventful, alice)
    restart(alice)
    dying = Interrupted(eventful)
    for _ in range(3):
        with pytest.raises(Killed):
            run(dying, alice)
    assert run(dying, alice) == undisturbed


def test_two_workers_at_once_write_a_range_once(
    eventful: FakeChain, alice: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = _undisturbed(eventful, alice)
    restart(alice)

    class Overtaken(FakeChain):
        """Another worker reads the same range while this one waits for its answer."""

        def events(self, from_block: int, to_block: int) -> tuple[Event, ...]:
            found = super().events(from_block, to_block)
            events.read_events(eventful, NETWORK)
            return found

    slow = Overtaken(NETWORK)
    vars(slow).update(vars(eventful))
    events.read_events(slow, NETWORK)
    assert run(eventful, alice) == undisturbed


def test_blocks_replaced_while_they_are_read_are_not_believed(
    eventful: FakeChain, alice: Wallet
) -> None:
    class Torn(FakeChain):
        """The chain is replaced right after the logs were read."""

        def events(self, from_block: int, to_block: int) -> tuple[Event, ...]:
            found = super().events(from_block, to_block)
            self._blocks.reorganise(8)
            self._blocks.mine()
            self.mine(12)
            return found

    torn = Torn(NETWORK)
    vars(torn).update(vars(eventful))
    with pytest.raises(RpcUnreachable, match="replaced while they were being read"):
        events.read_events(torn, NETWORK)
    assert NetworkState.of("devnet").events_block in (None, 0)


class Moody(FakeChain):
    """Answers every fifth question about blocks and events with an error."""

    def __init__(self, chain: FakeChain) -> None:
        vars(self).update(vars(chain))
        self.asked = 0

    def events(self, from_block: int, to_block: int) -> tuple[Event, ...]:
        self._count()
        return super().events(from_block, to_block)

    def blocks(self, numbers: Sequence[int]) -> dict[int, Block]:
        self._count()
        return super().blocks(numbers)

    def _count(self) -> None:
        self.asked += 1
        if self.asked % 5 == 0:
            raise (RpcUnreachable if self.asked % 2 else RpcRefused)("not now")


def test_ten_thousand_blocks_of_the_past_are_read_behind_a_moody_node(
    eventful: FakeChain, alice: Wallet, aurora: Service
) -> None:
    public = replace(NETWORK, local=False, first_block=1)
    for _ in range(5):
        eventful.mine(2_000)
        eventful.apply(eventful.calls.transfer(aurora.provider, zg("0.5")), alice.address)
        eventful.settle(alice.address, aurora.provider, zg("0.0001"))
    eventful.mine(2)
    restart(alice)
    undisturbed = read_past(eventful, public, alice)
    assert len(undisturbed["Settlement"]) == 7
    restart(alice)
    assert read_past(Moody(eventful), public, alice) == undisturbed


def read_past(chain: FakeChain, network: Network, alice: Wallet) -> books.Rows:
    """Let the workers try until everything has been read."""
    for _ in range(50):
        for work in (events.read_events, events.read_past_events):
            with suppress(ChainError):
                work(chain, network)
    assert NetworkState.of("devnet").is_history_complete
    refresh.mirror(chain, network, [alice])
    books.require_balance(alice)
    return books.dump()
