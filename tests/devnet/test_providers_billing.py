"""The billing gate of PROTOCOL §1.5, the fee arithmetic of §5.2, and the book of unsettled fees."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from devnet.providers.billing import FeeBook, in_0g
from devnet.providers.fees import Fee, chat_fee, speech_fee
from tests.devnet.bench import (
    ALICE,
    PROVIDER,
    ZG,
    Bench,
    bench,
    profile_of,
    service_of,
    sub_account,
)
from zgcompute.types import Address, Usage

USER = Address(ALICE.address)


@pytest.fixture
def aurora() -> Bench:
    return bench()


def refused(aurora: Bench) -> str:
    reply = aurora.chat()
    assert reply.status == 400
    prefix, _, message = reply.error.partition(": ")
    assert prefix == "validate request"
    return str(message)


def test_a_user_without_an_account_is_refused(aurora: Bench) -> None:
    aurora.chain.accounts.clear()
    assert refused(aurora).startswith("get account from contract, account not exist: ")


def test_a_user_who_did_not_acknowledge_is_refused(aurora: Bench) -> None:
    aurora.chain.accounts[USER] = sub_account(acknowledged=False, balance=0)
    assert refused(aurora) == (
        "user not acknowledge the provider, please use acknowledgeProviderSigner function in sdk "
        "first, it will take effect in 2 minutes"
    )


def test_a_signer_that_the_owner_did_not_acknowledge_serves_nobody() -> None:
    dusk = bench("dusk")
    dusk.chain.registered = service_of(dusk.provider.profile, acknowledged=False)
    dusk.chain.accounts[USER] = sub_account(balance=0)
    assert refused(dusk) == "service not acknowledge the tee signer"


def test_the_reserve_must_stay_free_beside_what_is_owed(aurora: Bench) -> None:
    aurora.chain.accounts[USER] = sub_account(balance=ZG + 500, pending_refund=0)
    aurora.provider.book.add(USER, "ab", Fee(1_362_000_000_000_000, 0), at=0)
    assert refused(aurora) == (
        "insufficient balance: your locked balance is 1.000000 0G, but the required minimum is "
        "1.001362 0G (breakdown: minimum reserve 1.000000 0G + unsettled fees 0.001362 0G + "
        "current request fee 0.000000 0G). Please add more funds with: "
        f"0g-compute-cli transfer-fund --provider {PROVIDER} --amount <amount>"
    )


def test_exactly_the_reserve_is_enough_for_one_answer_and_no_second(aurora: Bench) -> None:
    aurora.chain.accounts[USER] = sub_account(balance=ZG)
    assert aurora.chat().status == 200
    assert refused(aurora).startswith("insufficient balance")


def test_what_is_being_refunded_does_not_count(aurora: Bench) -> None:
    aurora.chain.accounts[USER] = sub_account(balance=3 * ZG, pending_refund=2 * ZG + 1)
    assert "your locked balance is 1.000000 0G" in refused(aurora)


def test_a_deposit_is_seen_at_once_because_the_gate_reads_again(aurora: Bench) -> None:
    aurora.provider.chain.age = 600
    aurora.chain.accounts[USER] = sub_account(balance=0)
    assert refused(aurora).startswith("insufficient balance")
    aurora.chain.accounts[USER] = sub_account(balance=2 * ZG)
    assert aurora.chat().status == 200


def test_an_acknowledgement_waits_for_the_account_cache(aurora: Bench) -> None:
    aurora.provider.chain.age = 600
    aurora.chain.accounts[USER] = sub_account(acknowledged=False)
    assert refused(aurora).startswith("user not acknowledge")
    aurora.chain.accounts[USER] = sub_account()
    assert refused(aurora).startswith("user not acknowledge")
    aurora.provider.chain.forget()
    assert aurora.chat().status == 200


def test_a_refused_request_costs_nothing(aurora: Bench) -> None:
    aurora.chain.accounts[USER] = sub_account(balance=0)
    aurora.chat()
    assert aurora.provider.book.unsettled(USER) == 0


@pytest.mark.parametrize(
    ("neuron", "text"),
    [(0, "0.000000"), (10**18, "1.000000"), (499_999_999_999, "0.000000"), (10**12, "0.000001")],
)
def test_amounts_in_messages_have_six_decimals(neuron: int, text: str) -> None:
    assert in_0g(neuron) == text


def test_chat_without_usage_is_billed_by_words() -> None:
    service = service_of(profile_of("aurora"))
    assert chat_fee(service, None, "three short words") == Fee(0, 3 * service.output_price)


def test_a_tier_holds_for_the_whole_request_and_the_cache_is_divided_last() -> None:
    service = service_of(profile_of("cumulus"))
    small = chat_fee(service, Usage(2000, 10, cached_tokens=15), "")
    price = service.input_price
    assert small == Fee(1985 * price + 15 * price // 10, 10 * service.output_price)
    large = chat_fee(service, Usage(2001, 10), "")
    assert large == Fee(2001 * 2 * price, 10 * 3 * service.output_price)


def test_more_cached_than_sent_is_clamped() -> None:
    service = service_of(profile_of("cumulus"))
    assert chat_fee(service, Usage(10, 0, cached_tokens=99), "").input == service.input_price


def test_cache_writes_are_priced_apart_where_a_multiplier_is_set() -> None:
    info = '{"cacheTokenBilling":{"writeMultiplierNumerator":5,"writeMultiplierDenominator":4}}'
    service = replace(service_of(profile_of("aurora")), additional_info=info, input_price=7)
    usage = Usage(100, 0, cached_tokens=10, cache_write_tokens=20, cache_write_1h_tokens=5)
    assert chat_fee(service, usage, "").input == 65 * 7 + 70 // 4 + 700 // 4 + 175 // 4


@pytest.mark.parametrize(("seconds", "billed"), [(0.2, 1), (1.5, 2), (59.7, 60), (10**6, 356_400)])
def test_speech_is_billed_by_whole_seconds(seconds: float, billed: int) -> None:
    service = service_of(profile_of("echo"))
    assert speech_fee(service, seconds).total == billed * service.input_price


def test_the_book_survives_a_restart(tmp_path: Path) -> None:
    book = FeeBook(tmp_path / "aurora.json")
    book.add(USER, "ab", Fee(1, 2), at=5.0)
    book.add(USER, "cd", Fee(0, 4), at=6.0)
    again = FeeBook(tmp_path / "aurora.json")
    assert again.unsettled(USER) == 7
    (first, second) = again.by_user()[USER]
    again.settle([first, second], owed=3, retry_at=99.0)
    assert FeeBook(tmp_path / "aurora.json").unsettled(USER) == 3
    assert again.by_user(now=98.0) == {}
