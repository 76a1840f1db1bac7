"""Whatever users, providers and time do on a real node, the books are the chain's to the neuron."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from accounts import events
from accounts.models import Movement, Settlement
from devnet.node import Node
from tests.accounts.real_chain import Life, network_of, running_node
from zgcompute._chain import RpcChain

pytestmark = [pytest.mark.chain, pytest.mark.django_db]

SEQUENCES = 300
LENGTHS = (5, 5, 6, 6, 7, 8, 12)


@pytest.fixture(scope="module")
def shared_node() -> Iterator[Node]:
    with running_node() as node:
        yield node


@pytest.fixture(scope="module")
def chain(shared_node: Node) -> RpcChain:
    return RpcChain(network_of(shared_node))


@pytest.fixture
def node(shared_node: Node) -> Iterator[Node]:
    """The node as it was after the deployment; taken back after the test."""
    snapshot = shared_node.call("evm_snapshot")
    yield shared_node
    assert shared_node.call("evm_revert", snapshot)


@pytest.mark.parametrize("seed", range(SEQUENCES))
def test_balances_refunds_and_history_are_the_chains(
    node: Node, chain: RpcChain, seed: int
) -> None:
    life, network = Life(node, chain, seed), chain.network
    for _ in range(life.dice.choice(LENGTHS)):
        life.step()
        if life.dice.random() < 0.3:
            events.read_events(life.chain, network)
        life.mirror()
        life.require_mirrored()
    node.call("anvil_mine", hex(2))
    events.read_events(life.chain, network)
    life.require_mirrored()
    require_everything_explained(life)


def require_everything_explained(life: Life) -> None:
    """Only what no event and no followed transaction tells may be inferred."""
    inferred = Movement.objects.exclude(seen_block=None)
    assert set(inferred.values_list("kind", flat=True)) <= {"deposit", "withdrawal"}, life.told
    for wallet in life.wallets:
        rows = Movement.objects.filter(wallet=wallet)
        settled: dict[tuple[str, str], int] = {}
        for row in rows.filter(kind="settlement"):
            pair = (wallet.address, row.provider)
            settled[pair] = settled.get(pair, 0) + row.amount
            assert row.settlement is not None
            assert row.settlement.amount == row.amount
        taken = {pair: n for pair, n in life.taken.items() if pair[0] == wallet.address}
        assert settled == {pair: amount for pair, amount in taken.items() if amount}, life.told
        brought = sum(r.available_change for r in rows.filter(kind__in=("deposit", "withdrawal")))
        assert brought == life.brought.get(wallet.address, 0), life.told
    amounts = [row.amount for row in Settlement.objects.all()]
    assert sum(amounts) == sum(life.taken.values()), life.told
