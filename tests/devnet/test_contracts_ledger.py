"""LedgerManager: money between the wallet and the ledger."""

from __future__ import annotations

import pytest

from devnet.deploy import INFERENCE, LEDGER
from devnet.node import NodeRefused
from tests.devnet.contract_chain import (
    ALICE,
    AURORA,
    BOB,
    CUMULUS,
    NAME,
    ZERO,
    ZG,
    ContractChain,
    reverts,
)

pytestmark = pytest.mark.chain


def test_the_limits_are_the_documented_ones(chain: ContractChain) -> None:
    expected = {
        "MIN_ACCOUNT_BALANCE": 3 * ZG,
        "MIN_TRANSFER_AMOUNT": 1 * ZG,
        "MAX_PROVIDERS_PER_BATCH": 20,
        "MAX_PROVIDERS_PER_USER_PER_SERVICE": 50,
        "MAX_SERVICES": 500,
        "MAX_ADDITIONAL_INFO_LENGTH": 4096,
    }
    assert {name: chain.ledger.read(name) for name in expected} == expected


def test_the_first_deposit_opens_a_ledger(chain: ContractChain) -> None:
    assert chain.deposit(ALICE, 3 * ZG) == []  # the ledger is silent about deposits
    assert chain.ledger.read("getLedger", ALICE) == {
        "user": ALICE,
        "availableBalance": 3 * ZG,
        "totalBalance": 3 * ZG,
        "additionalInfo": "",
    }


def test_the_first_deposit_must_reach_the_minimum(chain: ContractChain) -> None:
    with reverts("MinimumDepositRequired", 3 * ZG - 1, 3 * ZG):
        chain.deposit(ALICE, 3 * ZG - 1)


def test_a_later_deposit_may_be_one_neuron(chain: ContractChain) -> None:
    chain.deposit(ALICE, 3 * ZG)
    chain.deposit(ALICE, 1)
    assert chain.ledger_of(ALICE) == (3 * ZG + 1, 3 * ZG + 1)


def test_an_empty_deposit_is_refused(chain: ContractChain) -> None:
    with reverts("ZeroAmountNotAllowed"):
        chain.deposit(ALICE, 0)
    with reverts("ZeroAmountNotAllowed"):
        chain.ledger.send(ALICE, "depositFundFor", BOB)


def test_a_deposit_for_somebody_else_is_theirs(chain: ContractChain) -> None:
    chain.ledger.send(BOB, "depositFundFor", ALICE, value=3 * ZG)
    chain.ledger.send(BOB, "depositFundFor", ALICE, value=5)
    assert chain.ledger_of(ALICE) == (3 * ZG + 5, 3 * ZG + 5)
    with reverts("LedgerNotExists", BOB):
        chain.ledger.read("getLedger", BOB)


def test_a_deposit_for_nobody_is_refused(chain: ContractChain) -> None:
    with reverts("ZeroAddressNotAllowed"):
        chain.ledger.send(ALICE, "depositFundFor", ZERO, value=3 * ZG)


def test_the_first_deposit_for_somebody_else_must_reach_the_minimum(chain: ContractChain) -> None:
    with reverts("MinimumDepositRequired", ZG, 3 * ZG):
        chain.ledger.send(BOB, "depositFundFor", ALICE, value=ZG)


def test_add_ledger_keeps_the_additional_info(chain: ContractChain) -> None:
    chain.ledger.send(ALICE, "addLedger", "hello", value=4 * ZG)
    assert chain.ledger.read("getLedger", ALICE)["additionalInfo"] == "hello"
    assert chain.ledger_of(ALICE) == (4 * ZG, 4 * ZG)


def test_add_ledger_has_the_same_minimum(chain: ContractChain) -> None:
    with reverts("MinimumDepositRequired", 1, 3 * ZG):
        chain.ledger.send(ALICE, "addLedger", "", value=1)


def test_nobody_has_two_ledgers(chain: ContractChain) -> None:
    chain.deposit(ALICE, 3 * ZG)
    with reverts("LedgerExists", ALICE):
        chain.ledger.send(ALICE, "addLedger", "", value=3 * ZG)


def test_additional_info_may_have_4096_bytes_and_no_more(chain: ContractChain) -> None:
    chain.ledger.send(ALICE, "addLedger", "x" * 4096, value=3 * ZG)
    with reverts("AdditionalInfoTooLong", 4097, 4096):
        chain.ledger.send(ALICE, "updateAdditionalInfo", "x" * 4097)
    with reverts("AdditionalInfoTooLong", 4097, 4096):
        chain.ledger.send(BOB, "addLedger", "x" * 4097, value=3 * ZG)


def test_additional_info_can_be_changed(chain: ContractChain) -> None:
    chain.deposit(ALICE, 3 * ZG)
    (event,) = chain.ledger.send(ALICE, "updateAdditionalInfo", "new")
    assert (event.name, event.values) == (
        "LedgerInfoUpdated",
        {"user": ALICE, "additionalInfo": "new"},
    )
    assert chain.ledger.read("getLedger", ALICE)["additionalInfo"] == "new"


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("refund", (1,)),
        ("deleteLedger", ()),
        ("updateAdditionalInfo", ("",)),
        ("transferFund", (AURORA, NAME, ZG)),
        ("retrieveFund", ([AURORA], NAME)),
    ],
)
def test_without_a_ledger_nothing_can_be_done(
    chain: ContractChain, function: str, arguments: tuple[object, ...]
) -> None:
    with reverts("LedgerNotExists", ALICE):
        chain.ledger.send(ALICE, function, *arguments)


def test_a_refund_may_leave_the_minimum(chain: ContractChain) -> None:
    chain.deposit(ALICE, 10 * ZG)
    before = chain.balance(LEDGER)
    assert chain.ledger.send(ALICE, "refund", 7 * ZG) == []
    assert chain.ledger_of(ALICE) == (3 * ZG, 3 * ZG)
    assert before - chain.balance(LEDGER) == 7 * ZG


def test_a_refund_may_not_leave_less_than_the_minimum(chain: ContractChain) -> None:
    chain.deposit(ALICE, 10 * ZG)
    with reverts("MinimumDepositRequired", 3 * ZG - 1, 3 * ZG):
        chain.ledger.send(ALICE, "refund", 7 * ZG + 1)
    with reverts("MinimumDepositRequired", 1, 3 * ZG):
        chain.ledger.send(ALICE, "refund", 10 * ZG - 1)


def test_a_refund_cannot_exceed_what_is_available(chain: ContractChain) -> None:
    chain.fund(ALICE, 5 * ZG, spare=3 * ZG)
    with reverts("InsufficientBalance", ALICE):
        chain.ledger.send(ALICE, "refund", 3 * ZG + 1)


def test_the_wallet_gets_what_is_refunded(chain: ContractChain) -> None:
    chain.deposit(ALICE, 10 * ZG)
    before = chain.balance(ALICE)
    receipt = chain.node.send(ALICE, LEDGER, chain.ledger.interface.encode("refund", 7 * ZG))
    gas = int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
    assert chain.balance(ALICE) - before == 7 * ZG - gas


def test_refunding_everything_deletes_the_ledger(chain: ContractChain) -> None:
    chain.deposit(ALICE, 10 * ZG)
    chain.ledger.send(ALICE, "refund", 10 * ZG)
    with reverts("LedgerNotExists", ALICE):
        chain.ledger.read("getLedger", ALICE)
    assert chain.ledger.read("getAllLedgers", 0, 0) == ((), 0)
    chain.deposit(ALICE, 3 * ZG)


def test_refunding_all_that_is_available_keeps_the_ledger_of_locked_money(
    chain: ContractChain,
) -> None:
    chain.fund(ALICE, 5 * ZG, spare=3 * ZG)
    chain.ledger.send(ALICE, "refund", 3 * ZG)
    assert chain.ledger_of(ALICE) == (0, 5 * ZG)
    assert chain.account()["balance"] == 5 * ZG


def test_a_ledger_with_money_is_not_deleted(chain: ContractChain) -> None:
    chain.fund(ALICE, 5 * ZG, spare=3 * ZG)
    with reverts("MustWithdrawAllFundsFirst", 8 * ZG):
        chain.ledger.send(ALICE, "deleteLedger")


@pytest.mark.parametrize("address", [LEDGER, INFERENCE])
def test_plain_value_is_refused(chain: ContractChain, address: str) -> None:
    with reverts("DirectDepositsDisabled"):
        chain.node.send(ALICE, address, value=1)


@pytest.mark.parametrize("address", [LEDGER, INFERENCE])
def test_unknown_functions_are_refused(chain: ContractChain, address: str) -> None:
    with pytest.raises(NodeRefused):
        chain.node.send(ALICE, address, "0x12345678")


def test_ledgers_are_listed_in_pages(chain: ContractChain) -> None:
    for user in (ALICE, BOB, CUMULUS):
        chain.deposit(user, 3 * ZG)
    everything, total = chain.ledger.read("getAllLedgers", 0, 0)
    assert ([ledger["user"] for ledger in everything], total) == ([ALICE, BOB, CUMULUS], 3)
    page, total = chain.ledger.read("getAllLedgers", 1, 1)
    assert ([ledger["user"] for ledger in page], total) == ([BOB], 3)
    assert chain.ledger.read("getAllLedgers", 3, 5) == ((), 3)
    assert len(chain.ledger.read("getAllLedgers", 1, 2**256 - 1)[0]) == 2


def test_a_ledger_cannot_be_entered_while_it_pays_out(chain: ContractChain) -> None:
    wallet = create_reentering_wallet(chain)
    deposit = chain.ledger.interface.encode("depositFund")
    chain.node.send(ALICE, wallet, forwarded(LEDGER, deposit), 10 * ZG)
    assert chain.ledger_of(wallet) == (10 * ZG, 10 * ZG)

    refund = chain.ledger.interface.encode("refund", 7 * ZG)
    receipt = chain.node.send(ALICE, wallet, forwarded(LEDGER, refund))

    (log,) = receipt["logs"]
    selectors = {entry.name: key for key, entry in chain.ledger.interface.errors.items()}
    assert log["data"] == "0x" + selectors["LedgerLocked"].hex()
    assert chain.ledger_of(wallet) == (3 * ZG, 3 * ZG)


def test_a_wallet_that_takes_no_money_keeps_its_ledger(chain: ContractChain) -> None:
    wallet = create_reentering_wallet(chain)
    chain.ledger.send(ALICE, "depositFundFor", wallet, value=10 * ZG)
    chain.impersonate(wallet)
    chain.node.call("anvil_setCode", wallet, "0xfe")
    with reverts("TransferFailed"):
        chain.ledger.send(wallet, "refund", 7 * ZG)
    assert chain.ledger_of(wallet) == (10 * ZG, 10 * ZG)


def create_reentering_wallet(chain: ContractChain) -> str:
    """Deploy a wallet that is a program, written by hand: there is no compiler in the tests.

    Called with input (32 bytes target, then a call), it makes that call. Paid without input, it
    tries depositFund() with 1 neuron at whoever pays and logs what comes back.
    """
    deposit_fund = chain.ledger.interface.encode("depositFund")[2:]
    paid = (
        "63" + deposit_fund + "600052"  # mem[0..32] = selector, right-aligned
        "60006000" + "6004601c" + "6001" + "33" + "5a" + "f1"  # call(gas, caller, 1, 28, 4, 0, 0)
        "50"
        "3d600060003e"  # copy the return data to mem[0..]
        "3d6000a000"  # log0(mem[0..size]); stop
    )
    forward = (
        "5b"
        "6020360360206000" + "37"  # copy calldata[32..] to mem[0..]
        "60006000" + "60203603" + "6000" + "34" + "600035" + "5a" + "f1"
        "15"
    )
    start = 4 + len(paid) // 2
    bubble = start + len(forward) // 2 + 4
    forward += f"60{bubble:02x}5700" + "5b3d600060003e3d6000fd"
    runtime = f"3660{start:02x}57" + paid + forward
    size = len(runtime) // 2
    creation = f"60{size:02x}600c60003960{size:02x}6000f3" + runtime
    return str(chain.node.send(ALICE, None, "0x" + creation)["contractAddress"])


def forwarded(target: str, call: str) -> str:
    return "0x" + "00" * 12 + target[2:] + call[2:]
