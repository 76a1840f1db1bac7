from __future__ import annotations

import re
from typing import Any

import pytest

from tests.zgcompute.cli.desk import ALICE, Desk, json_of, shape
from zgcompute.amounts import parse
from zgcompute.cli.spending import progress
from zgcompute.testing import FEE
from zgcompute.types import Address

AMOUNT = {"neuron": "str", "og": "str"}
SENT = {
    "network": "str",
    "function": "str",
    "amount": AMOUNT,
    "hash": "str",
    "url": "str",
    "block_number": "int",
    "network_fee": AMOUNT,
}
RETRIEVED = {
    "providers": ["str"],
    "came_home": AMOUNT,
    "started": AMOUNT,
    "second_call_from": "int",
    "providers_left": "int",
    "providers_blocked": "int",
}
DAY = 86_400


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_deposit_says_what_it_is_before_and_what_became_of_it_after(desk: Desk) -> None:
    desk.fund()
    result = desk.pay("deposit", "--amount", "5")
    assert (result.exit_code, result.stdout) == (0, "Deposited 5 0G\n")
    told = re.sub(r"0x[0-9a-f]{64}", "HASH", result.stderr)
    contract = desk.chain.contracts().ledger
    assert told == (
        "Deposit 5 0G of the wallet into its ledger\n"
        "Amount       5 0G\n"
        f"Wallet       {ALICE.address}\n"
        f"Contract     {contract} (depositFund)\n"
        "Network      Devnet (devnet, chain 31337)\n"
        "Network fee  about 0.000125 0G\n"
        "It is the first deposit here: it creates the ledger.\n"
        "Sent as HASH\n"
        "Waiting until it is mined …\n"
        "Mined in block 2; network fee 0.0001 0G\n"
    )
    assert desk.chain.ledger(ALICE.address).available == parse("5")


def test_a_yes_at_the_terminal_sends_and_anything_else_does_not(desk: Desk) -> None:
    desk.fund()
    before = desk.chain.block_number()
    declined = desk.pay("deposit", "--amount", "5", yes=False, typed="\n")
    assert (declined.exit_code, declined.stdout) == (1, "")
    assert declined.stderr.endswith("Send it? [y/N] Error: Not confirmed, so nothing was done.\n")
    assert desk.chain.block_number() == before
    assert desk.pay("deposit", "--amount", "5", yes=False, typed="y\n").exit_code == 0
    assert desk.chain.block_number() == before + 1


def test_without_a_terminal_nothing_is_sent_unless_that_is_said(desk: Desk) -> None:
    desk.fund()
    before = desk.chain.block_number()
    result = desk.pay("deposit", "--amount", "5", yes=False)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Deposit 5 0G" in result.stderr
    assert "then add --yes" in result.stderr
    assert desk.chain.block_number() == before


def test_an_account_is_added_once(desk: Desk) -> None:
    desk.fund()
    assert desk.pay("add-account", "--amount", "3").stdout == "Created the ledger with 3 0G\n"
    again = desk.pay("add-account", "--amount", "3")
    assert again.exit_code == 3
    assert "Deposit into it instead." in again.stderr


def test_a_transfer_locks_funds_and_warns_of_the_reserve(desk: Desk) -> None:
    provider = desk.fund(deposit="10")
    result = desk.pay("transfer-fund", "--provider", provider, "--amount", "1")
    assert result.stdout == f"Transferred 1 0G to {provider}\n"
    assert "keeps 1 0G in reserve" in result.stderr
    account = desk.chain.sub_account(ALICE.address, provider)
    assert (account.balance, account.acknowledged) == (parse("1"), True)
    more = desk.pay("transfer-fund", "--provider", provider, "--amount", "0.5")
    assert more.exit_code == 0
    assert "reserve" not in more.stderr


def test_a_transfer_says_what_it_takes_back_from_refunds(desk: Desk) -> None:
    provider = desk.fund(deposit="10", transfer="4")
    assert desk.pay("retrieve-fund").exit_code == 0
    result = desk.pay("transfer-fund", "--provider", provider, "--amount", "5")
    assert "4 0G of it cancel refunds" in result.stderr
    assert "1 0G leave the available balance" in result.stderr


def test_a_signer_that_the_owner_has_not_acknowledged_is_told_of() -> None:
    desk = Desk(tee_signer_acknowledged=False)
    provider = desk.fund(deposit="10")
    result = desk.pay("transfer-fund", "--provider", provider, "--amount", "2")
    assert "owner has not acknowledged" in result.stderr


def test_retrieving_explains_its_two_steps_and_when_the_second_is_due(desk: Desk) -> None:
    desk.fund(deposit="10", transfer="4")
    first = desk.pay("retrieve-fund")
    assert first.exit_code == 0
    assert first.stdout.startswith("4 0G come home with a second call, from 20")
    assert first.stderr.startswith("Retrieve what is with 1 provider\n")
    assert "lock time of 24 hours" in first.stderr
    early = desk.pay("retrieve-fund")
    assert early.exit_code == 3
    assert "when its lock time has passed" in early.stderr
    desk.chain.advance(DAY)
    second = desk.pay("retrieve-fund")
    assert second.stdout == "4 0G came home to the ledger\n"
    assert desk.chain.ledger(ALICE.address).available == parse("10")


def test_one_call_can_bring_home_and_start_again(desk: Desk) -> None:
    provider = desk.fund(deposit="10", transfer="4")
    desk.pay("retrieve-fund", "--provider", provider)
    desk.chain.advance(DAY)
    desk.chain.apply(desk.chain.calls.transfer(provider, parse("5")), ALICE.address)
    desk.chain.apply(desk.chain.calls.retrieve([provider]), ALICE.address)
    desk.chain.advance(DAY)
    found = json_of(desk.pay("retrieve-fund", "--json"))
    assert (found["came_home"]["og"], found["started"]["og"]) == ("5", "0")
    assert found["second_call_from"] is None


def test_retrieving_from_named_providers_leaves_the_others_alone(desk: Desk) -> None:
    first = desk.fund(deposit="10", transfer="2")
    second = desk.add("0x4444444444444444444444444444444444444444").service.provider
    desk.chain.apply(desk.chain.calls.transfer(second, parse("3")), ALICE.address)
    found = json_of(desk.pay("retrieve-fund", "--provider", second.lower(), "--json"))
    assert found["providers"] == [second]
    assert found["second_call_from"] == desk.chain.block().timestamp + DAY
    assert desk.chain.sub_account(ALICE.address, first).pending_refund == 0


def test_a_refund_pays_out_and_all_of_it_ends_the_ledger(desk: Desk) -> None:
    desk.fund(deposit="10")
    assert desk.pay("refund", "-a", "2").stdout == "Refunded 2 0G\n"
    last = desk.pay("refund", "--all")
    assert last.stdout == "Refunded 8 0G\n"
    assert "the contract deletes the ledger" in last.stderr
    assert desk.chain.balance(ALICE.address) == parse("100") - 3 * FEE
    assert desk.pay("refund", "--all").exit_code == 3


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["add-account", "--amount", "3"], {}),
        (["deposit", "--amount", "3"], {}),
        (["refund", "--amount", "1"], {}),
        (["transfer-fund", "--amount", "2", "--provider"], {"provider": "str"}),
        (["retrieve-fund", "--provider"], RETRIEVED),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_json_has_a_stable_shape(desk: Desk, arguments: list[str], extra: dict[str, Any]) -> None:
    is_new = arguments[0] == "add-account"
    provider = desk.fund(**({} if is_new else {"deposit": "10", "transfer": "4"}))
    named = [provider] if arguments[-1] == "--provider" else []
    result = desk.pay(*arguments, *named, "--json")
    assert (result.exit_code, shape(json_of(result))) == (0, SENT | extra)


REFUSALS = [
    ("deposit --amount 1", {}, 3, "must be at least 3 0G", "Deposit 3 0G or more."),
    ("deposit --amount 100", {}, 3, "The wallet holds 100 0G", "smaller amount"),
    ("deposit --amount 99.99989", {}, 3, "The wallet holds 100 0G; with the", "Send 0G"),
    ("deposit --amount 0", {}, 2, "must be above zero", "another amount"),
    ("deposit --amount 1e3", {}, 2, "'1e3' is not an amount of 0G", "Write it like 1.5"),
    ("deposit --amount 0.0000000000000000001", {}, 2, "at most 18 decimals", "smallest"),
    ("deposit", {}, 2, "Missing option", "--amount"),
    ("refund --amount 1", {}, 3, "no ledger yet", "first deposit"),
    ("refund", {"deposit": "5"}, 2, "--amount or --all", ""),
    ("refund --all --amount 1", {"deposit": "5"}, 2, "--amount or --all", ""),
    ("refund --amount 6", {"deposit": "5"}, 3, "has 5 0G available", "no more than that"),
    ("refund --amount 3", {"deposit": "5"}, 3, "2 0G would remain", "or at most 2 0G."),
    ("refund --amount 1", {"deposit": "3"}, 3, "2 0G would remain", "Refund all 3 0G."),
    ("transfer-fund --amount 1 --provider {p}", {}, 3, "no ledger yet", "first deposit"),
    ("transfer-fund --amount 0.5 --provider {p}", {"deposit": "5"}, 3, "at least 1 0G", "1 0G"),
    ("transfer-fund --amount 7 --provider {p}", {"deposit": "5"}, 3, "needs 7", "Deposit 2 0G"),
    ("transfer-fund --amount 1 --provider {a}", {"deposit": "5"}, 3, "no service", "another"),
    ("transfer-fund --amount 1 --provider 0x1", {"deposit": "5"}, 2, "not an address", "0x and"),
    ("retrieve-fund", {}, 3, "no ledger yet", "first deposit"),
    ("retrieve-fund", {"deposit": "5"}, 3, "nothing to retrieve", "No funds of this wallet"),
    ("retrieve-fund --provider {p}", {"deposit": "5"}, 3, "no sub-account", "Transfer funds"),
]


@pytest.mark.parametrize(("line", "funds", "status", "reason", "remedy"), REFUSALS)
def test_what_the_contracts_would_refuse_is_refused_first_with_a_remedy(
    desk: Desk, line: str, funds: dict[str, str], status: int, reason: str, remedy: str
) -> None:
    provider = desk.fund(**funds)
    before = desk.chain.block_number()
    result = desk.pay(*line.format(p=provider, a=ALICE.address).split())
    assert (result.exit_code, result.stdout) == (status, "")
    assert reason in result.stderr
    assert remedy in result.stderr
    assert desk.chain.block_number() == before


def test_a_provider_is_not_its_own_user(desk: Desk) -> None:
    desk.fund(deposit="5")
    desk.add(ALICE.address)
    result = desk.pay("transfer-fund", "--provider", ALICE.address, "--amount", "1")
    assert result.exit_code == 3
    assert "cannot be its own user" in result.stderr


def test_five_waiting_refunds_are_as_many_as_there_may_be(desk: Desk) -> None:
    provider = desk.fund(deposit="20", transfer="2")
    for amount in ("1", "0.5", "0.25", "0.125", "0.0625"):  # each frees half of the youngest
        assert desk.pay("retrieve-fund").exit_code == 0
        desk.chain.apply(desk.chain.calls.transfer(provider, parse(amount)), ALICE.address)
    assert len(desk.chain.sub_account(ALICE.address, provider).refunds) == 5
    refused = desk.pay("retrieve-fund")
    assert refused.exit_code == 3
    assert "Try again when the oldest has come home." in refused.stderr


def test_an_unreachable_chain_is_no_refusal(desk: Desk) -> None:
    desk.fund()
    desk.chain.down = True
    result = desk.pay("deposit", "--amount", "3")
    assert (result.exit_code, result.stdout) == (4, "")
    assert "Nothing was changed. Try again in a moment." in result.stderr


def test_a_refusal_in_the_block_is_reported_with_its_hash_and_reason(desk: Desk) -> None:
    provider = desk.fund(deposit="5")
    chain = desk.chain
    call = chain.calls.transfer(provider, parse("4"))

    def overtaken(sent: Any, signer: Any, **options: Any) -> str:
        """Another program of the same wallet was faster, by one block."""
        chain.apply(call, ALICE.address)
        transaction_hash = chain.submit(sent, signer.address)
        chain.mine()
        return transaction_hash

    chain.send = overtaken  # type: ignore[method-assign]
    result = desk.pay("transfer-fund", "--provider", provider, "--amount", "2")
    assert (result.exit_code, result.stdout) == (3, "")
    assert re.search(r"Sent as 0x[0-9a-f]{64}\n", result.stderr)
    assert "The ledger has 1 0G available; this needs 2 0G." in result.stderr


def test_a_wait_that_ends_never_says_that_nothing_was_changed(desk: Desk) -> None:
    desk.fund()
    send = desk.chain.send

    def cut_off(call: Any, signer: Any, **options: Any) -> str:
        sent = send(call, signer, **options)
        desk.chain.down = True
        return sent

    desk.chain.send = cut_off  # type: ignore[method-assign]
    result = desk.pay("deposit", "--amount", "3")
    assert (result.exit_code, result.stdout) == (4, "")
    (sent,) = re.findall(r"Sent as (0x[0-9a-f]{64})\n", result.stderr)
    assert f"The transaction {sent} was sent and may still be mined: look it up" in result.stderr


def test_a_long_wait_is_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    import time

    with progress("Waiting", every=0.02):
        time.sleep(0.2)
    told = capsys.readouterr().err.splitlines()
    assert told[:3] == ["Waiting", "Waiting 0.02 s", "Waiting 0.04 s"]


def test_addresses_are_shown_in_one_spelling(desk: Desk) -> None:
    provider = desk.fund(deposit="5")
    result = desk.pay("transfer-fund", "--provider", Address(provider.lower()), "--amount", "2")
    assert provider in result.stdout
