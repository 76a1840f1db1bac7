"""One answer from claim to close, with a provider that is faulty on demand."""

from __future__ import annotations

import asyncio
import json

import pytest

from accounts.models import ProviderSession, Usage
from chat import answering, transitions
from chat.answering import Answering
from chat.models import Conversation, Message
from chat.streams import MemoryStreams
from tests.chat.stage import ask, get_answer, tools
from zgcompute.evidence import verify_evidence
from zgcompute.testing_providers import FakeProvider, Fault

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_answer_is_streamed_billed_and_verified(conversation: Conversation) -> None:
    aurora = FakeProvider(answer="# Hi\n\nGrüße, 你好.", reasoning="Let me think.")
    answer = get_answer(ask(conversation, "Say <b>hi</b>").pk, aurora)
    assert (answer.state, answer.text) == ("complete", "# Hi\n\nGrüße, 你好.")
    assert answer.reasoning == "Let me think."
    assert answer.closed_at
    assert answer.receipt.outcome == "verified"
    assert answer.receipt.fee == aurora.unsettled
    assert sum(line.amount for line in answer.receipt.lines) == answer.receipt.fee


def test_the_request_goes_out_as_the_provider_will_hash_it(conversation: Conversation) -> None:
    aurora = FakeProvider()
    answer = get_answer(ask(conversation, "1 < 2 & 3").pk, aurora)
    assert b"1 \\u003c 2 \\u0026 3" in aurora.bodies[0]
    assert answer.receipt.evidence["request_matches"] is True


def test_the_fee_is_recorded_once_as_usage(conversation: Conversation) -> None:
    aurora = FakeProvider()
    answer = get_answer(ask(conversation).pk, aurora)
    row = Usage.objects.get()
    assert (row.fee, row.kind) == (answer.receipt.fee, "chatbot")
    assert answer.receipt.usage == row


def test_the_evidence_can_be_judged_again_by_anybody(conversation: Conversation) -> None:
    answer = get_answer(ask(conversation).pk, FakeProvider())
    evidence = json.loads(json.dumps(answer.receipt.evidence))
    assert verify_evidence(evidence).outcome == "verified"


@pytest.mark.parametrize(
    ("fault", "outcome", "reason"),
    [
        (Fault.TAMPERED_ANSWER, "failed", "other bytes"),
        (Fault.WRONG_SIGNER, "failed", "Signed by"),
        (Fault.NO_SIGNATURE, "not checked", ""),
        (Fault.LATE_SIGNATURE, "not checked", ""),
        (Fault.BAD_CHUNK, "verified", "exactly the bytes"),
        (Fault.NO_DONE, "verified", "exactly the bytes"),
    ],
)
def test_a_proof_is_called_what_it_is(
    conversation: Conversation, fault: Fault, outcome: str, reason: str
) -> None:
    answer = get_answer(ask(conversation).pk, FakeProvider(fault=fault))
    assert answer.receipt.outcome == outcome
    assert reason in answer.receipt.reason
    assert answer.receipt.can_retry is (outcome == "not checked")


def test_without_a_usage_the_words_are_billed(conversation: Conversation) -> None:
    aurora = FakeProvider(answer="one two three", fault=Fault.NO_USAGE)
    receipt = get_answer(ask(conversation).pk, aurora).receipt
    assert (receipt.fee, receipt.fee_basis) == (aurora.unsettled, "words")
    assert receipt.tokens is None


def test_a_broken_connection_keeps_the_part_and_knows_no_fee(conversation: Conversation) -> None:
    aurora = FakeProvider(answer="one two three four five six", fault=Fault.DISCONNECT)
    answer = get_answer(ask(conversation).pk, aurora)
    assert answer.state == "interrupted"
    assert answer.text.startswith("one")
    assert "broke the connection" in answer.problem
    assert answer.receipt.fee is None
    assert not Usage.objects.exists()
    assert (answer.receipt.outcome, answer.receipt.can_retry) == ("not checked", False)


def test_an_answer_without_end_is_cut_but_billed_and_proved_whole(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "MAX_CHARACTERS", 50)
    aurora = FakeProvider(answer="word " * 100)
    answer = get_answer(ask(conversation).pk, aurora)
    assert (answer.state, answer.problem_kind) == ("interrupted", "AnswerTooLong")
    assert 50 <= len(answer.text) < 100
    assert answer.receipt.fee == aurora.unsettled
    assert answer.receipt.outcome == "verified"


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.UNREACHABLE, "ProviderUnreachable"),
        (Fault.RATE_LIMITED, "RateLimited"),
        (Fault.BUSY, "ProviderBusy"),
        (Fault.RESERVE, "ReserveTooLow"),
        (Fault.SERVER_ERROR, "UpstreamFailed"),
    ],
)
def test_a_refusal_costs_nothing_and_says_what_to_do(
    conversation: Conversation, fault: Fault, kind: str
) -> None:
    answer = get_answer(ask(conversation).pk, FakeProvider(fault=fault))
    assert (answer.state, answer.problem_kind) == ("failed", kind)
    assert answer.problem
    assert answer.advice
    assert answer.closed_at
    assert not hasattr(answer, "receipt")
    assert not Usage.objects.exists()


def test_a_refused_session_is_dropped(conversation: Conversation) -> None:
    answer = get_answer(ask(conversation).pk, FakeProvider(fault=Fault.EXPIRED_SESSION))
    assert answer.problem_kind == "SessionExpired"
    assert not ProviderSession.objects.exists()


def test_without_a_session_nothing_is_sent(conversation: Conversation) -> None:
    ProviderSession.objects.all().delete()
    aurora = FakeProvider()
    answer = get_answer(ask(conversation).pk, aurora)
    assert (answer.state, answer.problem_kind) == ("failed", "SessionExpired")
    assert not aurora.bodies


def test_two_engines_make_one_request(conversation: Conversation) -> None:
    aurora, answer = FakeProvider(), ask(conversation)
    get_answer(answer.pk, aurora)
    get_answer(answer.pk, aurora)
    assert len(aurora.bodies) == 1


def test_something_unexpected_ends_the_answer_too(conversation: Conversation) -> None:
    class Broken(FakeProvider):
        def stream_chat(self, api_key: str, body: bytes) -> object:  # type: ignore[override]
            raise ZeroDivisionError

    answer = get_answer(ask(conversation).pk, Broken())
    assert answer.state == "failed"
    assert "our side" in answer.problem


def test_a_stop_keeps_the_part_and_still_learns_the_whole_bill(conversation: Conversation) -> None:
    aurora = FakeProvider(answer="word " * 60, delay=0.01)
    answer = ask(conversation)
    asyncio.run(_stopped_after(answer, aurora, characters=20))
    answer = Message.objects.with_proof().get(pk=answer.pk)
    assert answer.state == "stopped"
    assert 0 < len(answer.text) < 250
    assert answer.receipt.fee == aurora.unsettled
    assert answer.receipt.outcome == "verified"


def test_a_stop_in_another_process_is_noticed(conversation: Conversation) -> None:
    aurora = FakeProvider(answer="word " * 200, delay=0.02)
    answer = ask(conversation)
    asyncio.run(_stopped_after(answer, aurora, characters=20, is_told=False))
    answer = Message.objects.with_proof().get(pk=answer.pk)
    assert answer.state == "stopped"
    assert 0 < len(answer.text) < 900


def test_an_answer_stopped_before_it_began_is_never_sent(conversation: Conversation) -> None:
    aurora, answer = FakeProvider(), ask(conversation)
    assert transitions.stop(answer.pk)
    answer = get_answer(answer.pk, aurora)
    assert answer.state == "stopped"
    assert answer.closed_at
    assert not aurora.bodies


def test_the_text_is_saved_while_it_grows(conversation: Conversation) -> None:
    aurora = FakeProvider(answer="word " * 80, delay=0.02)
    answer = ask(conversation)
    seen = asyncio.run(_seen_after(answer, aurora, seconds=1.3))
    assert seen.state == "streaming"
    assert "word" in seen.text
    assert seen.stream_id > 0


async def _stopped_after(
    answer: Message, aurora: FakeProvider, *, characters: int, is_told: bool = True
) -> None:
    work = tools(aurora, MemoryStreams())
    running_answer = Answering(answer.pk, work)
    running = asyncio.create_task(running_answer.run())
    while len(running_answer.shown.text) < characters:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await asyncio.to_thread(transitions.stop, answer.pk)
    if is_told:
        running_answer.is_over.set()
    await running


async def _seen_after(answer: Message, aurora: FakeProvider, *, seconds: float) -> Message:
    running = asyncio.create_task(Answering(answer.pk, tools(aurora)).run())
    await asyncio.sleep(seconds)
    seen = await asyncio.to_thread(Message.objects.get, pk=answer.pk)
    await running
    return seen
