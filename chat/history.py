"""What the provider is sent for a question: the conversation so far, cut to a sane size."""

from __future__ import annotations

from dataclasses import dataclass

from chat.branches import Tree
from chat.models import Conversation, Message
from zgcompute.bodies import chat_body

MAX_CHARACTERS = 60_000  # of earlier messages; every one is paid for again with each question


@dataclass(frozen=True, slots=True)
class Request:
    """The body to send, in the form that providers hash, and how many messages it leaves out."""

    body: bytes
    left_out: int


def request_for(answer: Message) -> Request:
    """Return the request whose answer `answer` will be."""
    conversation = answer.conversation
    assert answer.parent is not None
    earlier = _earlier(conversation, answer.parent)
    kept = _fitting(earlier)
    messages = [*_system(conversation), *kept, _said("user", answer.parent.text)]
    body = chat_body(conversation.model, messages, stream=True, **conversation.parameters)
    return Request(body=body, left_out=len(earlier) - len(kept))


def _earlier(conversation: Conversation, question: Message) -> list[dict[str, str]]:
    """Every question that leads to this one and has a readable answer, with that answer."""
    way = Tree.of(conversation).before(question.pk)[:-1]
    rows = Message.objects.in_bulk(way)
    pairs = [(rows[asked], rows[got]) for asked, got in zip(way[::2], way[1::2], strict=True)]
    return [
        said
        for asked, got in pairs
        if got.state in Message.READABLE and got.text
        for said in (_said("user", asked.text), _said("assistant", got.text))
    ]


def _fitting(messages: list[dict[str, str]]) -> list[dict[str, str]]:
    """The newest question-answer pairs that fit together."""
    start, size = len(messages), 0
    while start >= 2:
        size += len(messages[start - 1]["content"]) + len(messages[start - 2]["content"])
        if size > MAX_CHARACTERS:
            break
        start -= 2
    return messages[start:]


def _system(conversation: Conversation) -> list[dict[str, str]]:
    prompt = conversation.system_prompt.strip()
    return [_said("system", prompt)] if prompt else []


def _said(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}
