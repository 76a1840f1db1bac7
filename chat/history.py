"""What the provider is sent for a question: its branch so far, cut to the model's context."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chat.branches import Tree
from chat.models import Conversation, Message
from zgcompute.bodies import chat_body

MAX_CHARACTERS = 60_000  # of earlier messages, where the model's context is not known
_BYTES_PER_TOKEN = 3  # fewer than English has, about what Chinese has: rather too many tokens
_FRAME_TOKENS = 8  # around each message
_ANSWER_TOKENS = 4096  # kept free for the answer, where nobody says how long it may be


@dataclass(frozen=True, slots=True)
class Context:
    """How many tokens the provider says its model takes, and answers at most (None: unsaid)."""

    length: int | None = None
    answer: int | None = None


UNKNOWN = Context()


@dataclass(frozen=True, slots=True)
class Request:
    """The body to send, in the form that providers hash, and how many messages it leaves out.

    `cut_to` is the model's context in tokens where that decided, else None.
    """

    body: bytes
    left_out: int
    cut_to: int | None = None


def request_for(answer: Message, context: Context = UNKNOWN) -> Request:
    """Return the request whose answer `answer` will be."""
    conversation = answer.conversation
    assert answer.parent is not None
    always = [*_system(conversation), _said("user", answer.parent.text)]
    earlier = _earlier(conversation, answer.parent)
    kept = _fitting(earlier, always, _room(context, conversation.parameters))
    messages = [*always[:-1], *kept, always[-1]]
    body = chat_body(conversation.model, messages, stream=True, **conversation.parameters)
    left_out = len(earlier) - len(kept)
    return Request(body, left_out, cut_to=context.length if left_out else None)


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


def _room(context: Context, parameters: dict[str, Any]) -> int | None:
    """Tokens that the request may have; None where the model's context is not known."""
    if context.length is None:
        return None
    answer = parameters.get("max_tokens") or context.answer or _ANSWER_TOKENS
    return context.length - min(answer, context.length // 2)


def _fitting(
    earlier: list[dict[str, str]], always: list[dict[str, str]], room: int | None
) -> list[dict[str, str]]:
    """The newest question-answer pairs that fit together, beside what is always sent."""
    size, most = (_characters, MAX_CHARACTERS) if room is None else (_tokens, room)
    start, used = len(earlier), 0 if room is None else sum(map(size, always))
    while start >= 2:
        used += size(earlier[start - 1]) + size(earlier[start - 2])
        if used > most:
            break
        start -= 2
    return earlier[start:]


def _characters(message: dict[str, str]) -> int:
    return len(message["content"])


def _tokens(message: dict[str, str]) -> int:
    return len(message["content"].encode("utf-8", "replace")) // _BYTES_PER_TOKEN + _FRAME_TOKENS


def _system(conversation: Conversation) -> list[dict[str, str]]:
    prompt = conversation.system_prompt.strip()
    return [_said("system", prompt)] if prompt else []


def _said(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}
