"""Money between the ledger and sub-accounts: transfers, the waiting of refunds, the way home."""

from __future__ import annotations

import pytest

from devnet.deploy import INFERENCE, LEDGER, LOCK_TIME
from tests.devnet.contract_chain import (
    ALICE,
    AURORA,
    BOB,
    CUMULUS,
    NAME,
    PRISMA,
    ZG,
    ContractChain,
    fee,
    reverts,
)

pytestmark = pytest.mark.chain


def pile_up(chain: ContractChain, *amounts: int) -> None:
    """Let exactly these refunds of Alice wait at Aurora, a minute apart, with nothing free.

    Making a part of the youngest refund free again and requesting that anew splits it in two.
    """
    chain.fund(ALICE, sum(amounts), spare=50 * ZG)
    chain.retrieve(ALICE, AURORA)
    for i in range(1, len(amounts)):
        chain.later(60)
        chain.transfer(ALICE, AURORA, sum(amounts[i:]))
        chain.retrieve(ALICE, AURORA)
    assert chain.waiting() == list(amounts)


def test_the_first_transfer_opens_a_sub_account(chain: ContractChain) -> None:
    chain.ledger.send(ALICE, "addLedger", "about me", value=10 * ZG)
    (event,) = chain.transfer(ALICE, AURORA, ZG)
    assert (event.name, event.values) == (
        "BalanceUpdated",
        {"user": ALICE, "provider": AURORA, "amount": ZG, "pendingRefund": 0},
    )
    assert chain.ledger_of(ALICE) == (9 * ZG, 10 * ZG)
    assert chain.account() == {
        "user": ALICE,
        "provider": AURORA,
        "nonce": 0,
        "balance": ZG,
        "pendingRefund": 0,
        "refunds": (),
        "additionalInfo": "about me",
        "acknowledged": True,
        "validRefundsLength": 0,
        "generation": 0,
        "revokedBitmap": 0,
    }
    assert chain.ledger.read("getLedgerProviders", ALICE, NAME) == (AURORA,)


def test_a_new_sub_account_needs_the_minimum(chain: ContractChain) -> None:
    chain.deposit(ALICE, 10 * ZG)
    with reverts("MinimumDepositRequired", ZG - 1, ZG):
        chain.transfer(ALICE, AURORA, ZG - 1)


def test_a_later_transfer_may_be_one_neuron(chain: ContractChain) -> None:
    chain.fund(ALICE, ZG)
    (event,) = chain.transfer(ALICE, AURORA, 1)
    assert event.values["amount"] == ZG + 1
    assert chain.ledger_of(ALICE) == (10 * ZG - 1, 11 * ZG)


def test_a_transfer_cannot_exceed_what_is_available(chain: ContractChain) -> None:
    chain.deposit(ALICE, 3 * ZG)
    with reverts("InsufficientAvailableBalance", 3 * ZG, 3 * ZG + 1):
        chain.transfer(ALICE, AURORA, 3 * ZG + 1)
    chain.transfer(ALICE, AURORA, 2 * ZG)
    with reverts("InsufficientAvailableBalance", ZG, ZG + 1):
        chain.transfer(ALICE, AURORA, ZG + 1)


def test_nobody_funds_themselves(chain: ContractChain) -> None:
    chain.deposit(ALICE, 10 * ZG)
    with reverts("CallFailed"):
        chain.transfer(ALICE, ALICE, ZG)


def test_a_transfer_needs_no_service_at_the_other_end(chain: ContractChain) -> None:
    chain.fund(ALICE, ZG, provider=CUMULUS)
    assert chain.account(ALICE, CUMULUS)["balance"] == ZG


def test_a_user_has_at_most_50_providers(chain: ContractChain) -> None:
    chain.deposit(ALICE, 60 * ZG)
    providers = [f"0x{i:040x}" for i in range(0x1000, 0x1033)]
    for provider in providers[:50]:
        chain.transfer(ALICE, provider, ZG)
    with reverts("TooManyProvidersForService", 50, 50):
        chain.transfer(ALICE, providers[50], ZG)
    chain.transfer(ALICE, providers[0], ZG)
    assert len(chain.ledger.read("getLedgerProviders", ALICE, NAME)) == 50
    page, total = chain.serving.read("getAccountsByUser", ALICE, 0, 0)
    assert (len(page), total) == (50, 50)


def test_the_first_retrieval_only_starts_the_clock(chain: ContractChain) -> None:
    chain.fund(ALICE, 5 * ZG)
    (event,) = chain.retrieve(ALICE, AURORA)
    assert event.name == "RefundRequested"
    assert event.values == {
        "user": ALICE,
        "provider": AURORA,
        "index": 0,
        "timestamp": chain.now(),
    }
    assert chain.ledger_of(ALICE) == (10 * ZG, 15 * ZG)
    account = chain.account()
    assert (account["balance"], account["pendingRefund"]) == (5 * ZG, 5 * ZG)
    assert account["refunds"] == (
        {"index": 0, "amount": 5 * ZG, "createdAt": chain.now(), "processed": False},
    )
    assert chain.serving.read("getPendingRefund", ALICE, AURORA) == 5 * ZG


def test_the_second_retrieval_a_lock_time_later_brings_it_home(chain: ContractChain) -> None:
    chain.fund(ALICE, 5 * ZG)
    chain.retrieve(ALICE, AURORA)
    due = chain.now() + LOCK_TIME
    chain.at(due)
    held = chain.balance(LEDGER)
    (event,) = chain.retrieve(ALICE, AURORA)
    assert (event.name, event.values["amount"], event.values["pendingRefund"]) == (
        "BalanceUpdated",
        0,
        0,
    )
    assert chain.ledger_of(ALICE) == (15 * ZG, 15 * ZG)
    assert chain.balance(LEDGER) - held == 5 * ZG
    account = chain.account()
    assert (account["balance"], account["validRefundsLength"]) == (0, 0)
    assert len(account["refunds"]) == 1  # a stale leftover


def test_one_second_before_the_lock_time_nothing_comes_home(chain: ContractChain) -> None:
    chain.fund(ALICE, 5 * ZG)
    chain.retrieve(ALICE, AURORA)
    chain.at(chain.now() + LOCK_TIME - 1)
    assert chain.retrieve(ALICE, AURORA) == []
    assert chain.ledger_of(ALICE) == (10 * ZG, 15 * ZG)


def test_the_lock_time_that_counts_is_the_one_of_today(chain: ContractChain) -> None:
    chain.fund(ALICE, 5 * ZG)
    chain.retrieve(ALICE, AURORA)
    chain.serving.send(chain.serving.read("owner"), "updateLockTime", 3600)
    chain.later(3600)
    chain.retrieve(ALICE, AURORA)
    assert chain.ledger_of(ALICE) == (15 * ZG, 15 * ZG)


def test_retrieving_an_empty_sub_account_requests_nothing(chain: ContractChain) -> None:
    chain.fund(ALICE, ZG)
    chain.retrieve(ALICE, AURORA)
    for _ in range(6):
        assert chain.retrieve(ALICE, AURORA) == []
    assert chain.waiting() == [ZG]


def test_retrieving_passes_over_strangers(chain: ContractChain) -> None:
    chain.fund(ALICE, ZG)
    events = chain.retrieve(ALICE, CUMULUS, AURORA, AURORA, PRISMA)
    assert [event.values["provider"] for event in events] == [AURORA]
    assert chain.retrieve(ALICE) == []


def test_one_retrieval_names_at_most_20_providers(chain: ContractChain) -> None:
    chain.fund(ALICE, ZG)
    chain.retrieve(ALICE, *[AURORA] * 20)
    with reverts("TooManyProviders", 21, 20):
        chain.retrieve(ALICE, *[AURORA] * 21)


def test_at_most_five_refunds_wait(chain: ContractChain) -> None:
    pile_up(chain, *[ZG] * 5)
    chain.transfer(ALICE, AURORA, ZG // 2)  # half of the youngest is free again
    with reverts("TooManyRefunds", ALICE, AURORA):
        chain.retrieve(ALICE, AURORA)
    chain.transfer(ALICE, AURORA, ZG // 2)  # and now all of it: there is room
    chain.retrieve(ALICE, AURORA)
    assert chain.waiting() == [ZG] * 5


def test_a_sixth_request_waits_until_the_first_has_come_home(chain: ContractChain) -> None:
    pile_up(chain, *[ZG] * 5)
    chain.transfer(ALICE, AURORA, ZG // 2)
    chain.at(chain.account()["refunds"][0]["createdAt"] + LOCK_TIME)
    chain.retrieve(ALICE, AURORA)
    assert chain.waiting() == [ZG, ZG, ZG, ZG // 2, ZG // 2]
    assert chain.ledger_of(ALICE)[0] == 51 * ZG


@pytest.mark.parametrize(
    ("amount", "waiting", "from_ledger"),
    [
        (0, [3, 4, 5], 0),
        (2, [3, 4, 3], 0),
        (5, [3, 4], 0),
        (6, [3, 3], 0),
        (9, [3], 0),
        (12, [], 0),
        (13, [], 1),
    ],
)
def test_a_transfer_cancels_refunds_from_the_youngest_on(
    chain: ContractChain, amount: int, waiting: list[int], from_ledger: int
) -> None:
    pile_up(chain, 3 * ZG, 4 * ZG, 5 * ZG)
    (event,) = chain.transfer(ALICE, AURORA, amount * ZG)
    assert chain.waiting() == [part * ZG for part in waiting]
    assert event.values["pendingRefund"] == sum(waiting) * ZG
    assert event.values["amount"] == (12 + from_ledger) * ZG
    assert chain.ledger_of(ALICE) == ((50 - from_ledger) * ZG, 62 * ZG)


def test_cancelling_needs_nothing_available(chain: ContractChain) -> None:
    chain.fund(ALICE, 5 * ZG, spare=0)
    chain.retrieve(ALICE, AURORA)
    chain.transfer(ALICE, AURORA, 5 * ZG)
    assert chain.waiting() == []
    chain.retrieve(ALICE, AURORA)
    with reverts("InsufficientAvailableBalance", 0, 1):
        chain.transfer(ALICE, AURORA, 5 * ZG + 1)


def test_only_what_is_due_comes_home_and_the_rest_closes_ranks(chain: ContractChain) -> None:
    pile_up(chain, 3 * ZG, 4 * ZG, 5 * ZG)
    first, second, third = (r["createdAt"] for r in chain.account()["refunds"])
    chain.at(second + LOCK_TIME)
    chain.retrieve(ALICE, AURORA)
    account = chain.account()
    assert chain.waiting() == [5 * ZG]
    assert account["refunds"][0] == {
        "index": 0,
        "amount": 5 * ZG,
        "createdAt": third,
        "processed": False,
    }
    assert len(account["refunds"]) == 3
    assert first < second < third
    assert chain.ledger_of(ALICE) == (57 * ZG, 62 * ZG)


def test_a_stale_slot_is_used_again(chain: ContractChain) -> None:
    pile_up(chain, 3 * ZG, 4 * ZG)
    chain.later(LOCK_TIME)
    chain.retrieve(ALICE, AURORA)
    chain.transfer(ALICE, AURORA, 2 * ZG)
    chain.retrieve(ALICE, AURORA)
    account = chain.account()
    assert chain.waiting() == [2 * ZG]
    assert account["refunds"][0]["createdAt"] == chain.now()
    assert account["refunds"][1]["amount"] == 4 * ZG  # as it was left
    assert len(account["refunds"]) == 2


@pytest.mark.parametrize(
    ("charged", "waiting", "free"),
    [
        (1, [3, 4, 5], 1),
        (2, [3, 4, 5], 0),
        (3, [3, 4, 4], 0),
        (7, [3, 4], 0),
        (12, [2], 0),
        (14, [], 0),
    ],
)
def test_a_fee_takes_free_money_first_and_then_the_youngest_refunds(
    chain: ContractChain, charged: int, waiting: list[int], free: int
) -> None:
    pile_up(chain, 3 * ZG, 4 * ZG, 7 * ZG)
    chain.transfer(ALICE, AURORA, 2 * ZG)  # makes 2 of the 7 free
    chain.settle(fee(charged * ZG, 1))
    account = chain.account()
    assert chain.waiting() == [part * ZG for part in waiting]
    assert account["balance"] - account["pendingRefund"] == free * ZG
    assert chain.ledger_of(ALICE) == (50 * ZG, (64 - charged) * ZG)


def test_a_shrunken_refund_comes_home_shrunken(chain: ContractChain) -> None:
    chain.fund(ALICE, 5 * ZG)
    chain.retrieve(ALICE, AURORA)
    chain.settle(fee(2 * ZG, 1))
    chain.later(LOCK_TIME)
    chain.retrieve(ALICE, AURORA)
    assert chain.ledger_of(ALICE) == (13 * ZG, 13 * ZG)


def test_a_deleted_ledger_takes_its_sub_accounts_along(chain: ContractChain) -> None:
    chain.fund(ALICE, 5 * ZG)
    chain.fund(BOB, 5 * ZG)
    chain.retrieve(ALICE, AURORA)
    chain.later(LOCK_TIME)
    chain.retrieve(ALICE, AURORA)
    (event,) = chain.ledger.send(ALICE, "refund", 15 * ZG)
    assert (event.name, event.values) == (
        "AccountDeleted",
        {"user": ALICE, "provider": AURORA, "refundedAmount": 0},
    )
    assert chain.serving.read("accountExists", ALICE, AURORA) is False
    assert chain.ledger.read("getLedgerProviders", ALICE, NAME) == ()
    assert chain.serving.read("getAccountsByUser", ALICE, 0, 0) == ((), 0)
    remaining, total = chain.serving.read("getAccountsByProvider", AURORA, 0, 0)
    assert ([item["user"] for item in remaining], total) == ([BOB], 1)


def test_an_emptied_ledger_can_be_deleted_by_hand(chain: ContractChain) -> None:
    chain.fund(ALICE, 3 * ZG, spare=0)
    chain.settle(fee(3 * ZG, 1))  # all of it is spent: total is 0, but the records remain
    assert chain.ledger_of(ALICE) == (0, 0)
    (event,) = chain.ledger.send(ALICE, "deleteLedger")
    assert event.name == "AccountDeleted"
    with reverts("LedgerNotExists", ALICE):
        chain.ledger.read("getLedger", ALICE)


def test_nonce_and_generation_outlive_a_deleted_sub_account(chain: ContractChain) -> None:
    chain.fund(ALICE, 3 * ZG, spare=0)
    chain.serving.send(ALICE, "revokeAllTokens", AURORA)
    chain.serving.send(ALICE, "revokeToken", AURORA, 3)
    chain.retrieve(ALICE, AURORA)
    chain.settle(fee(3 * ZG, 77))
    chain.ledger.send(ALICE, "deleteLedger")

    chain.fund(ALICE, 2 * ZG, spare=3 * ZG)
    account = chain.account()
    assert (account["nonce"], account["generation"]) == (77, 1)
    assert (account["balance"], account["pendingRefund"], account["refunds"]) == (2 * ZG, 0, ())
    assert account["revokedBitmap"] == 0  # as on the live network: a key of id 3 works again
    assert account["acknowledged"] is True


def test_value_in_the_serving_contract_is_what_its_records_say(chain: ContractChain) -> None:
    before = chain.balance(INFERENCE)
    chain.fund(ALICE, 5 * ZG)
    assert chain.balance(INFERENCE) - before == 5 * ZG
    chain.retrieve(ALICE, AURORA)
    assert chain.balance(INFERENCE) - before == 5 * ZG
    chain.settle(fee(2 * ZG, 1))
    assert chain.balance(INFERENCE) - before == 3 * ZG
