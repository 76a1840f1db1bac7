"""Asking: once for each form, refused with a reason, never twice at a time."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.cache import cache
from django.test import Client

from accounts.models import Ledger, ProviderSession, SubAccount
from chat import limits, turns
from chat.models import Conversation, Message
from marketplace.models import Service
from tests.chat.stage import NETWORK, ask
from zgcompute.amounts import parse

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    cache.clear()


def _url(conversation: Conversation) -> str:
    return f"/{NETWORK}/chat/{conversation.pk}/turns/"


def _form(text: str = "Hello", key: UUID | None = None) -> dict[str, Any]:
    return {"text": text, "turn_key": str(key or uuid4())}


def _end(answer: Message, state: str = "complete") -> None:
    Message.objects.filter(pk=answer.pk).update(state=state, text="Hi")


def test_a_question_and_its_pending_answer_come_back_as_one_fragment(
    signed_in: Client, conversation: Conversation, started: list[object]
) -> None:
    reply = signed_in.post(_url(conversation), _form("Is 1 < 2?"), headers=HTMX)
    answer = Message.objects.answers().get()
    assert reply.status_code == 200
    assert b"Is 1 &lt; 2?" in reply.content
    assert f"/answers/{answer.pk}/stream/?after=0".encode() in reply.content
    assert started == [answer.pk]


def test_without_javascript_the_page_follows(
    signed_in: Client, conversation: Conversation, started: list[object]
) -> None:
    reply = signed_in.post(_url(conversation), _form())
    assert reply.status_code == 302
    assert reply["Location"] == f"/{NETWORK}/chat/{conversation.pk}/"


@pytest.mark.parametrize("is_over", [False, True], ids=["double click", "back button"])
def test_the_same_form_twice_is_one_turn(
    signed_in: Client, conversation: Conversation, started: list[object], is_over: bool
) -> None:
    form = _form()
    signed_in.post(_url(conversation), form, headers=HTMX)
    if is_over:
        _end(Message.objects.answers().get())
    reply = signed_in.post(_url(conversation), form, headers=HTMX)
    assert reply.status_code == 200
    assert Message.objects.count() == 2
    assert len(started) == 1


def test_an_old_form_with_other_words_asks_something_else(
    signed_in: Client, conversation: Conversation, started: list[object]
) -> None:
    key = uuid4()
    signed_in.post(_url(conversation), _form("one", key))
    _end(Message.objects.answers().get())
    signed_in.post(_url(conversation), _form("two", key))
    assert [one.text for one in Message.objects.questions()] == ["one", "two"]
    assert len(started) == 2


def test_only_one_answer_runs_at_a_time(
    signed_in: Client, conversation: Conversation, started: list[object]
) -> None:
    ask(conversation)
    reply = signed_in.post(_url(conversation), _form("Again"), headers=HTMX)
    assert reply.status_code == 422
    assert reply["HX-Retarget"] == "#composer-problem"
    assert b"still being written" in reply.content
    assert Message.objects.count() == 2


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (_form(""), b"Write a message first"),
        (_form("  \n "), b"Write a message first"),
        (_form("x" * 32_001), b"32001 characters"),
        ({"text": "x"}, b"incomplete"),
        ({"text": "x", "turn_key": "nonsense"}, b"incomplete"),
    ],
)
def test_what_cannot_be_sent_is_said(
    signed_in: Client,
    conversation: Conversation,
    started: list[object],
    form: dict[str, Any],
    words: bytes,
) -> None:
    reply = signed_in.post(_url(conversation), form, headers=HTMX)
    assert reply.status_code == 422
    assert words in reply.content
    assert not Message.objects.exists()


def test_a_missing_step_is_named_and_shown(
    signed_in: Client, conversation: Conversation, started: list[object]
) -> None:
    ProviderSession.objects.all().delete()
    reply = signed_in.post(_url(conversation), _form(), headers=HTMX)
    assert reply.status_code == 422
    assert b"Start a session" in reply.content
    assert "readiness-changed" in reply["HX-Trigger"]
    assert started == []


def test_bob_is_asked_to_transfer_before_chatting(
    signed_in: Client, conversation: Conversation, started: list[object]
) -> None:
    SubAccount.objects.update(balance=parse("0.9"))
    Ledger.objects.update(available=parse("3"))
    reply = signed_in.post(_url(conversation), _form(), headers=HTMX)
    assert b"Fund this provider" in reply.content
    page = signed_in.get(f"/{NETWORK}/chat/{conversation.pk}/").content
    assert b"steps__item--next" in page
    assert b"data-composer" not in page


def test_a_provider_that_left_cannot_be_asked(
    signed_in: Client, conversation: Conversation, started: list[object]
) -> None:
    Service.objects.update(tee_signer_acknowledged=False)
    reply = signed_in.post(_url(conversation), _form(), headers=HTMX)
    assert (reply.status_code, started) == (422, [])


def test_sending_is_limited(
    signed_in: Client,
    conversation: Conversation,
    started: list[object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "SENDS_PER_MINUTE", 1)
    signed_in.post(_url(conversation), _form())
    _end(Message.objects.answers().get())
    reply = signed_in.post(_url(conversation), _form("two"), headers=HTMX)
    assert reply.status_code == 422
    assert b"Wait" in reply.content


def test_the_first_question_starts_a_conversation_once(
    signed_in: Client, conversation: Conversation, started: list[object]
) -> None:
    form = _form("First words") | {"provider": conversation.provider, "temperature": "0.5"}
    replies = [signed_in.post(f"/{NETWORK}/chat/new/", form) for _ in range(2)]
    assert replies[0]["Location"] == replies[1]["Location"]
    new = Conversation.objects.exclude(pk=conversation.pk).get()
    assert (new.title, new.parameters) == ("First words", {"temperature": 0.5})
    assert len(started) == 1


def test_a_parameter_out_of_range_starts_nothing(
    signed_in: Client, conversation: Conversation, started: list[object]
) -> None:
    form = _form() | {"provider": conversation.provider, "temperature": "9"}
    assert signed_in.post(f"/{NETWORK}/chat/new/", form).status_code == 422
    assert started == []


def test_sending_again_does_not_repeat_the_question(
    signed_in: Client, conversation: Conversation, started: list[object]
) -> None:
    failed = ask(conversation)
    _end(failed, "failed")
    for state in ("streaming", "complete"):
        reply = signed_in.post(f"/{NETWORK}/chat/answers/{failed.pk}/again/", headers=HTMX)
        assert reply.status_code == 200
        Message.objects.filter(pk__in=started).update(state=state)
    reply = signed_in.post(f"/{NETWORK}/chat/answers/{failed.pk}/again/")
    assert reply.status_code == 302
    assert Message.objects.questions().count() == 1
    assert Message.objects.answers().count() == 2
    assert len(started) == 1
    shown = turns.turns_of(conversation)
    assert [turn.answer.pk for turn in shown] == started


def test_only_the_newest_question_can_be_sent_again(
    signed_in: Client, conversation: Conversation, started: list[object]
) -> None:
    failed = ask(conversation, "one")
    _end(failed, "failed")
    _end(ask(conversation, "two"))
    reply = signed_in.post(f"/{NETWORK}/chat/answers/{failed.pk}/again/", headers=HTMX)
    assert reply.status_code == 422
    assert started == []


@pytest.mark.parametrize("state", ["pending", "streaming", "complete", "stopped"])
def test_an_answer_that_did_not_fail_is_not_asked_for_again(
    signed_in: Client, conversation: Conversation, started: list[object], state: str
) -> None:
    answer = ask(conversation)
    _end(answer, state)
    reply = signed_in.post(f"/{NETWORK}/chat/answers/{answer.pk}/again/", headers=HTMX)
    assert (reply.status_code, started) == (422, [])


def test_stop_ends_the_answer_at_once(
    signed_in: Client, conversation: Conversation, started: list[object]
) -> None:
    answer = ask(conversation)
    Message.objects.filter(pk=answer.pk).update(state="streaming")
    url = f"/{NETWORK}/chat/answers/{answer.pk}/stop/"
    assert signed_in.post(url, headers=HTMX).status_code == 204
    answer.refresh_from_db()
    assert answer.state == "stopped"
    assert signed_in.post(url).status_code == 302
