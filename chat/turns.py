"""Asking: once for each form, on the branch that the person sees, never twice at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID, uuid5

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import Wallet
from accounts.stored import NewFile
from chat import pictures, search
from chat.branches import Tree, choose
from chat.models import Conversation, Message, Picture
from chat.passages import Turn, turn_of
from marketplace.models import Service

GO_ON = "Your answer broke off. Go on exactly where it ends, and repeat nothing."
_TITLE_LENGTH = 80


class TurnRefused(Exception):
    """The turn cannot be taken now; `str()` is one sentence for the person."""


def start(
    wallet: Wallet,
    service: Service,
    *,
    key: UUID,
    system_prompt: str,
    parameters: dict[str, object],
    model: str = "",
) -> Conversation:
    """Return the conversation that the form with `key` starts: a new one, the first time.

    It is with `model` where the service has several, else with its own one.
    """
    defaults = {
        "network": service.network,
        "provider": service.provider,
        "model": model or service.model,
        "system_prompt": system_prompt,
        "parameters": parameters,
    }
    return Conversation.objects.get_or_create(wallet=wallet, start_key=key, defaults=defaults)[0]


def ask(
    conversation: Conversation,
    *,
    key: UUID,
    text: str,
    after: UUID | None = None,
    shown: Sequence[NewFile] = (),
) -> Turn:
    """Store the question `text` and its pending answer, once for each form `key` and content.

    `shown` are the pictures that go with it.

    It follows the answer `after`, or else the visible branch. Raises TurnRefused while another
    answer of the conversation is running.
    """
    question = _question(conversation, _leaf(conversation, after), text)
    return _once(question, _content_key(key, text, after, shown), shown)


def was_asked(conversation: Conversation, *, key: UUID, text: str) -> bool:
    """Tell whether the form `key` has brought the question `text` here (after no answer named)."""
    return conversation.messages.filter(turn_key=_content_key(key, text, None)).exists()


def ask_again(answer: Message, *, key: UUID | None) -> Turn:
    """Ask the question of `answer` once more, for another answer beside it.

    What went wrong is sent again one time for each answer, what went well one time for each form
    `key`. Raises TurnRefused while an answer is running.
    """
    assert answer.parent is not None
    if answer.state in Message.BROKEN:
        return _once(answer.parent, answer.pk)
    if key is None:
        raise TurnRefused("This form is incomplete. Reload the page.")
    return _once(answer.parent, uuid5(key, f"again {answer.pk}"))


def edit(question: Message, *, key: UUID, text: str, shown: Sequence[NewFile] = ()) -> Turn:
    """Ask `question` in other words, on a branch of its own, once for each form `key` and content.

    `shown` are the pictures that go with it. Raises TurnRefused while an answer is running.
    """
    key = uuid5(key, " ".join([f"edit {question.pk} {text}", *_digests(shown)]))
    return _once(_question(question.conversation, question.parent, text), key, shown)


def go_on(answer: Message) -> Turn:
    """Ask the model to go on where `answer` broke off or was stopped: one time for each answer.

    It is a turn of its own, billed on its own. Raises TurnRefused where nothing is missing.
    """
    if not answer.is_partial:
        raise TurnRefused("Only an answer that was stopped or broke off can be continued.")
    question = _question(answer.conversation, answer, GO_ON)
    question.is_continuation = True
    return _once(question, uuid5(answer.pk, "continuation"))


def _content_key(key: UUID, text: str, after: UUID | None, shown: Sequence[NewFile] = ()) -> UUID:
    """A form that comes back changed asks something else."""
    return uuid5(key, " ".join([f"{after or ''} {text}", *_digests(shown)]))


def _digests(shown: Sequence[NewFile]) -> list[str]:
    return [one.sha256 for one in shown]


def _leaf(conversation: Conversation, after: UUID | None) -> Message | None:
    """The answer that a question follows; raises TurnRefused where it is not one of ours."""
    path = [] if after else Tree.of(conversation).path()
    if after is None and not path:
        return None
    answers = conversation.messages.answers()
    found: Message | None = answers.filter(pk=after or path[-1]).first()
    if found is None:
        raise TurnRefused("This page is out of date. Reload it, then send again.")
    return found


def _question(conversation: Conversation, parent: Message | None, text: str) -> Message:
    """A question that is not stored yet."""
    return Message(conversation=conversation, parent=parent, role=Message.Role.USER, text=text)


def _once(question: Message, key: UUID, shown: Sequence[NewFile] = ()) -> Turn:
    """Store `question`, where it is new, and its pending answer; what has `key` already is kept."""
    conversation = question.conversation
    answer, is_new = _kept(conversation, key), False
    if answer is None:
        try:
            with pictures.kept([(question, shown)]) as rows, transaction.atomic():
                answer, is_new = _added(question, key, rows), True
        except IntegrityError:
            answer = _kept(conversation, key)
    if answer is None:
        raise TurnRefused("The previous answer is still being written. Wait for it, or stop it.")
    choose(answer)
    return replace(turn_of(answer), is_new=is_new)


def _kept(conversation: Conversation, key: UUID) -> Message | None:
    answers = conversation.messages.answers().select_related("conversation", "parent", "receipt")
    found: Message | None = answers.filter(turn_key=key).first()
    return found


def _added(question: Message, key: UUID, shown: Sequence[Picture]) -> Message:
    if question._state.adding:
        question.turn_key = key
        question.save(force_insert=True)
        Picture.objects.bulk_create(shown)
        search.keep_message(question)
    _touch(question)
    return Message.objects.create(
        conversation=question.conversation,
        turn_key=key,
        role=Message.Role.ASSISTANT,
        state=Message.State.PENDING,
        parent=question,
        model=question.conversation.model,
    )


def _touch(question: Message) -> None:
    conversation = question.conversation
    conversation.updated_at = timezone.now()
    if not conversation.title:
        conversation.title = " ".join(question.text.split())[:_TITLE_LENGTH]
        search.keep_title(conversation)
    conversation.save(update_fields=["updated_at", "title"])
