"""What a provider is sent: the readable conversation, newest first to stay."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chat import history
from chat.models import Conversation, Message
from tests.chat.stage import ask

pytestmark = pytest.mark.django_db


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
