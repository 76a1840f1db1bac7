"""RpcChain against a scripted node. What real contracts answer is tested in tests/contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from tests.zgcompute.rpc_server import INFERENCE, LEDGER, ScriptedNode, network, revert
from zgcompute import _chain, _views
from zgcompute._chain import RpcChain
from zgcompute._codec import inference_interface, ledger_interface
from zgcompute._logs import REMEMBERED, LogReader
from zgcompute._rpc import Rpc
from zgcompute.calls import Calls
from zgcompute.chain import Chain
from zgcompute.errors import (
    ChainError,
    InsufficientBalance,
    LedgerError,
    LedgerMissing,
    RpcRefused,
    RpcUnreachable,
    ServiceMissing,
    SubAccountMissing,
    TransactionReverted,
    TransactionUncertain,
    Transient,
    WrongNetwork,
)
from zgcompute.signers import LocalSigner
from zgcompute.types import Address, Contracts, UnsignedCall

ALICE = Address("0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A")
BOB = Address("0x1563915e194D8CfBA1943570603F7606A3115508")
CALLS = Calls(31337, Contracts(LEDGER, INFERENCE, "inference-v1.0"))
HASH = "0x" + "ab" * 32
OTHER_HASH = "0x" + "cd" * 32


class Node(ScriptedNode):
    """A node with our two contracts; `views` maps a function's name to its outputs or answer."""

    def __init__(self) -> None:
        super().__init__()
        info = (INFERENCE, INFERENCE, "inference", "v1.0", "inference-v1.0", "", True, 0)
        self.views: dict[str, Callable[..., Any]] = {"getServiceInfo": lambda address: (info,)}
        self.called: list[tuple[str, tuple[Any, ...], str]] = []
        self.methods |= {
            "eth_call": self._call,
            "eth_blockNumber": lambda: "0x10",
            "eth_getBlockByNumber": lambda tag, full: header(number="0x10"),
            "eth_getCode": lambda address, block: "0x6001",
        }

    def _call(self, call: dict[str, str], block: str) -> Any:
        from eth_abi.abi import decode

        interface = ledger_interface() if call["to"] == LEDGER else inference_interface()
        data = bytes.fromhex(call["data"][2:])
        entry = next(e for e in interface.functions.values() if e.topic[:4] == data[:4])
        arguments = decode([parameter.abi_type for parameter in entry.inputs], data[4:])
        self.called.append((entry.name, arguments, block))
        found = self.views[entry.name](*arguments)
        if not isinstance(found, tuple):
            return found
        return "0x" + encode([parameter.abi_type for parameter in entry.outputs], found).hex()


@pytest.fixture
def node() -> Node:
    return Node()


@pytest.fixture
def chain(node: Node) -> RpcChain:
    net = network("http://node.example")
    return RpcChain(net, rpc=Rpc(net, post=node.post, sleep=lambda seconds: None))


def service_fields(number: int) -> tuple[Any, ...]:
    provider = f"0x{number:040x}"
    return (provider, "chatbot", "https://x", 1, 2, 3, "m", "TeeML", "{}", provider, True)


def account_fields(user: str, number: int, **changes: Any) -> tuple[Any, ...]:
    fields = {
        "user": user,
        "provider": f"0x{number:040x}",
        "nonce": 0,
        "balance": number,
        "pending_refund": 0,
        "refunds": [],
        "info": "",
        "acknowledged": True,
        "valid": 0,
        "generation": 0,
        "bitmap": 0,
    }
    return tuple((fields | changes).values())


def paged(items: list[Any], total: int | None = None) -> Callable[..., Any]:
    def page(*arguments: Any) -> tuple[Any, ...]:
        offset, limit = arguments[-2:]
        return (items[offset : offset + limit], len(items) if total is None else total)

    return page


def error_data(signature: str, *arguments: Any) -> str:
    inner = signature[signature.index("(") + 1 : -1]
    body = encode(inner.split(",") if inner else [], arguments)
    return "0x" + (keccak(text=signature)[:4] + body).hex()


def posts_of(node: Node) -> list[Any]:
    return node.methods_asked


def test_an_rpc_chain_is_a_chain(chain: RpcChain) -> None:
    assert isinstance(chain, Chain)
    assert chain.network.slug == "devnet"


# Contracts and constants


def test_the_service_name_comes_from_the_ledger_and_is_asked_once(
    chain: RpcChain, node: Node
) -> None:
    assert chain.contracts() == chain.contracts() == Contracts(LEDGER, INFERENCE, "inference-v1.0")
    assert posts_of(node) == ["eth_call"]


def test_the_recommended_contract_is_used_where_none_is_configured(node: Node) -> None:
    net = network("http://node.example", inference=None)
    node.views["getRecommendedService"] = lambda kind: ("v1.0", INFERENCE)
    chain = RpcChain(net, rpc=Rpc(net, post=node.post))
    assert chain.contracts() == Contracts(LEDGER, INFERENCE, "inference-v1.0")
    assert node.called[0][:2] == ("getRecommendedService", ("inference",))


def test_a_ledger_that_does_not_know_the_serving_contract_is_named(
    chain: RpcChain, node: Node
) -> None:
    zero = "0x" + "0" * 40
    node.views["getServiceInfo"] = lambda address: ((zero, zero, "", "", "", "", False, 0),)
    with pytest.raises(ChainError, match=f"of Devnet does not know {INFERENCE}"):
        chain.contracts()


def test_an_address_without_code_is_not_an_outage(chain: RpcChain, node: Node) -> None:
    node.views["getServiceInfo"] = lambda address: "0x"
    with pytest.raises(ChainError, match=f"no contract at {LEDGER} on Devnet") as missing:
        chain.contracts()
    assert not isinstance(missing.value, RpcUnreachable | TransactionReverted)
    assert "contract addresses" in missing.value.advice


def test_constants_are_read_in_one_batch(chain: RpcChain, node: Node) -> None:
    chain.contracts()
    node.posts.clear()
    names = ["MIN_ACCOUNT_BALANCE", "MIN_TRANSFER_AMOUNT", "MAX_PROVIDERS_PER_BATCH"]
    names += ["MAX_PROVIDERS_PER_USER_PER_SERVICE", "lockTime"]
    for value, name in enumerate(names):
        node.views[name] = lambda value=value: (value,)
    constants = chain.constants()
    assert (constants.min_account_balance, constants.min_transfer_amount) == (0, 1)
    assert (constants.max_providers_per_batch, constants.max_providers_per_user) == (2, 3)
    assert constants.lock_time == 4
    assert len(node.posts) == 1


# Blocks and balances


def header(**changes: Any) -> dict[str, Any]:
    fields = {"number": "0x5", "hash": HASH, "parentHash": OTHER_HASH, "timestamp": "0x64"}
    return fields | changes


def test_a_block_is_read_by_number_or_the_latest(chain: RpcChain, node: Node) -> None:
    asked = []
    node.methods["eth_getBlockByNumber"] = lambda *given: asked.append(given) or header()
    assert (chain.block().number, chain.block(5).timestamp) == (5, 100)
    assert (chain.block(5).hash, chain.block(5).parent_hash) == (HASH, OTHER_HASH)
    assert asked[:2] == [("latest", False), ("0x5", False)]
    assert chain.block_number() == 16


def test_a_missing_block_is_an_answer(chain: RpcChain, node: Node) -> None:
    node.methods["eth_getBlockByNumber"] = lambda *given: None
    with pytest.raises(ChainError, match="no block 7"):
        chain.block(7)


@pytest.mark.parametrize(
    "answer", ["x", [], header(number=5), header(hash="0x1"), header(timestamp=None)]
)
def test_a_malformed_block_is_the_nodes_fault(chain: RpcChain, node: Node, answer: Any) -> None:
    node.methods["eth_getBlockByNumber"] = lambda *given: answer
    with pytest.raises(RpcUnreachable):
        chain.block()


def test_balances_and_counts_are_read(chain: RpcChain, node: Node) -> None:
    node.methods["eth_getBalance"] = lambda address, block: hex(10**20)
    node.methods["eth_getTransactionCount"] = lambda address, block: "0x3"
    assert chain.balance(ALICE) == 10**20
    assert chain.transaction_count(ALICE) == 3


# Services, ledgers, sub-accounts


def test_services_are_paged_to_the_end(chain: RpcChain, node: Node) -> None:
    node.views["getAllServices"] = paged([service_fields(n) for n in range(1, 121)])
    services = chain.services()
    assert [int(service.provider, 16) for service in services] == list(range(1, 121))
    asked = [arguments for name, arguments, _ in node.called if name == "getAllServices"]
    assert asked == [(0, 50), (50, 50), (100, 50)]
    assert len(posts_of(node)) == 3  # contracts, first page, the others


@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 100])
def test_every_number_of_services_is_listed_whole(chain: RpcChain, node: Node, count: int) -> None:
    node.views["getAllServices"] = paged([service_fields(n) for n in range(1, count + 1)])
    assert len(chain.services()) == count


@pytest.mark.parametrize("total", [0, 10, 51, 2**255])
def test_a_total_that_lies_is_not_followed_for_ever(
    chain: RpcChain, node: Node, total: int
) -> None:
    items = [service_fields(n) for n in range(1, 61)]
    node.views["getAllServices"] = paged(items, total)
    assert len(chain.services()) == (60 if total > 50 else 50)
    assert len(node.called) < 30


def test_a_contract_that_lists_without_end_is_stopped(
    chain: RpcChain, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_views, "MAX_PAGES", 25)
    page = [service_fields(n) for n in range(50)]
    node.views["getAllServices"] = lambda offset, limit: (page, 2**255)
    with pytest.raises(ChainError, match="absurd"):
        chain.services()


def test_a_service_that_moves_between_pages_is_listed_once(chain: RpcChain, node: Node) -> None:
    items = [service_fields(n) for n in range(1, 51)]
    node.views["getAllServices"] = lambda offset, limit: (
        (items if offset == 0 else items[-1:]),
        51,
    )
    assert len(chain.services()) == 50


@pytest.mark.parametrize(
    ("read", "view", "signature", "missing"),
    [
        (lambda c: c.ledger(ALICE), "getLedger", "LedgerNotExists(address)", LedgerMissing),
        (lambda c: c.service(BOB), "getService", "ServiceNotExist(address)", ServiceMissing),
        (
            lambda c: c.sub_account(ALICE, BOB),
            "getAccount",
            "AccountNotExists(address,address)",
            SubAccountMissing,
        ),
    ],
)
def test_what_is_not_there_is_kept_apart_from_what_is_not_reachable(
    chain: RpcChain,
    node: Node,
    read: Callable[[RpcChain], Any],
    view: str,
    signature: str,
    missing: type[Exception],
) -> None:
    arguments = [ALICE] * signature.count("address")
    node.views[view] = lambda *given: revert(error_data(signature, *arguments))
    with pytest.raises(missing):
        read(chain)
    node.views[view] = lambda *given: {"error": {"code": -32000, "message": "header not found"}}
    with pytest.raises(RpcUnreachable):
        read(chain)
    node.views[view] = lambda *given: {"error": {"code": -32000, "message": "missing trie node"}}
    with pytest.raises(RpcRefused, match="missing trie node"):
        read(chain)
    node.views[view] = lambda *given: "0x"
    with pytest.raises(ChainError, match="no contract at"):
        read(chain)


def test_a_bare_revert_is_not_taken_for_a_missing_ledger(chain: RpcChain, node: Node) -> None:
    """Any contract at a wrong address reverts like that: it proves nothing about a ledger."""
    node.views["getLedger"] = lambda user: revert("0x")
    with pytest.raises(TransactionReverted) as refused:
        chain.ledger(ALICE)
    assert not isinstance(refused.value, LedgerError)


def test_a_ledger_and_a_sub_account_are_read(chain: RpcChain, node: Node) -> None:
    node.views["getLedger"] = lambda user: ((user, 3, 10, "note"),)
    refunds = [(0, 4, 100, False), (1, 5, 200, False), (2, 99, 1, True)]
    changes = {"refunds": refunds, "valid": 2, "pending_refund": 9, "bitmap": 8, "generation": 2}
    node.views["getAccount"] = lambda user, provider: (account_fields(user, 7, **changes),)
    ledger = chain.ledger(ALICE.lower())
    assert (ledger.user, ledger.available, ledger.total, ledger.additional_info) == (
        ALICE,
        3,
        10,
        "note",
    )
    account = chain.sub_account(ALICE, BOB)
    assert [(refund.amount, refund.created_at) for refund in account.refunds] == [
        (4, 100),
        (5, 200),
    ]
    assert (account.generation, account.revoked_bitmap, account.pending_refund) == (2, 8, 9)


@pytest.mark.parametrize(("count", "posts"), [(0, 1), (50, 1), (120, 2)])
def test_sub_accounts_cost_one_call_per_fifty(
    chain: RpcChain, node: Node, count: int, posts: int
) -> None:
    chain.contracts()
    node.posts.clear()
    node.views["getAccountsByUser"] = lambda user, offset, limit: paged(
        [account_fields(user, n) for n in range(1, count + 1)]
    )(offset, limit)
    assert len(chain.sub_accounts(ALICE)) == count
    assert len(node.posts) == posts


def many_wallets(node: Node, sub_accounts: int = 2) -> None:
    missing = error_data("LedgerNotExists(address)", BOB)
    node.methods["eth_getBalance"] = lambda address, block: "0x7"
    node.views["getLedger"] = lambda user: (
        revert(missing) if user == BOB.lower() else ((user, 1, 2, ""),)
    )
    node.views["getAccountsByUser"] = lambda user, offset, limit: paged(
        [account_fields(user, n) for n in range(1, sub_accounts + 1)]
    )(offset, limit)


@pytest.mark.parametrize("count", [1, 2, 100, 166])
def test_refreshing_many_wallets_takes_two_posts(chain: RpcChain, node: Node, count: int) -> None:
    many_wallets(node)
    chain.contracts()
    node.posts.clear()
    users = [f"0x{number:040x}" for number in range(1, count + 1)]
    states = chain.wallets(users)
    assert len(states) == count
    assert len(node.posts) == 2
    assert {(state.block_number, state.block_hash) for state in states.values()} == {(16, HASH)}


def test_wallets_are_read_at_one_height(chain: RpcChain, node: Node) -> None:
    many_wallets(node)
    balances = []
    node.methods["eth_getBalance"] = lambda address, block: balances.append(block) or "0x7"
    states = chain.wallets([ALICE, BOB, ALICE.lower()])
    assert list(states) == [ALICE, BOB]
    assert balances == ["0x10", "0x10"]
    assert {block for name, _, block in node.called if name != "getServiceInfo"} == {"0x10"}
    alice, bob = states[ALICE], states[BOB]
    assert (alice.balance, len(alice.sub_accounts)) == (7, 2)
    assert alice.ledger is not None
    assert alice.ledger.total == 2
    assert bob.ledger is None


def test_a_wallet_with_many_sub_accounts_takes_one_post_more(chain: RpcChain, node: Node) -> None:
    many_wallets(node, sub_accounts=70)
    chain.contracts()
    node.posts.clear()
    assert len(chain.wallets([ALICE])[ALICE].sub_accounts) == 70
    assert len(node.posts) == 3


def test_no_wallets_need_no_post(chain: RpcChain, node: Node) -> None:
    chain.contracts()
    node.posts.clear()
    assert chain.wallets([]) == {}
    assert node.posts == []


@pytest.mark.parametrize("broken", ["eth_getBalance", "getLedger", "getAccountsByUser"])
def test_a_refused_part_never_looks_like_an_empty_wallet(
    chain: RpcChain, node: Node, broken: str
) -> None:
    many_wallets(node)
    refuse = lambda *given: {"error": {"code": -32000, "message": "missing trie node"}}  # noqa: E731
    scripts = node.methods if broken in node.methods else node.views
    scripts[broken] = refuse
    with pytest.raises(RpcRefused):
        chain.wallets([ALICE])
    if broken != "eth_getBalance":
        scripts[broken] = lambda *given: revert("0x")
        with pytest.raises(TransactionReverted):
            chain.wallets([ALICE])


# Transactions


def mined(**changes: Any) -> dict[str, Any]:
    fields = {"hash": HASH, "from": ALICE.lower(), "to": LEDGER.lower(), "input": "0xABCD"}
    fields |= {"value": "0x5", "nonce": "0x1", "blockNumber": "0x9"}
    return fields | changes


def mined_receipt(**changes: Any) -> dict[str, Any]:
    fields = {"transactionHash": HASH, "blockNumber": "0x9", "blockHash": OTHER_HASH}
    fields |= {"status": "0x1", "gasUsed": "0x5208", "effectiveGasPrice": "0x2"}
    return fields | changes


def test_transactions_and_receipts_are_read_in_batches(chain: RpcChain, node: Node) -> None:
    node.methods["eth_getTransactionByHash"] = lambda h: mined() if h == HASH else None
    node.methods["eth_getTransactionReceipt"] = lambda h: mined_receipt() if h == HASH else None
    transactions = chain.transactions([HASH, OTHER_HASH])
    receipts = chain.receipts([HASH, OTHER_HASH])
    assert len(posts_of(node)) == 2
    assert transactions[OTHER_HASH] is receipts[OTHER_HASH] is None
    seen, ended = transactions[HASH], receipts[HASH]
    assert seen is not None
    assert ended is not None
    assert (seen.sender, seen.to, seen.data, seen.value) == (ALICE, LEDGER, "0xabcd", 5)
    assert (seen.nonce, seen.block_number) == (1, 9)
    assert (ended.succeeded, ended.network_fee, ended.block_hash) == (True, 42_000, OTHER_HASH)
    assert chain.transactions([]) == {}


def test_a_waiting_transaction_has_no_block_and_a_creation_no_target(
    chain: RpcChain, node: Node
) -> None:
    waiting = mined(blockNumber=None, to=None)
    del waiting["input"]
    node.methods["eth_getTransactionByHash"] = lambda h: waiting | {"data": "0x01"}
    seen = chain.transaction(HASH)
    assert seen is not None
    assert (seen.block_number, seen.to, seen.data) == (None, None, "0x01")


def test_a_failed_receipt_without_a_price_is_read(chain: RpcChain, node: Node) -> None:
    bare = mined_receipt(status="0x0")
    del bare["effectiveGasPrice"]
    node.methods["eth_getTransactionReceipt"] = lambda h: bare
    ended = chain.receipt(HASH)
    assert ended is not None
    assert (ended.succeeded, ended.gas_price) == (False, 0)


@pytest.mark.parametrize("text", ["", "0x12", HASH[2:], HASH + "0", "0x" + "zz" * 32])
def test_what_is_no_hash_is_refused_before_asking(chain: RpcChain, node: Node, text: str) -> None:
    with pytest.raises(ChainError, match="not a transaction hash"):
        chain.receipt(text)
    assert node.posts == []


@pytest.mark.parametrize(
    "change", [{"from": "0x1"}, {"from": None}, {"hash": 1}, {"input": "0x1"}, {"value": "5"}]
)
def test_a_malformed_transaction_is_the_nodes_fault(
    chain: RpcChain, node: Node, change: dict[str, Any]
) -> None:
    node.methods["eth_getTransactionByHash"] = lambda h: mined(**change)
    with pytest.raises(RpcUnreachable):
        chain.transaction(HASH)


# Events


def balance_log(block: int, index: int, **changes: Any) -> dict[str, Any]:
    topic = keccak(text="BalanceUpdated(address,address,uint256,uint256)")
    people = [encode(["address"], [person]) for person in (ALICE, BOB)]
    fields = {
        "address": INFERENCE.lower(),
        "topics": ["0x" + one.hex() for one in (topic, *people)],
        "data": "0x" + encode(["uint256", "uint256"], [5, 1]).hex(),
        "blockNumber": hex(block),
        "blockHash": HASH,
        "transactionHash": OTHER_HASH,
        "logIndex": hex(index),
        "removed": False,
    }
    return fields | changes


def test_events_are_decoded_and_put_in_log_order(chain: RpcChain, node: Node) -> None:
    scopes = []
    logs = [balance_log(3, 1), balance_log(2, 7), balance_log(3, 0)]
    node.methods["eth_getLogs"] = lambda scope: scopes.append(scope) or logs
    events = chain.events(2, 3)
    assert [(event.block_number, event.log_index) for event in events] == [(2, 7), (3, 0), (3, 1)]
    assert events[0].name == "BalanceUpdated"
    assert events[0].arguments["user"] == ALICE
    assert (events[0].contract, events[0].transaction_hash) == (INFERENCE, OTHER_HASH)
    assert scopes == [{"address": [LEDGER, INFERENCE], "fromBlock": "0x2", "toBlock": "0x3"}]


@pytest.mark.parametrize(
    "change",
    [
        {"topics": ["0x" + "77" * 32]},
        {"topics": []},
        {"topics": None},
        {"removed": True},
        {"address": ALICE},
    ],
)
def test_logs_that_are_not_ours_are_skipped(
    chain: RpcChain, node: Node, change: dict[str, Any]
) -> None:
    node.methods["eth_getLogs"] = lambda scope: [balance_log(1, 0, **change), balance_log(1, 1)]
    assert [event.log_index for event in chain.events(1, 1)] == [1]


@pytest.mark.parametrize("answer", [None, {}, "x", [None], [balance_log(1, 0, logIndex=None)]])
def test_malformed_logs_are_the_nodes_fault(chain: RpcChain, node: Node, answer: Any) -> None:
    node.methods["eth_getLogs"] = lambda scope: answer
    with pytest.raises(RpcUnreachable):
        chain.events(1, 2)


def test_a_refused_range_is_split_until_the_node_accepts(chain: RpcChain, node: Node) -> None:
    ranges = []

    def logs(scope: dict[str, str]) -> Any:
        first, last = int(scope["fromBlock"], 16), int(scope["toBlock"], 16)
        ranges.append((first, last))
        if last - first >= 10:
            return {"error": {"code": -32005, "message": "block range limit exceeded"}}
        return [balance_log(block, 0) for block in range(first, last + 1)]

    node.methods |= {"eth_getLogs": logs, "eth_blockNumber": lambda: hex(35)}
    events = chain.events(0, 35)
    assert [event.block_number for event in events] == list(range(36))
    assert len(ranges) < 10


def test_a_node_that_refuses_every_range_is_soon_believed(chain: RpcChain, node: Node) -> None:
    asked = []
    node.methods["eth_getLogs"] = lambda scope: asked.append(scope) or {"error": {"code": 1}}
    node.methods["eth_blockNumber"] = lambda: hex(100_000)
    with pytest.raises(RpcRefused):
        chain.events(0, 100_000)
    assert len(asked) < 20


def refuse_wider_than(node: Node, width: int, refuse: Callable[[], Any]) -> list[int]:
    """Let the node refuse wider ranges of logs; the widths that it is asked for."""
    asked: list[int] = []

    def logs(scope: dict[str, str]) -> Any:
        asked.append(int(scope["toBlock"], 16) - int(scope["fromBlock"], 16) + 1)
        return refuse() if asked[-1] > width else []

    node.methods |= {"eth_getLogs": logs, "eth_blockNumber": lambda: hex(10_000)}
    return asked


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-32005, "query returned more than 10000 results"),
        (-32600, "eth_getLogs is limited to a 10,000 block range"),
        (-32000, "exceed maximum block range: 5000"),
        (-32602, "Log response size exceeded. This block range should work: [0x0, 0x10]"),
        (-32005, "limit exceeded"),
        (-32000, "query timeout exceeded"),
        (-32616, "response size should not greater than 10000000 bytes"),
        (413, "Request Entity Too Large"),
    ],
)
def test_whatever_the_words_a_refused_range_is_halved_and_the_width_remembered(
    chain: RpcChain, node: Node, code: int, words: str
) -> None:
    refusal = {"error": {"code": code, "message": words}}
    asked = refuse_wider_than(node, 100, lambda: refusal)
    assert chain.events(1, 200) == ()
    assert asked == [200, 100, 100]
    asked.clear()
    assert chain.events(201, 300) == ()
    assert asked == [100]


def test_a_range_that_times_out_is_halved_where_the_node_answers_otherwise(node: Node) -> None:
    def no_answer() -> Any:
        raise RpcUnreachable("too slow")

    asked = refuse_wider_than(node, 100, no_answer)
    net = network("http://node.example")
    chain = RpcChain(net, rpc=Rpc(net, post=node.post, sleep=lambda seconds: None))
    assert chain.events(1, 150) == ()
    assert asked == [150, 150, 75, 75]  # the first one twice: hiccups pass


def test_a_node_that_is_gone_is_not_asked_for_ever_smaller_ranges(node: Node) -> None:
    def no_answer(*_: Any) -> Any:
        raise RpcUnreachable("gone")

    net = network("http://node.example")
    chain = RpcChain(net, rpc=Rpc(net, post=node.post, sleep=lambda seconds: None))
    chain.contracts()
    node.methods |= {"eth_getLogs": no_answer, "eth_blockNumber": no_answer}
    with pytest.raises(RpcUnreachable):
        chain.events(1, 1000)
    assert len(node.methods_asked) < 10


def test_a_narrow_width_is_widened_after_a_while(node: Node) -> None:
    asked = refuse_wider_than(node, 8, lambda: {"error": {"code": -32005, "message": "too many"}})
    now = [0.0]
    net = network("http://node.example")
    chain = RpcChain(net, rpc=Rpc(net, post=node.post))
    reader = LogReader(chain._rpc, clock=lambda: now[0])
    reader.events(chain.contracts(), 1, 64)
    assert asked.count(8) >= 7
    assert max(asked[4:]) == 16  # tried again after some ranges went well
    asked.clear()
    now[0] = REMEMBERED + 1
    refuse_nothing = refuse_wider_than(node, 1000, lambda: None)
    reader.events(chain.contracts(), 65, 564)
    assert refuse_nothing == [500]


def test_a_node_that_asks_for_a_slower_pace_is_not_asked_more_often(
    chain: RpcChain, node: Node
) -> None:
    limited = {"error": {"code": -32005, "message": "too many requests, rate limit reached"}}
    asked = refuse_wider_than(node, 0, lambda: limited)
    chain.contracts()
    with pytest.raises(RpcUnreachable, match="rate limit"):
        chain.events(1, 64)
    assert max(asked) == 64
    assert len(asked) <= 14


def test_many_headers_take_one_post(chain: RpcChain, node: Node) -> None:
    node.methods["eth_getBlockByNumber"] = lambda tag, full: (
        None if int(tag, 16) > 16 else header(number=tag)
    )
    found = chain.blocks([3, 16, 17, 3])
    assert {number: block.number for number, block in found.items()} == {3: 3, 16: 16}
    assert len(posts_of(node)) == 1


@pytest.mark.parametrize("deployed", [0, 1, 77, 999_983, 1_000_000])
def test_the_block_that_brought_the_ledger_is_found_in_a_few_posts(
    chain: RpcChain, node: Node, deployed: int
) -> None:
    node.methods["eth_blockNumber"] = lambda: hex(1_000_000)
    node.methods["eth_getCode"] = lambda address, block: (
        "0x60" if int(block, 16) >= deployed else "0x"
    )
    assert chain.deployment_block() == deployed
    assert len(posts_of(node)) <= 8


def test_a_node_that_has_forgotten_old_blocks_does_not_tell_the_deployment(
    chain: RpcChain, node: Node
) -> None:
    node.methods["eth_getCode"] = lambda address, block: (
        "0x60" if int(block, 16) > 10 else {"error": {"code": -32000, "message": "missing trie"}}
    )
    with pytest.raises(ChainError):
        chain.deployment_block()
    node.methods["eth_getCode"] = lambda address, block: "0x"
    with pytest.raises(ChainError, match="no contract"):
        chain.deployment_block()


def test_a_node_that_lags_behind_is_not_taken_for_a_quiet_chain(
    chain: RpcChain, node: Node
) -> None:
    node.methods["eth_getLogs"] = lambda scope: []
    assert chain.events(5, 16) == ()
    with pytest.raises(RpcUnreachable, match="at block 16 and does not know block 17"):
        chain.events(5, 17)


def test_an_empty_range_needs_no_post(chain: RpcChain, node: Node) -> None:
    chain.contracts()
    node.posts.clear()
    assert chain.events(5, 4) == ()
    assert node.posts == []


# Trying, pricing, sending


def test_a_call_that_would_succeed_is_silent(chain: RpcChain, node: Node) -> None:
    node.views["depositFund"] = lambda: "0x"
    chain.simulate(CALLS.deposit(5), ALICE)


TOO_LITTLE = error_data("MinimumDepositRequired(uint256,uint256)", 1, 3)
BROKE = {"code": -32000, "message": "insufficient funds for gas * price + value: have 1 want 2"}


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (revert(TOO_LITTLE), LedgerError, "minimum"),
        ({"error": {"code": 3, "message": "x", "data": {"data": TOO_LITTLE}}}, LedgerError, "min"),
        (
            {"error": {"code": -32015, "message": "VM error", "data": f"Reverted {TOO_LITTLE}"}},
            LedgerError,
            "minimum",
        ),
        (
            {"error": {"code": -32000, "message": "x", "data": {"0xh": {"return": TOO_LITTLE}}}},
            LedgerError,
            "minimum",
        ),
        (
            {"error": {"code": -32603, "message": "y", "data": {"data": {"data": TOO_LITTLE}}}},
            LedgerError,
            "minimum",
        ),
        (
            {"error": {"code": 3, "message": "m", "data": [{"code": 3}, TOO_LITTLE]}},
            LedgerError,
            "minimum",
        ),
        (
            {"error": {"code": -32000, "message": f"execution reverted: {TOO_LITTLE}"}},
            LedgerError,
            "minimum",
        ),
        (
            {"error": {"code": -32000, "message": "execution reverted: not today"}},
            TransactionReverted,
            "not today",
        ),
        (
            {
                "error": {
                    "code": -32603,
                    "message": "VM Exception: reverted with reason string 'never'",
                }
            },
            TransactionReverted,
            "call: never",
        ),
        (
            {"error": {"code": -32000, "message": "execution reverted"}},
            TransactionReverted,
            "reason",
        ),
        (revert("0x"), TransactionReverted, "without a reason"),
        ({"error": BROKE}, InsufficientBalance, "wallet holds too little"),
        ({"error": BROKE | {"data": "0x"}}, InsufficientBalance, "wallet holds too little"),
        ({"error": {"code": -32000, "message": "OutOfFunds"}}, InsufficientBalance, "too little"),
        (
            {"error": {"code": -32000, "message": "gas required exceeds allowance (0)"}},
            InsufficientBalance,
            "too little",
        ),
        ({"error": {"code": -32601, "message": "no such method"}}, RpcRefused, "no such method"),
        ({"error": {"code": -32601, "message": "no", "data": "words"}}, RpcRefused, "no"),
        ({"error": {"code": -32601, "message": "no", "data": "0x"}}, RpcRefused, "no"),
    ],
)
def test_a_refusal_is_told_in_words_however_the_node_wraps_it(
    chain: RpcChain, node: Node, error: Any, kind: type[Exception], words: str
) -> None:
    node.views["depositFund"] = lambda: error
    node.methods["eth_estimateGas"] = lambda call: error
    node.methods["eth_gasPrice"] = lambda: "0x1"
    with pytest.raises(kind, match=words):
        chain.simulate(CALLS.deposit(1), ALICE)
    with pytest.raises(kind, match=words):
        chain.estimate_fee(CALLS.deposit(1), ALICE)


def test_revert_data_nested_too_deeply_is_left_alone(chain: RpcChain, node: Node) -> None:
    nested: Any = TOO_LITTLE
    for _ in range(50):
        nested = {"data": nested}
    error = {"error": {"code": 3, "message": "execution reverted", "data": nested}}
    node.views["depositFund"] = lambda: error
    with pytest.raises(TransactionReverted, match="without a reason"):
        chain.simulate(CALLS.deposit(1), ALICE)


def test_the_fee_is_gas_with_a_margin_times_the_price(chain: RpcChain, node: Node) -> None:
    seen = []
    node.methods["eth_estimateGas"] = lambda call: seen.append(call) or hex(100_001)
    node.methods["eth_gasPrice"] = lambda: hex(7)
    assert chain.estimate_fee(CALLS.deposit(5), ALICE) == 125_002 * 7
    assert seen == [{"from": ALICE, "to": LEDGER, "data": "0x8d0d8cb6", "value": "0x5"}]
    assert len(posts_of(node)) == 2  # the contracts, and one batch


def test_a_call_to_an_address_without_code_is_refused(chain: RpcChain, node: Node) -> None:
    chain.contracts()
    node.methods["eth_getCode"] = lambda address, block: "0x"
    node.views["depositFund"] = lambda: "0x"
    with pytest.raises(ChainError, match="no contract at"):
        chain.simulate(CALLS.deposit(1), ALICE)
    node.methods["eth_getCode"] = lambda *given: {"error": {"code": 1, "message": "no"}}
    with pytest.raises(RpcRefused):
        chain.simulate(CALLS.deposit(1), ALICE)


def test_a_call_for_another_chain_is_refused(chain: RpcChain, node: Node) -> None:
    foreign = UnsignedCall(1, LEDGER, "0x", 0, "depositFund")
    signer = LocalSigner("11" * 32)
    for attempt in (
        lambda: chain.simulate(foreign, ALICE),
        lambda: chain.estimate_fee(foreign, ALICE),
        lambda: chain.send(foreign, signer),
    ):
        with pytest.raises(WrongNetwork, match="for chain 1"):
            attempt()
    assert node.posts == []


HIDDEN = error_data("CallFailed()")


def test_a_hidden_reason_is_asked_of_the_serving_contract(chain: RpcChain, node: Node) -> None:
    node.views["transferFund"] = lambda *given: revert(HIDDEN)
    node.views["addAccount"] = lambda *given: revert(error_data("ProviderCannotBeUser()"))
    with pytest.raises(LedgerError, match="cannot be its own user"):
        chain.simulate(CALLS.transfer(ALICE, 5), ALICE)


@pytest.mark.parametrize(
    "inner",
    [
        "0x",
        revert(error_data("AccountExists(address,address)", ALICE, BOB)),
        {"error": {"code": 1, "message": "no"}},
    ],
)
def test_where_the_serving_contract_says_nothing_new_the_hidden_reason_stays(
    chain: RpcChain, node: Node, inner: Any
) -> None:
    node.views["transferFund"] = lambda *given: revert(HIDDEN)
    node.views["addAccount"] = lambda *given: inner
    with pytest.raises(LedgerError, match="does not say why"):
        chain.simulate(CALLS.transfer(BOB, 5), ALICE)


def test_other_functions_hidden_reasons_are_not_looked_into(chain: RpcChain, node: Node) -> None:
    node.views["retrieveFund"] = lambda *given: revert(HIDDEN)
    with pytest.raises(LedgerError, match="does not say why"):
        chain.simulate(CALLS.retrieve([BOB]), ALICE)


def failed(chain: RpcChain, node: Node, **changes: Any) -> TransactionReverted | None:
    node.methods["eth_getTransactionByHash"] = lambda h: mined(input="0x8d0d8cb6", **changes)
    node.methods["eth_getTransactionReceipt"] = lambda h: mined_receipt(status="0x0")
    return chain.revert_reason(HASH)


def test_a_failed_transaction_is_replayed_before_and_at_its_block(
    chain: RpcChain, node: Node
) -> None:
    node.views["depositFund"] = lambda: revert(TOO_LITTLE)
    reason = failed(chain, node)
    assert isinstance(reason, LedgerError)
    assert [block for _, _, block in node.called] == ["0x8", "0x9"]


def test_a_reason_that_shows_only_after_the_block_is_found(chain: RpcChain, node: Node) -> None:
    answers = iter(["0x", revert(TOO_LITTLE)])
    node.views["depositFund"] = lambda: next(answers)
    assert isinstance(failed(chain, node), LedgerError)


@pytest.mark.parametrize(
    ("trace", "words"),
    [
        ({"error": "execution reverted", "output": TOO_LITTLE}, "minimum"),
        ({"error": "execution reverted", "type": "CALL"}, "without a reason"),
        ({"error": "out of gas", "type": "CALL"}, "ran out of gas"),
        ({"output": "0x"}, "does not show why"),
        ("nonsense", "does not show why"),
        ({"error": {"code": -32601, "message": "no traces"}}, "does not show why"),
    ],
)
def test_a_trace_tells_where_replaying_does_not(
    chain: RpcChain, node: Node, trace: Any, words: str
) -> None:
    node.views["depositFund"] = lambda: "0x"
    node.methods["debug_traceTransaction"] = lambda *given: trace
    assert words in str(failed(chain, node))


def test_an_unexplained_failure_is_still_a_failure(chain: RpcChain, node: Node) -> None:
    node.views["depositFund"] = lambda: "0x"
    reason = failed(chain, node)
    assert "does not show why" in str(reason)


def test_a_gateway_that_forbids_traces_is_no_outage(chain: RpcChain, node: Node) -> None:
    node.views["depositFund"] = lambda: "0x"

    def forbidden(*given: Any) -> Any:
        raise RpcUnreachable("a page")

    node.methods["debug_traceTransaction"] = forbidden
    assert "does not show why" in str(failed(chain, node))


def test_there_is_no_reason_where_nothing_failed(chain: RpcChain, node: Node) -> None:
    node.methods["eth_getTransactionReceipt"] = lambda h: None
    assert chain.revert_reason(HASH) is None
    node.methods["eth_getTransactionReceipt"] = lambda h: mined_receipt()
    assert chain.revert_reason(HASH) is None
    node.methods["eth_getTransactionReceipt"] = lambda h: mined_receipt(status="0x0")
    node.methods["eth_getTransactionByHash"] = lambda h: None
    assert chain.revert_reason(HASH) is None


# Contract wallets


@pytest.mark.parametrize(
    ("answer", "valid"),
    [
        ("0x1626ba7e" + "00" * 28, True),
        ("0x" + "00" * 32, False),
        ("0x1626ba7e", False),
        ("0x1626ba7e" + "00" * 27 + "01", False),
        ("0x", False),
        (revert("0x"), False),
        ({"error": {"code": -32000, "message": "execution reverted"}}, False),
        ({"error": {"code": -32015, "message": "VM", "data": "Reverted 0x"}}, False),
    ],
)
def test_a_contract_wallet_says_whether_a_signature_is_valid(
    chain: RpcChain, node: Node, answer: Any, valid: bool
) -> None:
    node.methods["eth_call"] = lambda call, block: answer
    assert chain.is_valid_signature(ALICE, b"d" * 32, b"s" * 65) is valid


def test_a_node_that_cannot_ask_a_contract_wallet_says_so(chain: RpcChain, node: Node) -> None:
    node.methods["eth_call"] = lambda call, block: {"error": {"code": 1, "message": "no"}}
    with pytest.raises(RpcRefused):
        chain.is_valid_signature(ALICE, b"d" * 32, b"s" * 65)


# Sending with a local key

SIGNER = LocalSigner("11" * 32)


def ready_to_send(node: Node, **header_changes: Any) -> list[str]:
    sent: list[str] = []
    node.views["depositFund"] = lambda: "0x"
    node.methods |= {
        "eth_getTransactionCount": lambda address, block: "0x4" if block == "pending" else "0x3",
        "eth_gasPrice": lambda: hex(110),
        "eth_estimateGas": lambda call, block: hex(80_000),
        "eth_getBlockByNumber": lambda tag, full: header(baseFeePerGas=hex(100)) | header_changes,
        "eth_sendRawTransaction": lambda raw: sent.append(raw) or HASH,
    }
    return sent


def raw_fields(raw: str) -> dict[str, Any]:
    from eth_account.typed_transactions import TypedTransaction
    from hexbytes import HexBytes

    return dict(TypedTransaction.from_bytes(HexBytes(raw)).as_dict())


def test_a_transaction_is_filled_signed_and_sent(chain: RpcChain, node: Node) -> None:
    from eth_account import Account

    sent = ready_to_send(node)
    transaction_hash = chain.send(CALLS.deposit(5), SIGNER)
    assert len(sent) == 1
    assert transaction_hash == "0x" + keccak(bytes.fromhex(sent[0][2:])).hex()
    assert Account.recover_transaction(sent[0]) == SIGNER.address
    fields = raw_fields(sent[0])
    assert (fields["nonce"], fields["gas"], fields["value"]) == (4, 100_000, 5)
    assert (fields["maxPriorityFeePerGas"], fields["maxFeePerGas"]) == (10, 210)
    assert fields["chainId"] == 31337


def test_a_chain_without_base_fee_gets_a_plain_gas_price(chain: RpcChain, node: Node) -> None:
    sent = ready_to_send(node)
    node.methods["eth_getBlockByNumber"] = lambda tag, full: header()
    chain.send(CALLS.deposit(5), SIGNER)
    assert int(sent[0][2:4], 16) >= 0xC0  # a legacy transaction begins with an RLP list


def test_a_call_that_would_revert_is_not_sent(chain: RpcChain, node: Node) -> None:
    sent = ready_to_send(node)
    node.views["depositFund"] = lambda: revert(TOO_LITTLE)
    with pytest.raises(LedgerError, match="minimum"):
        chain.send(CALLS.deposit(5), SIGNER)
    node.views["depositFund"] = lambda: "0x"
    node.methods["eth_estimateGas"] = lambda call, block: revert(TOO_LITTLE)
    with pytest.raises(LedgerError, match="minimum"):
        chain.send(CALLS.deposit(5), SIGNER)
    assert sent == []


def test_what_the_node_already_knows_counts_as_sent(chain: RpcChain, node: Node) -> None:
    ready_to_send(node)
    node.methods["eth_sendRawTransaction"] = lambda raw: {"error": {"message": "already known"}}
    node.methods["eth_getTransactionByHash"] = lambda h: mined(hash=h)
    assert chain.send(CALLS.deposit(5), SIGNER).startswith("0x")
    node.methods["eth_getTransactionByHash"] = lambda h: None
    with pytest.raises(TransactionUncertain, match="already known") as hidden:
        chain.send(CALLS.deposit(5), SIGNER)
    assert "was sent and may still be mined" in hidden.value.advice


def test_what_the_node_refuses_was_not_sent(chain: RpcChain, node: Node) -> None:
    ready_to_send(node)
    node.methods["eth_sendRawTransaction"] = lambda raw: {"error": {"message": "underpriced"}}
    node.methods["eth_getTransactionByHash"] = lambda h: None
    with pytest.raises(RpcRefused, match="underpriced"):
        chain.send(CALLS.deposit(5), SIGNER)


def test_an_outage_while_sending_says_that_it_may_have_been_sent(
    chain: RpcChain, node: Node
) -> None:
    ready_to_send(node)

    def cut(raw: str) -> Any:
        raise RpcUnreachable("the connection broke")

    node.methods["eth_sendRawTransaction"] = cut
    with pytest.raises(TransactionUncertain) as lost:
        chain.send(CALLS.deposit(5), SIGNER)
    assert f"{lost.value.transaction_hash} may have been sent" in lost.value.advice
    assert not isinstance(lost.value, Transient)


def test_a_lost_reply_never_sends_a_second_transaction(chain: RpcChain, node: Node) -> None:
    sent = ready_to_send(node)
    taken = node.methods["eth_sendRawTransaction"]

    def answer_lost(raw: str) -> Any:
        taken(raw)
        raise RpcUnreachable("the connection broke")

    node.methods["eth_sendRawTransaction"] = answer_lost
    with pytest.raises(TransactionUncertain) as lost:
        chain.send(CALLS.deposit(5), SIGNER)
    assert {"0x" + keccak(bytes.fromhex(raw[2:])).hex() for raw in sent} == {
        lost.value.transaction_hash
    }


def test_a_refusal_that_nobody_can_look_into_leaves_it_open(chain: RpcChain, node: Node) -> None:
    ready_to_send(node)
    node.methods["eth_sendRawTransaction"] = lambda raw: {"error": {"message": "already known"}}

    def cut(h: str) -> Any:
        raise RpcUnreachable("the connection broke")

    node.methods["eth_getTransactionByHash"] = cut
    with pytest.raises(TransactionUncertain, match="connection broke"):
        chain.send(CALLS.deposit(5), SIGNER)


def test_an_outage_while_waiting_is_waited_through(
    chain: RpcChain, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_chain, "FIRST_POLL", 0.0)
    outages = [True] * 5

    def receipt(h: str) -> Any:
        if outages:
            outages.pop()
            raise RpcUnreachable("the connection broke")
        return mined_receipt()

    node.methods["eth_getTransactionReceipt"] = receipt
    assert chain.wait(HASH).block_number == 9


def test_an_outage_that_outlasts_the_wait_says_that_it_was_sent(
    chain: RpcChain, node: Node
) -> None:
    def cut(h: str) -> Any:
        raise RpcUnreachable("the connection broke")

    node.methods["eth_getTransactionReceipt"] = cut
    with pytest.raises(TransactionUncertain, match="connection broke") as late:
        chain.wait(HASH, timeout=0)
    assert late.value.advice.startswith(f"The transaction {HASH} was sent and may still be mined")


def test_a_node_that_refuses_to_tell_does_not_make_the_transaction_unsent(
    chain: RpcChain, node: Node
) -> None:
    refusing = {"error": {"code": -32601, "message": "not for you"}}
    node.methods["eth_getTransactionReceipt"] = lambda h: refusing
    with pytest.raises(TransactionUncertain, match="not for you") as late:
        chain.wait(HASH, timeout=0)
    assert late.value.transaction_hash == HASH
    ready_to_send(node)
    node.methods["eth_sendRawTransaction"] = lambda raw: {"error": {"message": "nonce too low"}}
    node.methods["eth_getTransactionByHash"] = lambda h: refusing
    with pytest.raises(TransactionUncertain, match="not for you"):
        chain.send(CALLS.deposit(5), SIGNER)


def test_a_failure_is_told_even_where_no_node_says_why(chain: RpcChain, node: Node) -> None:
    def cut(h: str) -> Any:
        raise RpcUnreachable("the connection broke")

    node.methods["eth_getTransactionByHash"] = cut
    node.methods["eth_getTransactionReceipt"] = lambda h: mined_receipt(status="0x0")
    with pytest.raises(TransactionReverted, match=f"{HASH} failed"):
        chain.wait(HASH)


def test_waiting_ends_with_the_receipt(
    chain: RpcChain, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_chain, "FIRST_POLL", 0.0)
    answers = iter([None, None, mined_receipt()])
    node.methods["eth_getTransactionReceipt"] = lambda h: next(answers)
    assert chain.wait(HASH).block_number == 9


def test_waiting_ends_at_the_timeout_without_claiming_failure(chain: RpcChain, node: Node) -> None:
    node.methods["eth_getTransactionReceipt"] = lambda h: None
    with pytest.raises(TransactionUncertain, match="not seen in a block within 0 seconds") as late:
        chain.wait(HASH, timeout=0)
    assert "look it up" in late.value.advice


def test_waiting_for_a_failed_transaction_raises_its_reason(chain: RpcChain, node: Node) -> None:
    node.views["depositFund"] = lambda: revert(TOO_LITTLE)
    node.methods["eth_getTransactionByHash"] = lambda h: mined(input="0x8d0d8cb6")
    node.methods["eth_getTransactionReceipt"] = lambda h: mined_receipt(status="0x0")
    with pytest.raises(LedgerError, match="minimum"):
        chain.wait(HASH)


def test_a_transaction_taken_back_while_waiting_is_told(chain: RpcChain, node: Node) -> None:
    answers = iter([mined_receipt(status="0x0"), None])
    node.methods["eth_getTransactionReceipt"] = lambda h: next(answers)
    with pytest.raises(TransactionUncertain, match="taken back"):
        chain.wait(HASH)
