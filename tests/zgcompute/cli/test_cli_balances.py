from __future__ import annotations

import pytest

from tests.zgcompute.cli.desk import ALICE, Desk, json_of, shape
from tests.zgcompute.cli.test_cli_moves import AMOUNT, DAY
from zgcompute.amounts import parse
from zgcompute.testing import FEE, Fault

SUB_ACCOUNT = {
    "provider": "str",
    "balance": AMOUNT,
    "pending_refund": AMOUNT,
    "free": AMOUNT,
    "acknowledged": "bool",
    "generation": "int",
}


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_the_account_is_shown_with_everything_it_holds(desk: Desk) -> None:
    provider = desk.fund(deposit="10", transfer="4")
    result = desk.look("get-account", COLUMNS="120")
    left = 100 - 10
    assert result.exit_code == 0
    assert result.stdout == (
        f"Wallet          {ALICE.address}\n"
        f"In the wallet   {left - 1}.9998 0G\n"
        "Ledger          10 0G\n"
        "Available       6 0G\n"
        "With providers  4 0G\n"
        "\n"
        f"{'Provider':42}  Balance  On its way back  Signer acknowledged\n"
        f"{provider}  4 0G     0 0G             yes\n"
    )


def test_the_accounts_json_has_a_stable_shape_and_exact_amounts(desk: Desk) -> None:
    desk.fund(deposit="10", transfer="4")
    found = json_of(desk.look("get-account", "--json"))
    assert shape(found) == {
        "network": "str",
        "address": "str",
        "wallet": AMOUNT,
        "ledger": {"total": AMOUNT, "available": AMOUNT, "locked": AMOUNT},
        "sub_accounts": [SUB_ACCOUNT],
        "block_number": "int",
    }
    assert found["wallet"]["neuron"] == str(parse("90") - 2 * FEE)
    assert found["ledger"]["locked"] == {"neuron": str(parse("4")), "og": "4"}


def test_without_a_ledger_that_is_said_and_no_failure(desk: Desk) -> None:
    result = desk.look("get-account")
    assert (result.exit_code, "Ledger         none" in result.stdout) == (0, True)
    assert "add-account" in result.stderr
    assert json_of(desk.look("get-account", "--json"))["ledger"] is None


def test_an_unreachable_chain_is_no_empty_account(desk: Desk) -> None:
    desk.chain.down = True
    result = desk.look("get-account")
    assert (result.exit_code, result.stdout) == (4, "")


def test_a_sub_account_is_shown_with_what_is_on_its_way_back(desk: Desk) -> None:
    provider = desk.fund(deposit="10", transfer="4")
    desk.pay("retrieve-fund")
    early = desk.look("get-sub-account", "--provider", provider)
    assert "4 0G on its way back, until 20" in early.stdout
    found = json_of(desk.look("get-sub-account", "--provider", provider, "--json"))
    refund = {"amount": AMOUNT, "requested_at": "int", "due_at": "int", "is_due": "bool"}
    assert shape(found) == SUB_ACCOUNT | {"refunds": [refund]}
    assert (found["free"]["og"], found["refunds"][0]["is_due"]) == ("0", False)
    desk.chain.advance(DAY)
    due = desk.look("get-sub-account", "--provider", provider)
    assert "4 0G can come home now: retrieve-fund" in due.stdout


def test_a_sub_account_that_is_not_there_is_refused_with_a_remedy(desk: Desk) -> None:
    result = desk.look("get-sub-account", "--provider", desk.service.provider)
    assert (result.exit_code, result.stdout) == (3, "")
    assert "the first transfer creates the sub-account" in result.stderr


def test_usage_shows_what_is_not_settled_and_what_is_left(desk: Desk) -> None:
    provider = desk.fund(deposit="10", transfer="4")
    desk.provider.unsettled = parse("0.5")
    result = desk.look("inference usage", "--provider", provider)
    assert "Not settled        0.5 0G (as the provider says)" in result.stdout
    assert "Left for requests  2.5 0G" in result.stdout
    found = json_of(desk.look("inference usage", "--provider", provider, "--json"))
    amounts = {"unsettled": AMOUNT, "reserve": AMOUNT, "left": AMOUNT}
    assert shape(found) == SUB_ACCOUNT | amounts
    assert found["left"]["og"] == "2.5"


def test_too_little_for_the_reserve_is_told_exactly(desk: Desk) -> None:
    provider = desk.fund(deposit="10", transfer="1")
    desk.provider.unsettled = parse("0.25")
    result = desk.look("inference usage", "--provider", provider)
    assert "Left for requests  0 0G" in result.stdout
    assert "0.25 0G are missing" in result.stderr
    found = json_of(desk.look("inference usage", "--provider", provider, "--json"))
    assert found["left"]["og"] == "-0.25"


def test_a_provider_that_does_not_answer_leaves_no_zero_in_its_place(desk: Desk) -> None:
    provider = desk.fund(deposit="10", transfer="4")
    desk.provider.fault = Fault.UNREACHABLE
    result = desk.look("inference usage", "--provider", provider)
    assert (result.exit_code, result.stdout) == (4, "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_completion_script(desk: Desk, shell: str) -> None:
    result = desk.run("completion", shell)
    assert result.exit_code == 0
    assert "_0G_COMPUTE_CLI_COMPLETE" in result.stdout
    assert shape(json_of(desk.run("completion", shell, "--json"))) == {
        "shell": "str",
        "script": "str",
    }
    words = {"COMP_WORDS": "0g-compute-cli inference get-s", "COMP_CWORD": "2"}
    variable = {"_0G_COMPUTE_CLI_COMPLETE": f"{shell}_complete"}
    if shell == "bash":
        completed = desk.run(**words, **variable)
        assert "get-secret" in completed.stdout


def test_no_other_shell_is_completed(desk: Desk) -> None:
    assert desk.run("completion", "csh").exit_code == 2
