from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import outcomes, transactions
from accounts.models import Transaction, Wallet
from accounts.transactions import Refused
from tests.accounts import cast
from tests.accounts.cast import NETWORK, zg
from zgcompute.testing import FakeChain

State = Transaction.State
HASH = "0x" + "ab" * 32


def test_reporting_the_hash_twice_changes_nothing(alice: Wallet) -> None:
    row = transactions.prepare_deposit(alice, NETWORK, zg("3"))
    outcomes.record_hash(row, HASH.upper().replace("0X", "0x"))
    submitted = Transaction.objects.get(pk=row.pk)
    outcomes.record_hash(submitted, HASH)
    assert Transaction.objects.get(pk=row.pk).submitted_at == submitted.submitted_at
    assert (submitted.state, submitted.hash) == (State.SUBMITTED, HASH)


def test_a_hash_is_reported_for_one_transaction_only(alice: Wallet) -> None:
    first = transactions.prepare_deposit(alice, NETWORK, zg("3"))
    second = transactions.prepare_deposit(alice, NETWORK, zg("3"))
    outcomes.record_hash(first, HASH)
    with pytest.raises(Refused, match="reported already"):
        outcomes.record_hash(second, HASH)
    with pytest.raises(Refused, match="reported already"):
        outcomes.record_hash(first, "0x" + "cd" * 32)


def test_a_refused_hash_is_logged_with_its_transaction_and_wallet(
    alice: Wallet, caplog: pytest.LogCaptureFixture
) -> None:
    first = transactions.prepare_deposit(alice, NETWORK, zg("3"))
    second = transactions.prepare_deposit(alice, NETWORK, zg("3"))
    outcomes.record_hash(first, HASH)
    with pytest.raises(Refused):
        outcomes.record_hash(second, HASH)
    assert f"transaction {second.pk} of {alice.address}" in caplog.text


def test_mallory_cannot_keep_alice_from_reporting_her_hash(
    chain: FakeChain, alice: Wallet, mallory: Wallet
) -> None:
    chain.endow(mallory.address, zg("9"))
    cast.mirror(chain, cast.MALLORY)
    squat = transactions.prepare_deposit(mallory, NETWORK, zg("3"))
    outcomes.record_hash(squat, HASH)
    row = transactions.prepare_deposit(alice, NETWORK, zg("3"))
    assert outcomes.record_hash(row, HASH).state == State.SUBMITTED


@pytest.mark.parametrize("text", ["", "0x", HASH[:-1], HASH + "0", "0x" + "zz" * 32, "<b>"])
def test_what_is_no_hash_is_refused(alice: Wallet, text: str) -> None:
    row = transactions.prepare_deposit(alice, NETWORK, zg("3"))
    with pytest.raises(Refused, match="not a transaction hash"):
        outcomes.record_hash(row, text)


def test_a_declined_call_is_over_but_a_sent_one_stays_sent(alice: Wallet) -> None:
    declined = transactions.prepare_deposit(alice, NETWORK, zg("3"))
    assert outcomes.record_rejection(declined).state == State.REJECTED
    sent = outcomes.record_hash(transactions.prepare_deposit(alice, NETWORK, zg("3")), HASH)
    assert outcomes.record_rejection(sent).state == State.SUBMITTED


def test_a_hash_that_comes_after_all_is_followed(alice: Wallet) -> None:
    row = outcomes.record_rejection(transactions.prepare_deposit(alice, NETWORK, zg("3")))
    assert outcomes.record_hash(row, HASH).state == State.SUBMITTED
    assert row.ended_at is None


def test_what_nobody_answers_expires(alice: Wallet) -> None:
    old = transactions.prepare_deposit(alice, NETWORK, zg("3"))
    new = transactions.prepare_deposit(alice, NETWORK, zg("3"))
    Transaction.objects.filter(pk=old.pk).update(
        prepared_at=timezone.now() - outcomes.TIME_TO_ANSWER - timedelta(seconds=1)
    )
    outcomes.expire_unanswered("devnet")
    old.refresh_from_db()
    new.refresh_from_db()
    assert (old.state, new.state) == (State.EXPIRED, State.PREPARED)


def test_a_late_decline_does_not_take_back_a_hash_that_came_meanwhile(alice: Wallet) -> None:
    row = transactions.prepare_deposit(alice, NETWORK, zg("3"))
    stale = Transaction.objects.get(pk=row.pk)
    outcomes.record_hash(row, HASH)
    assert outcomes.record_rejection(stale).state == State.SUBMITTED
    assert Transaction.objects.get(pk=row.pk).hash == HASH


def test_of_two_hashes_that_come_at_once_the_first_stays(alice: Wallet) -> None:
    row = transactions.prepare_deposit(alice, NETWORK, zg("3"))
    stale = Transaction.objects.get(pk=row.pk)
    outcomes.record_hash(row, HASH)
    with pytest.raises(Refused, match="reported already"):
        outcomes.record_hash(stale, "0x" + "cd" * 32)
    assert Transaction.objects.get(pk=row.pk).hash == HASH
