"""Finding what was said: by its own wallet, on its own network, whatever was done since."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client

from accounts.models import Wallet
from chat import search, shelf, turns
from chat.models import Conversation, Message, SearchText
from marketplace.models import Service
from tests.chat.stage import NETWORK, ask, get_answer, make_conversation
from zgcompute.testing_providers import FakeProvider

pytestmark = pytest.mark.django_db


def _found(wallet: Wallet, query: str) -> list[str]:
    hits = search.find(wallet, NETWORK, query).hits
    return ["".join(part.text for part in hit.parts) for hit in hits]


@pytest.mark.django_db(transaction=True)
def test_questions_answers_and_titles_are_found(alice: Wallet, conversation: Conversation) -> None:
    get_answer(ask(conversation, "Where do swallows go?").pk, FakeProvider(answer="To **Africa**."))
    shelf.rename(conversation, "Birds")
    assert _found(alice, "swallow") == ["Where do swallows go?"]
    assert _found(alice, "AFRICA") == ["To Africa."]
    assert _found(alice, "bird") == ["Birds"]
    assert _found(alice, "where go") == ["Where do swallows go?"]
    assert _found(alice, "where africa") == []


@pytest.mark.parametrize("query", ["", "  ", "*", '"', "' OR 1=1", "NEAR(", "a AND", "\\"])
def test_signs_and_operators_are_nothing_special(
    alice: Wallet, conversation: Conversation, query: str
) -> None:
    ask(conversation, "Hello")
    assert _found(alice, query) == []


def test_nobody_finds_what_others_said(
    alice: Wallet, mallory: Wallet, aurora: Service, conversation: Conversation
) -> None:
    ask(conversation, "A secret")
    ask(make_conversation(mallory, aurora), "No secret zgwallet1ndevnet")
    assert _found(alice, "secret") == ["A secret"] * 2  # its question and its title
    assert search.find(alice, "testnet", "secret").hits == []


def test_what_is_deleted_is_not_found_until_it_is_taken_back(
    alice: Wallet, conversation: Conversation
) -> None:
    answer = ask(conversation, "A secret")
    Message.objects.filter(pk=answer.pk).update(closed_at="2026-01-01T00:00Z")
    shelf.delete(conversation)
    assert _found(alice, "secret") == []
    shelf.restore(alice, NETWORK, conversation.pk)
    assert len(_found(alice, "secret")) == 2


def test_the_index_forgets_what_was_purged(alice: Wallet, conversation: Conversation) -> None:
    ask(conversation, "A secret")
    conversation.delete()
    assert not SearchText.objects.exists()
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM chat_search WHERE chat_search MATCH 'secret'")
            assert cursor.fetchone() == (0,)


def test_hits_lead_to_the_message_and_mark_the_words(
    signed_in: Client, conversation: Conversation
) -> None:
    answer = ask(conversation, 'A <b>secret</b> "here"')
    for headers in ({}, {"HX-Request": "true"}):
        reply = signed_in.get(f"/{NETWORK}/chat/history/", {"q": "secr"}, headers=headers)
        page = reply.content.decode()
        assert "A &lt;b&gt;<mark>secret</mark>&lt;/b&gt;" in page
        assert f"/{NETWORK}/chat/messages/{answer.parent_id}/" in page
        assert page.startswith("<div") is bool(headers)
    nothing = signed_in.get(f"/{NETWORK}/chat/history/", {"q": "<i>else"}).content.decode()
    assert "Nothing found" in nothing
    assert "“&lt;i&gt;else”" in nothing


def test_the_right_ones_of_five_thousand_messages_are_found(alice: Wallet, aurora: Service) -> None:
    talk = make_conversation(alice, aurora)
    text = "The provider signs every answer, and the fee of number{} is exact. " * 8
    said = [
        Message(conversation=talk, role="user", turn_key=uuid4(), text=text.format(*[n] * 8))
        for n in range(5_000)
    ]
    Message.objects.bulk_create(said)
    SearchText.objects.bulk_create(row for one in said for row in search.texts_of(one))
    for query, expected in (("number4321", 1), ("signs fee", 20), ("p", 20), ("absent", 0)):
        assert len(search.find(alice, NETWORK, query).hits) == expected


def test_a_continuations_fixed_words_are_not_searched(
    alice: Wallet, conversation: Conversation
) -> None:
    answer = ask(conversation, "Hello")
    Message.objects.filter(pk=answer.pk).update(state="stopped", text="part")
    answer.refresh_from_db()
    turns.go_on(answer)
    assert _found(alice, "exactly") == []
