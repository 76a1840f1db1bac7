"""What workers put right: answers that lost their engine, and signatures that were late."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
from django.utils import timezone

from chat import receipts, transitions
from chat.models import Conversation, Message, Receipt
from tests.chat.stage import NETWORK, ask, get_answer
from zgcompute.testing_providers import FakeProvider, Fault

pytestmark = pytest.mark.django_db(transaction=True)


def _age(message: Message, seconds: int, **fields: object) -> None:
    then = timezone.now() - timedelta(seconds=seconds)
    Message.objects.filter(pk=message.pk).update(touched_at=then, **fields)


def test_a_running_answer_with_a_sign_of_life_is_left_alone(conversation: Conversation) -> None:
    _age(ask(conversation), 20, state="streaming")
    assert transitions.interrupt_lost(NETWORK) == 0


@pytest.mark.parametrize(
    ("state", "words"), [("pending", "before your message was sent"), ("streaming", "is kept")]
)
def test_a_lost_answer_is_ended_and_says_what_it_costs(
    conversation: Conversation, state: str, words: str
) -> None:
    answer = ask(conversation)
    _age(answer, 40, state=state, text="The part")
    assert transitions.interrupt_lost("testnet") == 0
    assert transitions.interrupt_lost(NETWORK) == 1
    answer.refresh_from_db()
    assert answer.state == "interrupted"
    assert words in f"{answer.problem} {answer.advice}"
    assert answer.text == "The part"


def test_an_ended_answer_without_a_bill_gets_an_honest_one(conversation: Conversation) -> None:
    answer = ask(conversation)
    _age(answer, 40, state="interrupted", text="The part")
    receipts.check_due(NETWORK)
    answer = Message.objects.with_proof().get(pk=answer.pk)
    assert answer.closed_at
    assert (answer.receipt.fee, answer.receipt.outcome) == (None, "not checked")


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
