"""Reorganisations, and a long past behind a bad node, on a real chain."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pprint import pformat

import pytest

from accounts import events, refresh
from accounts.models import Movement, Settlement, Transaction, Wallet
from devnet.node import Node
from marketplace import indexing
from marketplace.models import NetworkState
from tests.accounts import books
from tests.accounts.real_chain import Life, network_of, running_node
from tests.devnet.contract_chain import ALICE, AURORA, BOB, MALLORY, ZG, ContractChain, fee
from tests.zgcompute.rpc_proxy import EveryFifthFails, RpcProxy
from zgcompute._chain import RpcChain
from zgcompute._rpc import Rpc
from zgcompute.chain import Chain
from zgcompute.errors import ChainError
from zgcompute.networks import Network

pytestmark = [pytest.mark.chain, pytest.mark.django_db]

PAST = int(os.environ.get("PAST_BLOCKS", "1000"))  # anvil takes minutes for ten times as many


@pytest.fixture(scope="module")
def shared_node() -> Iterator[Node]:
    with running_node() as node:
        yield node


@pytest.fixture
def node(shared_node: Node) -> Iterator[Node]:
    snapshot = shared_node.call("evm_snapshot")
    yield shared_node
    assert shared_node.call("evm_revert", snapshot)


class Site:
    """The workers of a site, as far as accounts are concerned."""

    def __init__(self, chain: Chain, network: Network) -> None:
        self.chain = chain
        self.network = network
        self.wallets = [Wallet.objects.signed_in(user) for user in (ALICE, BOB)]

    def sweep(self) -> None:
        events.read_events(self.chain, self.network)
        refresh.mirror(self.chain, self.network, self.wallets)
        for wallet in self.wallets:
            books.require_balance(wallet)


class Branch:
    """Blocks at given times, so that the same calls make the same blocks."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.contracts = ContractChain(node)
        self.time = self.contracts.now()

    def add(self, *deeds: Callable[[], object]) -> None:
        for deed in deeds:
            self.time += 10
            self.contracts.at(self.time)
            self.node.call("anvil_setNextBlockBaseFeePerGas", hex(10**9))
            deed()

    def rest(self, blocks: int) -> None:
        for _ in range(blocks):
            self.add(lambda: self.node.call("evm_mine"))


def begin(branch: Branch) -> None:
    c = branch.contracts
    branch.add(
        lambda: c.deposit(ALICE, 20 * ZG),
        lambda: c.transfer(ALICE, AURORA, 6 * ZG),
        lambda: c.settle(fee(ZG // 7, 1)),
    )


def replaced_deeds(branch: Branch) -> list[Callable[[], object]]:
    """What happens in the blocks that will be taken back."""
    c = branch.contracts
    return [
        lambda: c.settle(fee(ZG // 3, 2)),
        lambda: c.ledger.send(MALLORY, "depositFundFor", ALICE, value=4 * ZG),
        lambda: c.deposit(BOB, 5 * ZG),
        lambda: c.transfer(ALICE, AURORA, 2 * ZG),
        lambda: c.transfer(BOB, AURORA, 2 * ZG),
        lambda: c.ledger.send(ALICE, "refund", 3 * ZG),
        lambda: c.retrieve(ALICE, AURORA),
        lambda: c.settle(fee(ZG, 4), fee(ZG, 4, user=BOB)),
    ]


def carry_on(branch: Branch) -> None:
    """What happens instead, in more blocks: some of it the same."""
    c = branch.contracts
    branch.add(
        lambda: c.ledger.send(MALLORY, "depositFundFor", ALICE, value=7 * ZG),
        lambda: c.settle(fee(ZG // 3, 2)),
        lambda: c.deposit(BOB, 5 * ZG),
        lambda: c.transfer(BOB, AURORA, ZG),
        lambda: c.settle(fee(ZG // 9, 5, user=BOB)),
    )
    branch.rest(7)


@pytest.mark.parametrize("depth", range(1, 9))
def test_a_reorganisation_ends_in_the_rows_of_a_chain_that_had_none(node: Node, depth: int) -> None:
    network = network_of(node)
    site = Site(RpcChain(network), network)
    begin(Branch(node))
    fork = node.call("evm_snapshot")
    site.sweep()
    carry_on(Branch(node))
    site.sweep()
    site.sweep()
    undisturbed = books.dump()
    assert len(undisturbed["Settlement"]) == 3

    node.call("evm_revert", fork)
    books.forget_everything()
    site = Site(RpcChain(network), network)
    fork = node.call("evm_snapshot")
    site.sweep()
    branch = Branch(node)
    for deed in replaced_deeds(branch)[:depth]:
        branch.add(deed)
        site.sweep()
    node.call("evm_revert", fork)
    carry_on(Branch(node))
    site.sweep()
    site.sweep()
    found = books.differences(books.dump(), undisturbed)
    assert not found, pformat(found)


def test_a_long_past_behind_a_bad_node_is_read_like_behind_a_good_one(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "BLOCKS_AT_ONCE", PAST // 5)
    life = Life(node, RpcChain(network_of(node)), seed=4)
    for _ in range(5):
        for _ in range(6):
            life.step()
        for _ in range(PAST // 500):
            node.call("anvil_mine", hex(100))
    public = replace(network_of(node), local=False, first_block=1)
    good = RpcChain(public)
    read_all(good, public)
    undisturbed = books.dump()
    assert len(undisturbed["AccountEvent"]) >= 5
    assert not Movement.objects.exclude(seen_block=None).exclude(kind__in=("deposit", "withdrawal"))

    followed = list(Transaction.objects.select_related("wallet"))
    books.forget_everything()
    for sent in followed:
        sent.wallet = Wallet.objects.signed_in(sent.wallet.address)
        sent.save(force_insert=True)
    trouble = EveryFifthFails(width=PAST // 20)
    with RpcProxy(node.url, trouble) as proxy:
        network = replace(public, rpc_urls=(proxy.url,))
        bad = RpcChain(network, rpc=Rpc(network, sleep=lambda seconds: None))
        tries = read_all(bad, network)
    found = books.differences(books.dump(), undisturbed)
    assert not found, pformat(found)
    assert trouble.failures > 10
    assert trouble.refusals >= 1
    assert tries < 60


def read_all(chain: Chain, network: Network) -> int:
    """Let the workers try until everything has been read; tell how often they had to."""
    tries = 0
    wallets = [Wallet.objects.signed_in(user) for user in (ALICE, BOB)]
    is_mirrored = False
    while not (is_mirrored and NetworkState.of(network.slug).is_history_complete):
        tries += 1
        assert tries < 100
        with suppress(ChainError):
            events.read_events(chain, network)
            refresh.mirror(chain, network, wallets)
            is_mirrored = True
        before = NetworkState.of(network.slug).unread_past
        with suppress(ChainError):
            events.read_past_events(chain, network)
        after = NetworkState.of(network.slug).unread_past
        assert before is None or after is None or after <= before
    assert Settlement.objects.exists()
    for wallet in wallets:
        books.require_balance(wallet)
    return tries
