"""Asking: once for each form, refused with a reason, never twice at a time."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.cache import cache
from django.test import Client

from accounts.models import Ledger, ProviderSession, SubAccount, Wallet
from chat import limits
from chat.models import Conversation, Message
from chat.passages import passage
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
    assert [turn.answer.pk for turn in passage(conversation).turns] == started


def test_the_same_words_after_another_answer_are_another_question(
    signed_in: Client, conversation: Conversation, started: list[object]
) -> None:
    """The page keeps its form from one question to the next."""
    key = uuid4()
    signed_in.post(_url(conversation), _form("More", key), headers=HTMX)
    first = Message.objects.answers().get()
    _end(first)
    for _ in range(2):
        form = _form("More", key) | {"after": str(first.pk)}
        assert signed_in.post(_url(conversation), form, headers=HTMX).status_code == 200
    assert len(started) == 2
    assert Message.objects.questions().filter(parent=first).count() == 1


def test_a_question_follows_what_the_page_showed(
    signed_in: Client, conversation: Conversation, started: list[object], mallory: Wallet
) -> None:
    first = ask(conversation, "one")
    _end(first)
    _end(ask(conversation, "two"))
    signed_in.post(_url(conversation), _form("another two") | {"after": str(first.pk)})
    shown = passage(conversation).turns
    assert [turn.question.text for turn in shown] == ["one", "another two"]
    theirs = ask(Conversation.objects.create(wallet=mallory, network=NETWORK, model="m"))
    reply = signed_in.post(_url(conversation), _form("x") | {"after": str(theirs.pk)}, headers=HTMX)
    assert (reply.status_code, len(started)) == (422, 1)


def _again(answer: Message) -> str:
    return f"/{NETWORK}/chat/answers/{answer.pk}/again/"


def test_regenerating_makes_another_answer_once_for_each_form(
    signed_in: Client, conversation: Conversation, started: list[object]
) -> None:
    answer, form = ask(conversation), {"turn_key": str(uuid4())}
    _end(answer)
    for _ in range(2):
        reply = signed_in.post(_again(answer), form, headers=HTMX)
        assert b"2 of 2" in reply.content
        _end(Message.objects.get(pk=started[0]))
    assert len(started) == 1
    signed_in.post(_again(answer), {"turn_key": str(uuid4())})
    assert len(started) == 2
    assert Message.objects.questions().count() == 1


def test_a_form_without_a_key_regenerates_nothing(
    signed_in: Client, conversation: Conversation, started: list[object]
) -> None:
    answer = ask(conversation)
    _end(answer)
    for form in ({}, {"turn_key": "nonsense"}):
        reply = signed_in.post(_again(answer), form, headers=HTMX)
        assert (reply.status_code, started) == (422, [])


def test_nothing_is_asked_while_an_answer_is_running(
    signed_in: Client, conversation: Conversation, started: list[object]
) -> None:
    done = ask(conversation, "one")
    _end(done, "stopped")
    running = ask(conversation, "two")
    key = {"turn_key": str(uuid4())}
    home = f"/{NETWORK}/chat"
    for url, form in (
        (_again(running), key),
        (_again(done), key),
        (f"{home}/answers/{done.pk}/continuation/", {}),
        (f"{home}/questions/{running.parent_id}/edit/", key | {"text": "x"}),
    ):
        reply = signed_in.post(url, form, headers=HTMX)
        assert (reply.status_code, started) == (422, [])
        assert b"still being written" in reply.content


def test_an_edited_question_is_a_branch_of_its_own(
    signed_in: Client, conversation: Conversation, started: list[object]
) -> None:
    first = ask(conversation, "one")
    _end(first)
    _end(ask(conversation, "two"))
    assert first.parent is not None
    url = f"/{NETWORK}/chat/questions/{first.parent.pk}/edit/"
    assert b">one</textarea>" in signed_in.get(url).content
    form = _form("one, but better")
    for _ in range(2):
        reply = signed_in.post(url, form, headers=HTMX)
        assert b"one, but better" in reply.content
        assert b">two<" not in reply.content
        assert reply["HX-Replace-Url"] == f"/{NETWORK}/chat/{conversation.pk}/"
    assert len(started) == 1
    assert signed_in.post(url, _form(" "), headers=HTMX).status_code == 422


@pytest.mark.parametrize("state", ["stopped", "interrupted"])
def test_a_broken_answer_is_continued_once_and_says_so(
    signed_in: Client, conversation: Conversation, started: list[object], state: str
) -> None:
    answer = ask(conversation)
    _end(answer, state)
    url = f"/{NETWORK}/chat/answers/{answer.pk}/continuation/"
    for _ in range(2):
        reply = signed_in.post(url, headers=HTMX)
        assert b"billed on its own" in reply.content
        assert b"Go on exactly" not in reply.content
    assert len(started) == 1
    question = Message.objects.get(parent=answer)
    assert question.is_continuation


@pytest.mark.parametrize("state", ["complete", "failed"])
def test_a_whole_answer_is_not_continued(
    signed_in: Client, conversation: Conversation, started: list[object], state: str
) -> None:
    answer = ask(conversation)
    _end(answer, state)
    reply = signed_in.post(f"/{NETWORK}/chat/answers/{answer.pk}/continuation/", headers=HTMX)
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
