"""Deposit and transfer as one: prepared together, and counted only by what the chain shows."""

from __future__ import annotations

import json
import re
import uuid
from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.utils import timezone

from accounts import batches, following, outcomes, transactions
from accounts.models import Transaction, Wallet
from accounts.transactions import Refused
from marketplace.models import NetworkState, Service
from tests.accounts import cast
from tests.accounts.cast import NETWORK, zg
from tests.accounts.test_pages import HASH, HTMX, PAGE, text
from zgcompute.testing import FEE, FakeChain
from zgcompute.types import UnsignedCall

State = Transaction.State


def rows(key: uuid.UUID) -> list[Transaction]:
    return list(batches.rows_of(key))


def carrying(chain: FakeChain, key: uuid.UUID, *, omitting: str = "") -> str:
    """Data such as a smart account's: target, value and calldata of each call."""
    calls = [row for row in rows(key) if row.function != omitting]
    return "".join(f"{row.to[2:].lower()}{row.value:064x}{row.data[2:]}" for row in calls)


def mine_batch(chain: FakeChain, wallet: Wallet, key: uuid.UUID, data: str) -> str:
    """Mine what a wallet made of the batch: its calls take effect in the last transaction."""
    deposit, transfer = rows(key)
    chain.apply(chain.calls.deposit(deposit.value), wallet.address)
    plain = chain.calls.transfer(transfer.provider, transfer.amount)
    packed = UnsignedCall(plain.chain_id, plain.to, "0x" + data, 0, plain.function, plain.arguments)
    return chain.apply(packed, wallet.address)


def reported(chain: FakeChain, key: uuid.UUID, transaction_hash: str) -> list[Transaction]:
    batches.record_id(rows(key), "0xba7c4")
    batches.record_hash(rows(key), transaction_hash)
    following.follow(chain, NETWORK)
    return rows(key)


def test_a_batch_deposits_what_the_transfer_lacks(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    deposit, transfer = rows(batches.prepare(alice, NETWORK, aurora.provider, zg("2")))
    assert (deposit.function, deposit.value) == ("depositFund", zg("3"))  # the first has a minimum
    assert (transfer.function, transfer.amount) == ("transferFund", zg("2"))
    chain.apply(chain.calls.deposit(zg("4")), alice.address)
    cast.mirror(chain, cast.ALICE)
    deposit, transfer = rows(batches.prepare(alice, NETWORK, aurora.provider, zg("4.5")))
    assert (deposit.value, transfer.amount) == (zg("0.5"), zg("4.5"))


def test_where_nothing_is_missing_or_a_rule_would_be_broken_there_is_no_batch(
    chain: FakeChain, alice: Wallet, bob: Wallet, aurora: Service
) -> None:
    with pytest.raises(Refused, match="at least 1 0G"):
        batches.prepare(alice, NETWORK, aurora.provider, zg("0.5"))
    with pytest.raises(Refused, match="Your wallet holds 2 0G"):
        batches.prepare(bob, NETWORK, aurora.provider, zg("2"))
    with pytest.raises(Refused, match="no service on chain"):
        batches.prepare(alice, NETWORK, cast.stranger(), zg("2"))
    chain.apply(chain.calls.deposit(zg("4")), alice.address)
    cast.mirror(chain, cast.ALICE)
    with pytest.raises(Refused, match="no deposit is needed"):
        batches.prepare(alice, NETWORK, aurora.provider, zg("4"))
    assert not Transaction.objects.exists()


def test_a_batch_that_the_chain_shows_is_done(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    key = batches.prepare(alice, NETWORK, aurora.provider, zg("2"))
    sent = mine_batch(chain, alice, key, carrying(chain, key))
    assert [row.state for row in reported(chain, key, sent)] == [State.MINED, State.MINED]
    chain.mine(2)
    following.follow(chain, NETWORK)
    assert [row.state for row in rows(key)] == [State.CONFIRMED, State.CONFIRMED]
    assert [row.network_fee for row in rows(key)] == [FEE, None]  # paid once


@pytest.mark.parametrize("omitting", ["depositFund", "transferFund"])
def test_a_transaction_that_lacks_one_of_the_calls_is_not_the_batch(
    chain: FakeChain, alice: Wallet, aurora: Service, omitting: str
) -> None:
    key = batches.prepare(alice, NETWORK, aurora.provider, zg("2"))
    sent = mine_batch(chain, alice, key, carrying(chain, key, omitting=omitting))
    for row in reported(chain, key, sent):
        assert row.state == State.MISMATCHED
        assert f"does not carry the prepared call {omitting}" in row.reason


def test_a_transaction_without_the_transfers_effect_is_not_the_batch(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    key = batches.prepare(alice, NETWORK, aurora.provider, zg("2"))
    data = "0x" + carrying(chain, key)
    idle = chain.calls.deposit(zg("3"))
    mined = chain.apply(
        UnsignedCall(idle.chain_id, idle.to, data, idle.value, idle.function), alice.address
    )
    for row in reported(chain, key, mined):
        assert row.state == State.MISMATCHED
        assert "shows no transfer of yours" in row.reason


def test_an_older_transaction_is_not_the_batch(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    key = batches.prepare(alice, NETWORK, aurora.provider, zg("2"))
    old = mine_batch(chain, alice, key, carrying(chain, key))
    NetworkState.objects.update(block_number=chain.block_number())
    Transaction.objects.update(prepared_block=chain.block_number())
    assert {row.state for row in reported(chain, key, old)} == {State.MISMATCHED}


def test_a_hash_stands_for_one_batch_only_and_refusals_are_logged(
    chain: FakeChain, alice: Wallet, aurora: Service, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = (batches.prepare(alice, NETWORK, aurora.provider, zg("2")) for _ in range(2))
    for key in (first, second):
        batches.record_id(rows(key), f"id of {key}")
    batches.record_hash(rows(first), HASH)
    batches.record_hash(rows(first), HASH)
    with pytest.raises(Refused, match="for another call"):
        batches.record_hash(rows(second), HASH)
    with pytest.raises(Refused, match="under another hash"):
        batches.record_hash(rows(first), "0x" + "cd" * 32)
    assert f"batch {second} of {alice.address}" in caplog.text
    with pytest.raises(Refused, match="not a transaction hash"):
        batches.record_hash(rows(second), "0x12")
    with pytest.raises(Refused, match="part of a batch"):
        outcomes.record_hash(rows(second)[0], "0x" + "cd" * 32)


def test_a_batch_that_the_wallet_gave_up_or_forgot_ends(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    failed = batches.prepare(alice, NETWORK, aurora.provider, zg("2"))
    batches.record_id(rows(failed), "0x01")
    batches.record_failure(rows(failed))
    assert {row.state for row in rows(failed)} == {State.DROPPED}
    silent = batches.prepare(alice, NETWORK, aurora.provider, zg("2"))
    batches.record_id(rows(silent), "0x02")
    following.follow(chain, NETWORK)
    assert {row.state for row in rows(silent)} == {State.SUBMITTED}
    Transaction.objects.update(submitted_at=timezone.now() - timedelta(hours=25))
    following.follow(chain, NETWORK)
    assert {row.state for row in rows(silent)} == {State.DROPPED}


def test_the_page_hands_both_calls_to_the_wallet_and_follows_both(
    signed_in: Client, chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    fields = {"provider": aurora.provider, "amount": "2"}
    reply = signed_in.post(f"{PAGE}funding/", fields, **HTMX)
    assert "carries out both or none" in text(reply)
    deposit, transfer = Transaction.objects.order_by("prepared_at")
    handed = re.search(r'data-calls="([^"]+)"', reply.content.decode())
    assert handed
    assert json.loads(unescape(handed[1])) == [
        {"to": deposit.to, "data": deposit.data, "value": hex(zg("3"))},
        {"to": transfer.to, "data": transfer.data, "value": "0x0"},
    ]
    path = f"{PAGE}batches/{deposit.batch}/"
    alone = signed_in.get(f"{PAGE}transactions/{transfer.pk}/")
    assert alone["Location"] == path
    asked = signed_in.post(f"{path}outcome/", {"batch_id": "0xba7c4"}, **HTMX)
    assert b'data-wallet-batch-status="0xba7c4"' in asked.content
    followed = signed_in.post(f"{path}outcome/", {"hash": HASH}, **HTMX)
    assert followed.content.count(b"every 1s") == 2
    assert signed_in.get(path).status_code == 200


def test_declining_a_batch_ends_both_calls(
    signed_in: Client, alice: Wallet, aurora: Service
) -> None:
    key = batches.prepare(alice, NETWORK, aurora.provider, zg("2"))
    signed_in.post(f"{PAGE}batches/{key}/outcome/", {"declined": "1"}, **HTMX)
    assert {row.state for row in rows(key)} == {State.REJECTED}


def test_what_cannot_be_batched_is_the_transfer_form_with_its_remedy(
    signed_in: Client, alice: Wallet, aurora: Service
) -> None:
    fields = {"provider": aurora.provider, "amount": "0.5"}
    reply = signed_in.post(f"{PAGE}funding/", fields, **HTMX)
    assert reply.status_code == 422
    assert "must be at least 1 0G" in text(reply)


def test_a_stranger_finds_no_batch(
    client: Client, alice: Wallet, mallory: Wallet, aurora: Service
) -> None:
    key = batches.prepare(alice, NETWORK, aurora.provider, zg("2"))
    client.force_login(mallory, backend="accounts.backends.SignedMessage")
    assert client.get(f"{PAGE}batches/{key}/").status_code == 404
    assert client.post(f"{PAGE}batches/{key}/outcome/", {"declined": "1"}).status_code == 404
    assert {row.state for row in rows(key)} == {State.PREPARED}


def test_a_batch_is_no_transaction_of_its_calls_alone(alice: Wallet, aurora: Service) -> None:
    key = batches.prepare(alice, NETWORK, aurora.provider, zg("2"))
    alone = transactions.prepare_deposit(alice, NETWORK, zg("3"))
    assert alone.batch is None
    assert [row.batch for row in rows(key)] == [key, key]
