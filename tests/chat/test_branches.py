"""A tree of messages and the one way through it that is visible."""

from __future__ import annotations

import json
from importlib import import_module
from uuid import uuid4

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.utils import timezone

from chat import branches, history, passages, turns
from chat.branches import Fork
from chat.models import Conversation, Message
from chat.passages import passage
from tests.chat.stage import NETWORK, ask

pytestmark = pytest.mark.django_db


def _said(conversation: Conversation, question: str, answer: str) -> Message:
    return _ended(ask(conversation, question), answer)


def _ended(pending: Message, text: str, state: str = "complete") -> Message:
    Message.objects.filter(pk=pending.pk).update(state=state, text=text)
    pending.refresh_from_db()
    return pending


def _another(answer: Message, text: str) -> Message:
    return _ended(turns.ask_again(answer, key=uuid4()).answer, text)


def _visible(conversation: Conversation) -> list[str]:
    return [turn.answer.text for turn in passage(conversation).turns]


def test_the_newest_branch_is_visible_until_another_is_chosen(conversation: Conversation) -> None:
    first = _said(conversation, "one", "1")
    _said(conversation, "two", "2")
    other = _another(first, "1 again")
    assert _visible(conversation) == ["1 again"]
    branches.choose(first)
    assert _visible(conversation) == ["1", "2"]
    branches.choose(other)
    assert _visible(conversation) == ["1 again"]


def test_flipping_back_finds_the_branch_as_it_was_left(conversation: Conversation) -> None:
    first = _said(conversation, "one", "1")
    second = _said(conversation, "two", "2")
    _another(second, "2 again")
    branches.choose(second)
    other = _another(first, "1 again")
    branches.choose(first)
    assert _visible(conversation) == ["1", "2"]
    branches.choose(other)
    _said(conversation, "three", "3")
    assert _visible(conversation) == ["1 again", "3"]


def test_each_version_knows_its_place(conversation: Conversation) -> None:
    first = _said(conversation, "one", "1")
    second, third = _another(first, "2"), _another(first, "3")
    branches.choose(second)
    (turn,) = passage(conversation).turns
    assert turn.answer_fork == Fork(2, 3, first.pk, third.pk)
    assert turn.question_fork == Fork(1, 1)


def test_the_request_holds_the_visible_branch_only(conversation: Conversation) -> None:
    first = _said(conversation, "one", "1")
    _said(conversation, "two", "2")
    assert first.parent is not None
    edited = turns.edit(first.parent, key=uuid4(), text="one, edited").answer
    _ended(edited, "1, edited")
    request = json.loads(history.request_for(ask(conversation, "now")).body)
    contents = [said["content"] for said in request["messages"]]
    assert contents == ["one, edited", "1, edited", "now"]


def test_another_answer_is_asked_for_with_the_same_request(conversation: Conversation) -> None:
    _said(conversation, "one", "1")
    second = _said(conversation, "two", "2")
    before = history.request_for(second).body
    again = turns.ask_again(second, key=uuid4()).answer
    assert history.request_for(again).body == before


def test_a_continuation_is_asked_with_the_part(conversation: Conversation) -> None:
    part = _ended(ask(conversation, "one"), "It was a", "interrupted")
    request = json.loads(history.request_for(turns.go_on(part).answer).body)
    said = [(one["role"], one["content"]) for one in request["messages"]]
    assert said == [("user", "one"), ("assistant", "It was a"), ("user", turns.GO_ON)]


def test_a_choice_is_kept_and_shown_in_every_tab(
    signed_in: Client, conversation: Conversation
) -> None:
    first = _said(conversation, "one", "The first.")
    _another(first, "The second.")
    page = f"/{NETWORK}/chat/{conversation.pk}/"
    assert "2 of 2" in signed_in.get(page).content.decode()
    url = f"/{NETWORK}/chat/messages/{first.pk}/choice/"
    fragment = signed_in.post(url, headers={"HX-Request": "true"}).content.decode()
    assert fragment.startswith(f'<div id="conversation-{conversation.pk}-turns"')
    for shown in (fragment, signed_in.get(page).content.decode()):
        assert "1 of 2" in shown
        assert "The first.</p>" in shown
        assert "The second.</p>" not in shown
    assert signed_in.post(url)["Location"] == page


def test_the_address_of_a_message_shows_its_branch_and_changes_nothing(
    signed_in: Client, conversation: Conversation
) -> None:
    first = _said(conversation, "one", "The first.")
    second = _another(first, "The second.")
    reply = signed_in.get(f"/{NETWORK}/chat/messages/{first.pk}/")
    assert reply["Location"].endswith(f"?message={first.pk}#message-{first.pk}")
    page = signed_in.get(reply["Location"]).content.decode()
    assert "The first.</p>" in page
    assert f'name="after" value="{first.pk}"' in page
    assert passage(conversation).leaf == second.pk
    assert signed_in.get(f"/{NETWORK}/chat/{conversation.pk}/?message=x").status_code == 200


def test_an_answer_that_runs_on_another_branch_is_not_forgotten(
    signed_in: Client, conversation: Conversation
) -> None:
    first = _said(conversation, "one", "The first.")
    turns.ask_again(first, key=uuid4())
    page = f"/{NETWORK}/chat/{conversation.pk}/"
    assert "on another branch" not in signed_in.get(page).content.decode()
    branches.choose(first)
    assert "on another branch" in signed_in.get(page).content.decode()


def test_a_long_branch_is_shown_in_parts(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passages, "SHOWN_TURNS", 2)
    answers = [_said(conversation, f"question {n}", str(n)) for n in range(5)]
    newest = passage(conversation)
    assert [turn.answer.text for turn in newest.turns] == ["3", "4"]
    assert (newest.older, newest.newer) == (3, 0)
    assert newest.earlier == answers[1].parent_id
    earlier = passage(conversation, newest.earlier)
    assert [turn.answer.text for turn in earlier.turns] == ["1", "2"]
    assert (earlier.older, earlier.newer) == (1, 2)
    assert earlier.earlier == answers[0].parent_id


@pytest.mark.django_db
def test_conversations_from_before_become_one_branch_each(conversation: Conversation) -> None:
    """They had only answers with a question; the newest answer of a question counted."""
    rows = []
    for text, answers in (("one", 1), ("two", 1), ("three", 2)):
        asked = Message.objects.create(conversation=conversation, role="user", text=text)
        same = {"conversation": conversation, "role": "assistant", "parent": asked}
        rows += [Message.objects.create(text=f"{text}{n}", **same) for n in range(answers)]
    Message.objects.update(chosen_at=timezone.now())
    migration = import_module("chat.migrations.0002_branches")
    migration.chain(apps, connection.schema_editor)
    assert _visible(conversation) == ["one0", "two0", "three1"]
    assert rows[1].parent is not None
    rows[1].parent.refresh_from_db()
    assert rows[1].parent.parent_id == rows[0].pk
    migration.unchain(apps, connection.schema_editor)
    assert not Message.objects.questions().exclude(parent=None).exists()
