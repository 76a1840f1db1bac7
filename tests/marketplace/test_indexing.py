"""One stretch of blocks that grows at both ends, whatever the chain does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from marketplace import forks, indexing
from marketplace.indexing import Reading
from marketplace.models import NetworkState, ReadBlock
from zgcompute.errors import RpcRefused, RpcUnreachable
from zgcompute.networks import DEVNET, Network
from zgcompute.testing import FakeChain
from zgcompute.types import Block

pytestmark = pytest.mark.django_db

PUBLIC = replace(DEVNET, local=False)


class Diary:
    """Remembers which blocks it was told of."""

    def __init__(self) -> None:
        self.blocks: list[int] = []
        self.taken_back: list[int] = []

    def prepare(self, reading: Reading) -> None: ...

    def record(self, reading: Reading) -> None:
        self.blocks.append(max(reading.blocks))

    def take_back(self, network: str, above: int) -> None:
        self.taken_back.append(above)


@pytest.fixture
def chain() -> FakeChain:
    made = FakeChain(DEVNET)
    made.mine(40)
    return made


def sweep(chain: FakeChain, network: Network, diary: Diary) -> NetworkState:
    indexing.follow(chain, network, chain.block(), [diary])
    indexing.read_new(chain, network, chain.block_number() - 2, [diary])
    return NetworkState.of("devnet")


def test_a_new_site_on_a_public_network_reads_on_from_now_and_back_to_the_first_block(
    chain: FakeChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "BLOCKS_AT_ONCE", 15)
    diary = Diary()
    network = replace(PUBLIC, first_block=7)
    state = sweep(chain, network, diary)
    assert (state.events_block, state.history_block, diary.blocks) == (38, 39, [])
    left = []
    while indexing.read_past(chain, network, [diary]):
        left.append(NetworkState.of("devnet").unread_past)
    state = NetworkState.of("devnet")
    assert left == [17, 2]
    assert (state.history_block, state.history_start, state.unread_past) == (7, 7, 0)
    assert state.is_history_complete
    chain.mine(3)
    assert sweep(chain, network, diary).events_block == 41
    assert diary.blocks == [38, 23, 8, 41]


def test_where_no_first_block_is_configured_the_deployment_is_searched_for(
    chain: FakeChain,
) -> None:
    class Deployed(FakeChain):
        def deployment_block(self) -> int:
            return 30

    deployed = Deployed(DEVNET)
    deployed.mine(40)
    sweep(deployed, PUBLIC, Diary())
    while indexing.read_past(deployed, PUBLIC, [Diary()]):
        pass
    assert NetworkState.of("devnet").history_start == 30


def test_a_node_that_forgot_the_deployment_lets_everything_be_read(chain: FakeChain) -> None:
    class Pruned(FakeChain):
        def deployment_block(self) -> int:
            raise RpcRefused("missing trie node")

    pruned = Pruned(DEVNET)
    pruned.mine(40)
    sweep(pruned, PUBLIC, Diary())
    while indexing.read_past(pruned, PUBLIC, [Diary()]):
        pass
    assert NetworkState.of("devnet").history_block == 0


@pytest.mark.parametrize("depth", [1, 3, 8, 20])
def test_what_was_replaced_is_found_to_the_block(chain: FakeChain, depth: int) -> None:
    diary = Diary()
    sweep(chain, DEVNET, diary)
    chain.mine(25)
    sweep(chain, DEVNET, diary)
    last_common = chain.block_number() - depth
    chain.reorganise(depth)
    chain.mine(depth + 1)
    state = sweep(chain, DEVNET, diary)
    assert diary.taken_back == [last_common]
    assert state.events_block == chain.block_number() - 2
    assert state.events_hash == chain.block(state.events_block).hash


def test_a_chain_that_became_shorter_is_a_replaced_one_where_it_is_local(
    chain: FakeChain,
) -> None:
    diary = Diary()
    sweep(chain, DEVNET, diary)
    chain.mine(5)
    sweep(chain, DEVNET, diary)
    chain.reorganise(4)
    sweep(chain, DEVNET, diary)
    assert diary.taken_back == [41]


def test_a_public_node_that_lags_behind_takes_nothing_back(chain: FakeChain) -> None:
    diary = Diary()
    sweep(chain, PUBLIC, diary)
    chain.mine(5)
    sweep(chain, PUBLIC, diary)
    chain.reorganise(4)
    state = sweep(chain, PUBLIC, diary)
    assert diary.taken_back == []
    assert state.events_block == 43


def test_another_chain_is_read_from_its_start(chain: FakeChain) -> None:
    diary = Diary()
    sweep(chain, DEVNET, diary)
    other = FakeChain(DEVNET)
    other.mine(50)
    state = sweep(other, DEVNET, diary)
    assert diary.taken_back == [forks.NOTHING]
    assert (state.events_block, state.is_history_complete) == (48, True)


def test_a_node_that_hides_blocks_is_no_reason_to_forget_everything(chain: FakeChain) -> None:
    class Forgetful(FakeChain):
        def blocks(self, numbers: object) -> dict[int, Block]:
            return {}

    diary = Diary()
    sweep(chain, DEVNET, diary)
    chain.mine(2)
    sweep(chain, DEVNET, diary)
    chain.reorganise(1)
    forgetful = Forgetful(DEVNET)
    vars(forgetful).update(vars(chain))
    with pytest.raises(RpcUnreachable, match="does not show all blocks"):
        sweep(forgetful, DEVNET, diary)
    assert diary.taken_back == []


def test_a_block_at_which_something_was_read_is_compared_too(chain: FakeChain) -> None:
    diary = Diary()
    sweep(chain, DEVNET, diary)
    chain.mine(3)
    forks.remember("devnet", chain.block_number(), chain.block().hash)
    chain.reorganise(2)
    chain.mine(5)
    sweep(chain, DEVNET, diary)
    assert diary.taken_back == [40]


def test_only_so_many_hashes_are_kept(chain: FakeChain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forks, "KEPT", 20)
    for _ in range(10):
        chain.mine(5)
        sweep(chain, DEVNET, Diary())
    kept = ReadBlock.objects.order_by("number").values_list("number", flat=True)
    assert list(kept) == list(range(chain.block_number() - 19, chain.block_number() + 1))
