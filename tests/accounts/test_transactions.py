from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import outcomes, transactions
from accounts.models import Ledger, SubAccount, Transaction, Wallet
from accounts.transactions import Refused
from marketplace.models import NetworkState, Service
from tests.accounts import cast
from tests.accounts.cast import NETWORK, zg
from zgcompute.testing import FakeChain

State = Transaction.State
HASH = "0x" + "ab" * 32


def test_a_deposit_is_the_contracts_call_with_the_amount_as_value(
    chain: FakeChain, alice: Wallet
) -> None:
    row = transactions.prepare_deposit(alice, NETWORK, zg("3"))
    call = chain.calls.deposit(zg("3"))
    assert (row.to, row.data, row.value, row.function) == (
        call.to,
        call.data,
        zg("3"),
        "depositFund",
    )
    assert row.state == State.PREPARED
    assert "creates your ledger" in row.note


def test_the_first_deposit_must_reach_the_contracts_minimum(alice: Wallet) -> None:
    with pytest.raises(Refused, match="at least 3 0G") as refusal:
        transactions.prepare_deposit(alice, NETWORK, zg("3") - 1)
    assert refusal.value.advice == "Deposit 3 0G or more."


def test_the_minimum_is_the_one_read_from_the_chain(alice: Wallet) -> None:
    NetworkState.objects.update(min_account_balance=zg("0.1"))
    assert transactions.prepare_deposit(alice, NETWORK, zg("0.1")).amount == zg("0.1")


def test_a_later_deposit_may_be_small(chain: FakeChain, alice: Wallet, aurora: Service) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider)
    assert transactions.prepare_deposit(alice, NETWORK, 1).value == 1


@pytest.mark.parametrize("amount", [0, -1])
def test_nothing_cannot_be_moved(
    chain: FakeChain, alice: Wallet, aurora: Service, amount: int
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider)
    for prepare in (
        lambda: transactions.prepare_deposit(alice, NETWORK, amount),
        lambda: transactions.prepare_transfer(alice, NETWORK, aurora.provider, amount),
        lambda: transactions.prepare_withdrawal(alice, NETWORK, amount),
    ):
        with pytest.raises(Refused, match="above zero"):
            prepare()


def test_nobody_deposits_more_than_the_wallet_holds(bob: Wallet) -> None:
    with pytest.raises(Refused, match="holds 2 0G"):
        transactions.prepare_deposit(bob, NETWORK, zg("3"))


def test_nothing_is_prepared_from_balances_never_read(mallory: Wallet) -> None:
    with pytest.raises(Refused, match="not been read yet"):
        transactions.prepare_deposit(mallory, NETWORK, zg("3"))


def test_nothing_is_prepared_before_the_contracts_are_known(alice: Wallet) -> None:
    NetworkState.objects.all().delete()
    with pytest.raises(Refused, match="contracts of this network"):
        transactions.prepare_deposit(alice, NETWORK, zg("3"))


def test_a_transfer_names_provider_service_and_amount(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider)
    row = transactions.prepare_transfer(alice, NETWORK, aurora.provider.lower(), zg("1.5"))
    call = chain.calls.transfer(aurora.provider, zg("1.5"))
    assert (row.to, row.data, row.value) == (call.to, call.data, 0)
    assert (row.amount, row.provider) == (zg("1.5"), aurora.provider)


def test_a_transfer_needs_a_ledger_first(alice: Wallet, aurora: Service) -> None:
    with pytest.raises(Refused, match="no ledger") as refusal:
        transactions.prepare_transfer(alice, NETWORK, aurora.provider, zg("1"))
    assert "first deposit" in refusal.value.advice


def test_a_first_transfer_must_reach_the_minimum(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    chain.apply(chain.calls.deposit(zg("5")), alice.address)
    cast.mirror(chain, cast.ALICE)
    with pytest.raises(Refused, match="at least 1 0G"):
        transactions.prepare_transfer(alice, NETWORK, aurora.provider, zg("0.9"))


def test_a_transfer_of_just_the_reserve_warns_that_it_is_not_enough(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    chain.apply(chain.calls.deposit(zg("5")), alice.address)
    cast.mirror(chain, cast.ALICE)
    NetworkState.objects.update(min_transfer_amount=zg("0.01"))
    row = transactions.prepare_transfer(alice, NETWORK, aurora.provider, zg("0.4"))
    assert "0.6 0G more are needed" in row.note


def test_a_transfer_beyond_the_available_says_how_much_is_missing(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider, deposit="5", transfer="2")
    with pytest.raises(Refused, match="3 0G available") as refusal:
        transactions.prepare_transfer(alice, NETWORK, aurora.provider, zg("4"))
    assert "Deposit 1 0G first" in refusal.value.advice


def test_pending_refunds_are_cancelled_before_money_leaves_the_ledger(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider, deposit="5", transfer="2")
    chain.apply(chain.calls.retrieve([aurora.provider]), alice.address)
    cast.mirror(chain, cast.ALICE)
    row = transactions.prepare_transfer(alice, NETWORK, aurora.provider, zg("5"))
    assert "2 0G of it cancel refunds" in row.note
    chain.apply(chain.calls.transfer(aurora.provider, zg("5")), alice.address)
    assert chain.ledger(alice.address).available == 0


def test_money_on_its_way_out_is_not_spent_twice(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider, deposit="5", transfer="2")
    first = transactions.prepare_transfer(alice, NETWORK, aurora.provider, zg("2"))
    outcomes.record_hash(first, HASH)
    with pytest.raises(Refused, match="1 0G available"):
        transactions.prepare_transfer(alice, NETWORK, aurora.provider, zg("2"))


def test_a_provider_without_a_service_gets_no_transfer(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider)
    Service.objects.update(removed_at=timezone.now())
    with pytest.raises(Refused, match="no service on chain"):
        transactions.prepare_transfer(alice, NETWORK, aurora.provider, zg("1"))
    with pytest.raises(Refused, match="no service on chain"):
        transactions.prepare_transfer(alice, NETWORK, cast.stranger(), zg("1"))


def test_a_provider_is_not_its_own_customer(alice: Wallet, chain: FakeChain) -> None:
    chain.register(replace(chain.services()[0], provider=cast.ALICE.address))
    cast.mirror_service(chain, alice.address)
    chain.apply(chain.calls.deposit(zg("5")), alice.address)
    cast.mirror(chain, cast.ALICE)
    with pytest.raises(Refused, match="own customer"):
        transactions.prepare_transfer(alice, NETWORK, alice.address, zg("1"))


def test_the_limit_of_providers_is_kept(chain: FakeChain, alice: Wallet, aurora: Service) -> None:
    chain.apply(chain.calls.deposit(zg("5")), alice.address)
    cast.mirror(chain, cast.ALICE)
    NetworkState.objects.update(max_providers_per_user=0)
    with pytest.raises(Refused, match="the most a ledger may have"):
        transactions.prepare_transfer(alice, NETWORK, aurora.provider, zg("1"))


def test_acknowledging_needs_a_sub_account_and_happens_once(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    with pytest.raises(Refused, match="no sub-account"):
        transactions.prepare_acknowledgement(alice, NETWORK, aurora.provider)
    cast.fund(chain, cast.ALICE, aurora.provider)
    with pytest.raises(Refused, match="already"):
        transactions.prepare_acknowledgement(alice, NETWORK, aurora.provider)
    SubAccount.objects.update(acknowledged=False)
    row = transactions.prepare_acknowledgement(alice, NETWORK, aurora.provider)
    assert row.data == chain.calls.acknowledge(aurora.provider).data
    assert row.to == chain.contracts().inference


def test_retrieving_takes_two_calls_one_lock_time_apart(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider, transfer="2")
    first = transactions.prepare_retrieval(alice, NETWORK, aurora.provider)
    assert (first.amount, first.data) == (zg("2"), chain.calls.retrieve([aurora.provider]).data)
    chain.apply(chain.calls.retrieve([aurora.provider]), alice.address)
    cast.mirror(chain, cast.ALICE)
    with pytest.raises(Refused, match="nothing to retrieve") as refusal:
        transactions.prepare_retrieval(alice, NETWORK, aurora.provider)
    assert "lock time" in refusal.value.advice
    SubAccount.objects.get().refunds.update(payable_at=timezone.now() - timedelta(seconds=1))
    second = transactions.prepare_retrieval(alice, NETWORK, aurora.provider)
    assert second.amount == 0
    assert "2 0G whose lock time has passed" in second.note


def test_a_withdrawal_leaves_nothing_or_the_minimum(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider, deposit="7", transfer="2")
    assert transactions.prepare_withdrawal(alice, NETWORK, zg("5")).amount == zg("5")
    assert transactions.prepare_withdrawal(alice, NETWORK, zg("2")).value == 0
    with pytest.raises(Refused, match="2.5 0G would remain") as refusal:
        transactions.prepare_withdrawal(alice, NETWORK, zg("2.5"))
    assert refusal.value.advice == "Withdraw all 5 0G, or at most 2 0G."
    with pytest.raises(Refused, match="5 0G available"):
        transactions.prepare_withdrawal(alice, NETWORK, zg("5") + 1)


def test_everything_that_is_prepared_succeeds_on_chain(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    transactions.prepare_deposit(alice, NETWORK, zg("6"))
    chain.apply(chain.calls.deposit(zg("6")), alice.address)
    cast.mirror(chain, cast.ALICE)
    transactions.prepare_transfer(alice, NETWORK, aurora.provider, zg("3"))
    chain.apply(chain.calls.transfer(aurora.provider, zg("3")), alice.address)
    cast.mirror(chain, cast.ALICE)
    transactions.prepare_withdrawal(alice, NETWORK, zg("3"))
    chain.apply(chain.calls.refund(zg("3")), alice.address)
    cast.mirror(chain, cast.ALICE)
    assert Ledger.objects.get().available == 0
