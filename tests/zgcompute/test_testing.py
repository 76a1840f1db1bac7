"""What FakeChain can do beyond a real chain. What both do is tested in tests/contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from zgcompute import testing
from zgcompute.errors import (
    BelowMinimum,
    InsufficientBalance,
    LedgerMissing,
    RpcUnreachable,
    TransactionReverted,
    TransactionUncertain,
)
from zgcompute.networks import TESTNET, Network
from zgcompute.signers import LocalSigner
from zgcompute.testing import FEE, FakeChain, fake_service
from zgcompute.types import Address, UnsignedCall

ZG = 10**18
ALICE = LocalSigner("11" * 32)
BOB = LocalSigner("22" * 32).address
AURORA = Address("0x3333333333333333333333333333333333333333")


@pytest.fixture
def chain() -> FakeChain:
    chain = FakeChain()
    chain.endow(ALICE.address, 100 * ZG)
    return chain


def test_the_example_of_the_module_works(chain: FakeChain) -> None:
    chain.apply(chain.calls.deposit(5 * ZG), ALICE.address)
    assert chain.ledger(ALICE.address).available == 5 * ZG
    assert chain.balance(ALICE.address) == 95 * ZG - FEE


def test_any_network_can_be_played() -> None:
    assert FakeChain(TESTNET).network.chain_id == 16602
    bare = Network("bare", "Bare", 7, (), TESTNET.ledger)
    assert FakeChain(bare).contracts().inference != bare.ledger


@pytest.mark.parametrize(
    "ask",
    [
        lambda c: c.contracts(),
        lambda c: c.constants(),
        lambda c: c.block(),
        lambda c: c.balance(BOB),
        lambda c: c.services(),
        lambda c: c.service(AURORA),
        lambda c: c.ledger(BOB),
        lambda c: c.sub_account(BOB, AURORA),
        lambda c: c.sub_accounts(BOB),
        lambda c: c.wallets([BOB]),
        lambda c: c.transaction("0x1"),
        lambda c: c.receipts(["0x1"]),
        lambda c: c.events(0, 9),
        lambda c: c.simulate(c.calls.deposit(1), BOB),
        lambda c: c.estimate_fee(c.calls.deposit(1), BOB),
        lambda c: c.send(c.calls.deposit(1), ALICE),
        lambda c: c.is_valid_signature(BOB, b"", b""),
        lambda c: c.revert_reason("0x1"),
        lambda c: c.transaction_count(BOB),
    ],
)
def test_a_chain_that_is_down_answers_nothing(
    chain: FakeChain, ask: Callable[[FakeChain], Any]
) -> None:
    chain.down = True
    with pytest.raises(RpcUnreachable):
        ask(chain)


def test_a_submitted_transaction_waits_until_a_block_takes_it(chain: FakeChain) -> None:
    transaction_hash = chain.submit(chain.calls.deposit(5 * ZG), ALICE.address)
    waiting = chain.transaction(transaction_hash)
    assert waiting is not None
    assert waiting.block_number is None
    assert chain.receipt(transaction_hash) is None
    assert chain.transaction_count(ALICE.address) == 0
    with pytest.raises(TransactionUncertain, match="not seen in a block"):
        chain.wait(transaction_hash)
    chain.mine()
    assert chain.wait(transaction_hash).succeeded


def test_several_transactions_of_one_sender_wait_in_order(chain: FakeChain) -> None:
    for amount in (5 * ZG, 1, 2):
        chain.submit(chain.calls.deposit(amount), ALICE.address)
    chain.mine()
    assert chain.ledger(ALICE.address).available == 5 * ZG + 3
    assert chain.transaction_count(ALICE.address) == 3


def test_a_waiting_transaction_can_be_replaced(chain: FakeChain) -> None:
    first = chain.submit(chain.calls.deposit(5 * ZG), ALICE.address)
    second = chain.submit(chain.calls.deposit(4 * ZG), ALICE.address, nonce=0)
    chain.mine()
    assert chain.transaction(first) is None
    assert chain.wait(second).succeeded
    assert chain.ledger(ALICE.address).available == 4 * ZG


def test_a_waiting_transaction_can_be_dropped(chain: FakeChain) -> None:
    dropped = chain.submit(chain.calls.deposit(5 * ZG), ALICE.address)
    chain.drop(dropped)
    chain.mine()
    assert chain.transaction(dropped) is None
    assert chain.transaction_count(ALICE.address) == 0


def test_a_mined_revert_changes_nothing_but_costs_the_fee(chain: FakeChain) -> None:
    failed = chain.submit(chain.calls.deposit(1), ALICE.address)
    chain.mine()
    assert isinstance(chain.revert_reason(failed), BelowMinimum)
    assert chain.balance(ALICE.address) == 100 * ZG - FEE
    poor = chain.submit(chain.calls.deposit(1), BOB)
    chain.mine()
    assert isinstance(chain.revert_reason(poor), InsufficientBalance)
    assert chain.balance(BOB) == 0


def test_a_reorganisation_takes_blocks_back_and_their_transactions_wait_again(
    chain: FakeChain,
) -> None:
    transaction_hash = chain.apply(chain.calls.deposit(5 * ZG), ALICE.address)
    before = chain.block()
    chain.mine(2)
    chain.reorganise(3)
    assert chain.block_number() == before.number - 1
    assert chain.receipt(transaction_hash) is None
    assert chain.transaction(transaction_hash) is not None
    assert chain.balance(ALICE.address) == 100 * ZG
    chain.mine()
    assert chain.block().number == before.number
    assert chain.block().hash != before.hash
    assert chain.wait(transaction_hash).block_hash == chain.block().hash


def test_one_settlement_can_charge_several_users(chain: FakeChain) -> None:
    chain.endow(BOB, 100 * ZG)
    chain.register(fake_service(provider=AURORA))
    for user in (ALICE.address, BOB):
        chain.apply(chain.calls.deposit(10 * ZG), user)
        chain.apply(chain.calls.transfer(AURORA, 2 * ZG), user)
    statuses = chain.settle_batch(AURORA, {ALICE.address: ZG, BOB: 3 * ZG})
    assert statuses == {ALICE.address: 0, BOB: 1}
    assert chain.settle(ALICE.address, AURORA, 5) == 0
    assert chain.sub_account(ALICE.address, AURORA).balance == ZG - 5
    assert chain.balance(AURORA) == 3 * ZG + 5 - 2 * FEE


def test_time_passes_with_blocks_and_on_demand(chain: FakeChain) -> None:
    start = chain.block().timestamp
    chain.mine(3)
    assert chain.block().timestamp == start + 3
    chain.advance(1000)
    assert chain.block().timestamp == start + 1004


def test_a_contract_wallet_approves_what_the_test_says(chain: FakeChain) -> None:
    chain.approve(BOB, b"d" * 32, b"s" * 65)
    assert chain.is_valid_signature(BOB.lower(), b"d" * 32, b"s" * 65)
    assert not chain.is_valid_signature(BOB, b"d" * 32, b"t" * 65)
    assert not chain.is_valid_signature(AURORA, b"d" * 32, b"s" * 65)


def test_unknown_functions_revert(chain: FakeChain) -> None:
    unknown = UnsignedCall(31337, chain.contracts().ledger, "0x", 0, "spendFund")
    with pytest.raises(TransactionReverted, match="have no spendFund"):
        chain.simulate(unknown, ALICE.address)


def test_deposits_of_nothing_and_refunds_without_a_ledger_revert(chain: FakeChain) -> None:
    nothing = UnsignedCall(31337, chain.contracts().ledger, "0x", 0, "depositFund")
    with pytest.raises(BelowMinimum, match="is zero"):
        chain.simulate(nothing, ALICE.address)
    with pytest.raises(LedgerMissing):
        chain.simulate(chain.calls.refund(1), ALICE.address)


def test_the_public_names_are_there() -> None:
    assert all(hasattr(testing, name) for name in testing.__all__)
