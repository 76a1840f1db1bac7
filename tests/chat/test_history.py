"""What a provider is sent: the readable conversation, newest first to stay."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from chat import history
from chat.assignments import assignment
from chat.history import Context
from chat.models import Conversation, Message
from marketplace import model_rows
from marketplace.models import Service
from tests.chat.stage import NETWORK, ask
from zgcompute.model_cards import ModelCard

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def _turn(conversation: Conversation, question: str, answer: str, state: str = "complete") -> None:
    pending = ask(conversation, question)
    Message.objects.filter(pk=pending.pk).update(state=state, text=answer)


def _sent(answer: Message) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(history.request_for(answer).body)
    return body


def test_earlier_turns_are_sent_with_their_answers(conversation: Conversation) -> None:
    conversation.system_prompt, conversation.parameters = "Be kind.", {"temperature": 0.5}
    conversation.save()
    _turn(conversation, "one", "1")
    _turn(conversation, "two", "2 and", "stopped")
    _turn(conversation, "lost", "", "failed")
    sent = _sent(ask(conversation, "three"))
    assert [(said["role"], said["content"]) for said in sent["messages"]] == [
        ("system", "Be kind."),
        ("user", "one"),
        ("assistant", "1"),
        ("user", "two"),
        ("assistant", "2 and"),
        ("user", "three"),
    ]
    assert (sent["temperature"], sent["model"]) == (0.5, conversation.model)
    assert sent["stream_options"] == {"include_usage": True}


def test_the_oldest_turns_give_way(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MAX_CHARACTERS", 10)
    for number in "123":
        _turn(conversation, number, "abcd")
    request = history.request_for(ask(conversation, "now"))
    contents = [said["content"] for said in json.loads(request.body)["messages"]]
    assert contents == ["2", "abcd", "3", "abcd", "now"]
    assert request.left_out == 2


def test_the_models_context_decides_where_it_is_known(conversation: Conversation) -> None:
    for number in "123":
        _turn(conversation, number, "word " * 60)  # 108 tokens, rather too many
    answer = ask(conversation, "now")
    whole = history.request_for(answer, Context(length=100_000))
    assert (whole.left_out, whole.cut_to) == (0, None)
    cut = history.request_for(answer, Context(length=400, answer=100))
    assert (cut.left_out, cut.cut_to) == (2, 400)
    conversation.parameters = {"max_tokens": 180}
    answer.conversation = conversation
    assert history.request_for(answer, Context(length=400, answer=100)).left_out == 4
    tiny = history.request_for(answer, Context(length=1))
    assert [said["content"] for said in json.loads(tiny.body)["messages"]] == ["now"]


def test_the_context_is_read_from_the_providers_card_and_the_cut_is_said(
    signed_in: Client, conversation: Conversation, aurora: Service
) -> None:
    _turn(conversation, "one", "word " * 60)
    answer = ask(conversation, "two")
    card = ModelCard(id=aurora.model, context_length=100)
    model_rows.keep({aurora.pk: [card]}, timezone.now())
    assignment(answer.pk)
    Message.objects.filter(pk=answer.pk).update(state="complete", text="2")
    page = signed_in.get(f"/{NETWORK}/chat/{conversation.pk}/").content.decode()
    assert "The oldest 2 messages of this branch were not sent" in page
    assert "context of 100 tokens" in page


def test_a_reasoning_effort_is_offered_where_the_model_takes_one(
    signed_in: Client, conversation: Conversation, aurora: Service
) -> None:
    page, url = f"/{NETWORK}/chat/{conversation.pk}/", f"/{NETWORK}/chat/{conversation.pk}/asking/"
    assert "Reasoning effort" not in signed_in.get(page).content.decode()
    signed_in.post(url, {"reasoning_effort": "high"})
    conversation.refresh_from_db()
    assert conversation.parameters == {}
    card = ModelCard(id=aurora.model, supported_parameters=("reasoning_effort",))
    model_rows.keep({aurora.pk: [card]}, timezone.now())
    assert "Reasoning effort" in signed_in.get(page).content.decode()
    signed_in.post(url, {"reasoning_effort": "high", "seed": "0"})
    assert _sent(ask(Conversation.objects.get()))["reasoning_effort"] == "high"
    assert signed_in.post(url, {"reasoning_effort": "x"}, headers=HTMX).status_code == 422
