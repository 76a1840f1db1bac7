from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import finality, following, narration, outcomes, transactions
from accounts.models import Ledger, SubAccount, Transaction, Wallet
from marketplace.models import NetworkState, Service
from tests.accounts import cast
from tests.accounts.cast import NETWORK, zg
from zgcompute.errors import RpcUnreachable
from zgcompute.testing import FEE, FakeChain
from zgcompute.types import Block, UnsignedCall

HASH = "0x" + "ab" * 32
State = Transaction.State


def deposit(chain: FakeChain, wallet: Wallet, amount: str = "3") -> Transaction:
    """A deposit that the wallet sent and that waits to be mined."""
    row = transactions.prepare_deposit(wallet, NETWORK, zg(amount))
    return outcomes.record_hash(row, chain.submit(chain.calls.deposit(zg(amount)), wallet.address))


def follow(chain: FakeChain, row: Transaction) -> Transaction:
    following.follow(chain, NETWORK)
    row.refresh_from_db()
    return row


def test_a_deposit_goes_from_submitted_to_confirmed(chain: FakeChain, alice: Wallet) -> None:
    row = deposit(chain, alice)
    assert follow(chain, row).state == State.SENT
    chain.mine()
    assert follow(chain, row).state == State.MINED
    assert (row.confirmations, row.network_fee) == (0, FEE)
    chain.mine()
    assert (follow(chain, row).state, row.confirmations) == (State.MINED, 1)
    chain.mine()
    assert (follow(chain, row).state, row.confirmations) == (State.CONFIRMED, 2)
    assert row.ended_at is not None


def test_the_balances_are_those_after_it_as_soon_as_it_is_mined(
    chain: FakeChain, alice: Wallet
) -> None:
    row = deposit(chain, alice)
    chain.mine()
    assert follow(chain, row).state == State.MINED
    ledger = Ledger.objects.get(wallet=alice)
    assert (ledger.exists, ledger.available) == (True, zg("3"))
    assert ledger.wallet_balance == zg("97") - FEE


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (lambda calls: calls.deposit(zg("4")), "another amount"),
        (lambda calls: calls.refund(zg("3")), "another amount"),
        (lambda calls: calls.deposit_for(cast.stranger(), zg("3")), "another call"),
        (
            lambda calls: UnsignedCall(31337, cast.stranger(), "0xd0e30db0", zg("3"), "x"),
            "goes to",
        ),
    ],
)
def test_a_hash_of_another_call_is_not_taken_for_the_prepared_one(
    chain: FakeChain, alice: Wallet, sent: object, reason: str
) -> None:
    row = transactions.prepare_deposit(alice, NETWORK, zg("3"))
    outcomes.record_hash(row, chain.submit(sent(chain.calls), alice.address))  # type: ignore[operator]
    assert follow(chain, row).state == State.MISMATCHED
    assert reason in row.reason


def test_a_hash_of_another_sender_is_not_taken_for_alices(chain: FakeChain, alice: Wallet) -> None:
    row = transactions.prepare_deposit(alice, NETWORK, zg("3"))
    chain.endow(cast.MALLORY.address, zg("9"))
    foreign = chain.submit(chain.calls.deposit(zg("3")), cast.MALLORY.address)
    outcomes.record_hash(row, foreign)
    assert follow(chain, row).state == State.MISMATCHED
    assert "not by your wallet" in row.reason


def test_an_older_transaction_with_the_same_call_is_not_taken_for_the_new_one(
    chain: FakeChain, alice: Wallet, caplog: pytest.LogCaptureFixture
) -> None:
    old = chain.apply(chain.calls.deposit(zg("3")), alice.address)
    cast.mirror(chain, cast.ALICE)
    NetworkState.objects.update(block_number=chain.block_number())
    row = transactions.prepare_deposit(alice, NETWORK, zg("3"))
    outcomes.record_hash(row, old)
    assert follow(chain, row).state == State.MISMATCHED
    assert "mined before this call was prepared" in row.reason
    assert f"is not transaction {row.pk} of {alice.address}" in caplog.text


def test_a_chain_made_shorter_meanwhile_does_not_make_a_new_transaction_old(
    chain: FakeChain, alice: Wallet
) -> None:
    NetworkState.objects.update(block_number=chain.block_number() + 5)
    row = transactions.prepare_deposit(alice, NETWORK, zg("3"))
    chain.advance(120)
    outcomes.record_hash(row, chain.submit(chain.calls.deposit(zg("3")), alice.address))
    chain.mine()
    assert follow(chain, row).state == State.MINED


def test_a_revert_is_told_in_the_contracts_words(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider, deposit="5", transfer="2")
    row = transactions.prepare_transfer(alice, NETWORK, aurora.provider, zg("3"))
    other = chain.submit(chain.calls.refund(zg("3")), alice.address)
    call = chain.calls.transfer(aurora.provider, zg("3"))
    outcomes.record_hash(row, chain.submit(call, alice.address))
    chain.mine()
    assert chain.receipt(other).succeeded  # type: ignore[union-attr]
    assert follow(chain, row).state == State.REVERTED
    assert row.reason
    assert row.advice
    assert Ledger.objects.get(wallet=alice).available == 0


def test_a_transaction_sped_up_in_the_wallet_is_replaced(chain: FakeChain, alice: Wallet) -> None:
    row = deposit(chain, alice)
    assert follow(chain, row).state == State.SENT
    chain.submit(chain.calls.deposit(zg("3")), alice.address, nonce=row.nonce)
    chain.mine()
    assert follow(chain, row).state == State.SENT  # nodes are not always equally far
    Transaction.objects.update(seen_at=timezone.now() - timedelta(seconds=21))
    assert follow(chain, row).state == State.REPLACED
    assert "sped up" in row.reason
    assert Ledger.objects.get(wallet=alice).available == zg("3")


def test_a_transaction_that_the_chain_forgot_is_dropped_after_ten_minutes(
    chain: FakeChain, alice: Wallet
) -> None:
    row = deposit(chain, alice)
    follow(chain, row)
    chain.drop(row.hash)
    assert follow(chain, row).state == State.SENT
    Transaction.objects.update(seen_at=timezone.now() - timedelta(minutes=11))
    assert follow(chain, row).state == State.DROPPED
    assert "before you send it again" in row.advice


def test_a_transaction_given_up_too_early_is_taken_up_again(
    chain: FakeChain, alice: Wallet
) -> None:
    row = deposit(chain, alice)
    Transaction.objects.update(submitted_at=timezone.now() - timedelta(minutes=11))
    hash_, hidden = row.hash, "0x" + "ab" * 32
    Transaction.objects.update(hash=hidden)
    assert follow(chain, row).state == State.DROPPED
    Transaction.objects.update(hash=hash_)
    chain.mine(3)
    assert follow(chain, row).state == State.CONFIRMED
    assert (row.reason, row.advice) == ("", "")
    assert Ledger.objects.get(wallet=alice).available == zg("3")


def test_a_hash_that_the_chain_never_shows_is_dropped_too(chain: FakeChain, alice: Wallet) -> None:
    row = transactions.prepare_deposit(alice, NETWORK, zg("3"))
    outcomes.record_hash(row, "0x" + "ab" * 32)
    assert follow(chain, row).state == State.SUBMITTED
    Transaction.objects.update(submitted_at=timezone.now() - timedelta(minutes=11))
    assert follow(chain, row).state == State.DROPPED


def test_a_block_that_is_taken_back_takes_its_transaction_along(
    chain: FakeChain, alice: Wallet
) -> None:
    row = deposit(chain, alice)
    chain.mine()
    assert follow(chain, row).state == State.MINED
    chain.reorganise(1)
    assert follow(chain, row).state == State.REQUEUED
    assert follow(chain, row).state == State.REQUEUED  # it is said until it is mined again
    assert "the chain replaced that block" in narration.state_words(row).sentence
    assert (row.block_number, row.confirmations) == (None, 0)
    assert not Ledger.objects.get(wallet=alice).exists
    chain.mine(3)
    assert follow(chain, row).state == State.CONFIRMED
    assert Ledger.objects.get(wallet=alice).available == zg("3")


def test_a_mined_transaction_lost_with_its_block_goes_back(chain: FakeChain, alice: Wallet) -> None:
    row = deposit(chain, alice)
    chain.mine()
    follow(chain, row)
    chain.reorganise(1)
    chain.drop(row.hash)
    assert follow(chain, row).state == State.REQUEUED
    assert not Ledger.objects.get(wallet=alice).exists


def test_a_failure_is_taken_back_with_its_block(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    row = deposit(chain, alice)
    chain.mine()
    receipt = chain.receipt(row.hash)
    assert receipt
    row.state, row.block_hash, row.ended_at = State.REVERTED, receipt.block_hash, timezone.now()
    row.save()
    assert follow(chain, row).state == State.REVERTED  # the same block says nothing new
    chain.reorganise(1)
    assert follow(chain, row).state == State.REVERTED
    chain.mine(3)
    assert follow(chain, row).state == State.CONFIRMED
    assert Ledger.objects.get(wallet=alice).available == zg("3")


def test_on_a_local_chain_at_rest_what_is_mined_is_confirmed(
    chain: FakeChain, alice: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = deposit(chain, alice)
    chain.mine()
    assert follow(chain, row).state == State.MINED
    monkeypatch.setattr(finality, "IDLE", timedelta(days=-1))
    assert follow(chain, row).state == State.CONFIRMED


def test_on_a_public_network_only_blocks_confirm() -> None:
    head = Block(7, HASH, HASH, timestamp=1)
    public = replace(NETWORK, local=False)
    assert finality.final_block(head, public) == 5
    assert finality.final_block(head, NETWORK) == 7


def test_a_rehearsal_notes_the_network_fee(chain: FakeChain, alice: Wallet) -> None:
    row = transactions.prepare_deposit(alice, NETWORK, zg("3"))
    following.rehearse(chain, row)
    row.refresh_from_db()
    assert row.fee_estimate == chain.estimate_fee(chain.calls.deposit(zg("3")), alice.address)
    assert (row.reason, row.state) == ("", State.PREPARED)


def test_a_rehearsal_notes_what_the_contract_would_refuse(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider, deposit="5", transfer="2")
    row = transactions.prepare_transfer(alice, NETWORK, aurora.provider, zg("3"))
    chain.apply(chain.calls.refund(zg("3")), alice.address)
    following.rehearse(chain, row)
    row.refresh_from_db()
    assert row.reason.startswith("The contract would refuse this now: ")
    assert (row.fee_estimate, row.state) == (None, State.PREPARED)


def test_a_rehearsal_that_comes_late_changes_nothing(chain: FakeChain, alice: Wallet) -> None:
    row = transactions.prepare_deposit(alice, NETWORK, zg("3"))
    outcomes.record_hash(row, HASH)
    following.rehearse(chain, row)
    row.refresh_from_db()
    assert (row.fee_estimate, row.state) == (None, State.SUBMITTED)


def test_an_unreachable_chain_changes_no_state(chain: FakeChain, alice: Wallet) -> None:
    row = deposit(chain, alice)
    follow(chain, row)
    chain.mine()
    chain.down = True
    with pytest.raises(RpcUnreachable):
        following.follow(chain, NETWORK)
    row.refresh_from_db()
    assert row.state == State.SENT


def test_a_transfer_opens_the_sub_account_in_the_mirror(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    chain.apply(chain.calls.deposit(zg("5")), alice.address)
    cast.mirror(chain, cast.ALICE)
    row = transactions.prepare_transfer(alice, NETWORK, aurora.provider, zg("1.5"))
    call = chain.calls.transfer(aurora.provider, zg("1.5"))
    outcomes.record_hash(row, chain.submit(call, alice.address))
    chain.mine()
    follow(chain, row)
    found = SubAccount.objects.get(wallet=alice)
    assert (found.balance, found.acknowledged) == (zg("1.5"), True)
