"""What workers put right: answers that lost their engine, and signatures that were late."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import pytest
from django.utils import timezone

from chat import receipts, transitions
from chat.models import Conversation, Message, Receipt
from tests.chat.stage import NETWORK, ask, get_answer
from zgcompute.testing_providers import FakeProvider, Fault
from zgcompute.verification import SignatureRecord

pytestmark = pytest.mark.django_db(transaction=True)


def _age(message: Message, seconds: int, **fields: object) -> None:
    then = timezone.now() - timedelta(seconds=seconds)
    Message.objects.filter(pk=message.pk).update(touched_at=then, **fields)


def test_a_running_answer_with_a_sign_of_life_is_left_alone(conversation: Conversation) -> None:
    _age(ask(conversation), 20, state="streaming")
    assert transitions.interrupt_lost(NETWORK) == 0


def test_a_lost_answer_is_ended_and_says_what_it_costs(conversation: Conversation) -> None:
    answer = ask(conversation)
    _age(answer, 40, state="streaming", text="The part")
    assert transitions.interrupt_lost("testnet") == 0
    assert transitions.interrupt_lost(NETWORK) == 1
    answer.refresh_from_db()
    assert (answer.state, answer.text) == ("interrupted", "The part")
    assert "bills the whole answer" in answer.advice


def test_an_answer_that_was_never_sent_costs_nothing(conversation: Conversation) -> None:
    answer = ask(conversation)
    _age(answer, 40)
    assert transitions.interrupt_lost(NETWORK) == 1
    receipts.check_due(NETWORK)
    answer = Message.objects.with_proof().get(pk=answer.pk)
    assert (answer.state, answer.is_open) == ("failed", False)
    assert "costs nothing" in answer.advice
    assert not hasattr(answer, "receipt")


def test_an_ended_answer_without_a_bill_gets_an_honest_one(conversation: Conversation) -> None:
    answer = ask(conversation)
    _age(answer, 40, state="interrupted", text="The part")
    receipts.check_due(NETWORK)
    answer = Message.objects.with_proof().get(pk=answer.pk)
    assert answer.closed_at
    assert (answer.receipt.fee, answer.receipt.outcome) == (None, "not checked")


def test_an_engine_that_was_given_up_too_early_still_writes_the_bill(
    conversation: Conversation,
) -> None:
    """It slept, say in a suspended machine, while the workers thought it lost."""
    answer, aurora = ask(conversation), FakeProvider(answer="word " * 20)

    class Sleepy(FakeProvider):
        def stream_chat(self, api_key: str, body: bytes) -> object:  # type: ignore[override]
            rows = Message.objects.filter(pk=answer.pk)
            threads = ThreadPoolExecutor(1)
            threads.submit(rows.update, state="interrupted").result()
            threads.submit(lambda: receipts.abandon(rows.get())).result()
            return aurora.stream_chat(api_key, body)

        def signature(self, response_id: str, model: str = "") -> SignatureRecord:
            return aurora.signature(response_id, model)

    receipt = get_answer(answer.pk, Sleepy()).receipt
    assert (receipt.fee, receipt.outcome) == (aurora.unsettled, "verified")


def test_a_late_signature_is_found(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    aurora = FakeProvider(fault=Fault.LATE_SIGNATURE)
    receipt = get_answer(ask(conversation).pk, aurora).receipt
    assert receipt.outcome == "not checked"
    monkeypatch.setattr(receipts, "_connect", lambda *_: aurora)
    assert receipts.check_due(NETWORK) == 0  # not yet
    Receipt.objects.update(next_check_at=timezone.now())
    assert receipts.check_due(NETWORK) == 1
    receipt.refresh_from_db()
    assert (receipt.outcome, receipt.next_check_at) == ("verified", None)


def test_one_provider_does_not_hold_up_the_others(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = FakeProvider(fault=Fault.NO_SIGNATURE)
    for _ in range(3):
        get_answer(ask(conversation).pk, silent)
    monkeypatch.setattr(receipts, "_connect", lambda *_: silent)
    monkeypatch.setattr(receipts, "CHECKS_OF_A_PROVIDER", 2)
    Receipt.objects.update(next_check_at=timezone.now())
    assert receipts.check_due(NETWORK) == 2
    assert receipts.check_due(NETWORK) == 1


def test_a_signature_that_never_comes_is_given_up(conversation: Conversation) -> None:
    aurora = FakeProvider(fault=Fault.NO_SIGNATURE)
    receipt = get_answer(ask(conversation).pk, aurora).receipt
    look = partial(receipts.check, receipt.pk, connect=lambda *_: aurora, budget=0)
    waits = []
    while (receipt := look()).can_retry and len(waits) < 20:
        assert receipt.next_check_at is not None
        assert receipt.checked_at is not None
        waits.append((receipt.next_check_at - receipt.checked_at).seconds)
    assert waits == [30, 60, 120, 240, 480, 960]
    assert receipt.outcome == "not checked"


def test_a_verdict_is_final(conversation: Conversation) -> None:
    receipt = get_answer(ask(conversation).pk, FakeProvider()).receipt
    again = receipts.check(receipt.pk, connect=lambda *_: FakeProvider(fault=Fault.NO_SIGNATURE))
    assert (again.outcome, again.checks) == ("verified", 1)


def test_a_verdict_found_meanwhile_is_not_overwritten(conversation: Conversation) -> None:
    """A worker and the person look at once; the slower one still found no signature."""
    silent = FakeProvider(fault=Fault.NO_SIGNATURE)
    receipt = get_answer(ask(conversation).pk, silent).receipt

    class Slow(FakeProvider):
        def signature(self, response_id: str, model: str = "") -> SignatureRecord:
            Receipt.objects.update(outcome="verified", next_check_at=None)
            return silent.signature(response_id, model)

    again = receipts.check(receipt.pk, connect=lambda *_: Slow(), budget=0)
    assert (again.outcome, again.next_check_at) == ("verified", None)
