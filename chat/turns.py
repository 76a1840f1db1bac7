"""Turns: a question and its answers. Asking the same thing twice by accident is asking once."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from uuid import UUID, uuid5

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import Wallet
from chat.models import Conversation, Message
from marketplace.models import Service

SHOWN_TURNS = 100
SHOWN_CHARACTERS = 500_000  # of their answers: each page formats them
_TITLE_LENGTH = 80


class TurnRefused(Exception):
    """The turn cannot be taken now; `str()` is one sentence for the person."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and the newest of its answers; `is_new` where this call made it."""

    question: Message
    answer: Message
    is_new: bool = False


def start(
    wallet: Wallet,
    service: Service,
    *,
    key: UUID,
    system_prompt: str,
    parameters: dict[str, object],
) -> Conversation:
    """Return the conversation that the form with `key` starts: a new one, the first time."""
    defaults = {
        "network": service.network,
        "provider": service.provider,
        "model": service.model,
        "system_prompt": system_prompt,
        "parameters": parameters,
    }
    return Conversation.objects.get_or_create(wallet=wallet, start_key=key, defaults=defaults)[0]


def ask(conversation: Conversation, *, key: UUID, text: str) -> Turn:
    """Store the question `text` and its pending answer, once for each form `key` and text.

    Raises TurnRefused while another answer of the conversation is running.
    """
    key = uuid5(key, text)  # a form that comes back with other words asks something else
    try:
        with transaction.atomic():
            question = _add(conversation, turn_key=key, role=Message.Role.USER, text=text)
            answer = _pending(question, key)
            _touch(conversation, text)
    except IntegrityError:
        return _again(conversation, key)
    return Turn(question, answer, is_new=True)


def ask_again(answer: Message) -> Turn:
    """Ask the question of `answer` once more: one time for each answer that went wrong.

    Raises TurnRefused where nothing went wrong, a later question was asked since, or an answer is
    running.
    """
    conversation, question = answer.conversation, answer.question
    assert question is not None
    if answer.state not in Message.BROKEN:
        raise TurnRefused("Only an answer that failed or broke off can be asked for again.")
    if conversation.messages.questions().filter(created_at__gt=question.created_at).exists():
        raise TurnRefused("Only the newest question can be sent again.")
    try:
        with transaction.atomic():
            fresh = _pending(question, answer.pk)
    except IntegrityError:
        return _again(conversation, answer.pk)
    return Turn(question, fresh, is_new=True)


def delete(conversation: Conversation) -> bool:
    """Delete it with its answers and proofs; False while an answer is still on its way."""
    with transaction.atomic():
        list(Conversation.objects.select_for_update().filter(pk=conversation.pk))  # nobody asks now
        if conversation.messages.answers().filter(closed_at=None).exists():
            return False
        conversation.delete()
    return True


def turns_of(conversation: Conversation) -> list[Turn]:
    """The newest turns of the conversation, oldest first, each with its newest answer."""
    newest = conversation.messages.questions().order_by("-created_at")[:SHOWN_TURNS]
    questions = list(reversed(newest))
    answers = conversation.messages.answers().with_proof().filter(question__in=questions)
    by_question = {answer.question_id: answer for answer in answers.order_by("created_at")}
    return _fitting(
        [Turn(asked, by_question[asked.pk]) for asked in questions if asked.pk in by_question]
    )


def _fitting(turns: list[Turn]) -> list[Turn]:
    """The newest turns that make a page of a sane size; always the last one."""
    sizes = accumulate(len(one.answer.text) + len(one.answer.reasoning) for one in reversed(turns))
    count = sum(size <= SHOWN_CHARACTERS for size in sizes)
    return turns[-max(1, count) :]


def _again(conversation: Conversation, key: UUID) -> Turn:
    answer = conversation.messages.answers().with_proof().filter(turn_key=key).first()
    if answer is None or answer.question is None:
        raise TurnRefused("The previous answer is still being written. Wait for it, or stop it.")
    return Turn(answer.question, answer)


def _pending(question: Message, key: UUID) -> Message:
    return _add(
        question.conversation,
        turn_key=key,
        role=Message.Role.ASSISTANT,
        state=Message.State.PENDING,
        question=question,
    )


def _add(conversation: Conversation, **fields: object) -> Message:
    return Message.objects.create(conversation=conversation, **fields)


def _touch(conversation: Conversation, text: str) -> None:
    conversation.updated_at = timezone.now()
    conversation.title = conversation.title or " ".join(text.split())[:_TITLE_LENGTH]
    conversation.save(update_fields=["updated_at", "title"])
