"""What the provider is sent for a question: its branch so far, cut to the model's context."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chat.branches import Tree
from chat.models import Conversation, Message
from chat.pictures import Picture
from zgcompute.bodies import chat_body

MAX_CHARACTERS = 60_000  # of earlier messages, where the model's context is not known
MAX_PICTURES = 16 << 20  # bytes; in base64 they are a third more, and providers take 32 MB
_BYTES_PER_TOKEN = 3  # fewer than English has, about what Chinese has: rather too many tokens
_FRAME_TOKENS = 8  # around each message
_PIXELS_PER_TOKEN = 700  # of a picture; models differ, this is rather too many tokens
_ANSWER_TOKENS = 4096  # kept free for the answer, where nobody says how long it may be


@dataclass(frozen=True, slots=True)
class Context:
    """What the provider says of its model.

    How many tokens it takes, and answers at most (None: unsaid), whether it takes pictures, and
    whether it lets a reasoning effort be asked for.
    """

    length: int | None = None
    answer: int | None = None
    sees: bool = False
    takes_effort: bool = True


UNKNOWN = Context()


@dataclass(frozen=True, slots=True)
class Request:
    """The body to send, in the form that providers hash, and what it leaves out.

    `left_out` messages are not in it; `cut_to` is the model's context in tokens where that
    decided, else None. Of the messages in it, `pictures_cut` pictures are not sent, because the
    model takes none. `text_bytes` is the body's size without its `pictures`.
    """

    body: bytes
    left_out: int
    cut_to: int | None = None
    pictures: int = 0
    pictures_cut: int = 0
    text_bytes: int = 0


@dataclass(frozen=True, slots=True)
class _Said:
    role: str
    text: str
    pictures: tuple[Picture, ...] = ()

    @property
    def characters(self) -> int:
        return len(self.text)

    @property
    def tokens(self) -> int:
        pixels = sum((one.width or 0) * (one.height or 0) for one in self.pictures)
        words = len(self.text.encode("utf-8", "replace")) // _BYTES_PER_TOKEN
        return words + pixels // _PIXELS_PER_TOKEN + _FRAME_TOKENS

    @property
    def picture_bytes(self) -> int:
        return sum(one.size for one in self.pictures)

    def message(self, urls: list[str]) -> dict[str, Any]:
        """In OpenAI's form; with pictures the content is a list of parts."""
        if not urls:
            return {"role": self.role, "content": self.text}
        shown = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        return {"role": self.role, "content": [{"type": "text", "text": self.text}, *shown]}


def request_for(answer: Message, context: Context = UNKNOWN) -> Request:
    """Return the request whose answer `answer` will be.

    Raises InvalidBody where a picture that belongs to it is lost.
    """
    conversation = answer.conversation
    assert answer.parent is not None
    asked = _said("user", answer.parent)
    always = [*_system(conversation), asked]
    earlier = _earlier(conversation, answer.parent)
    kept, is_cut_to_context = _fitting(earlier, always, context, conversation.parameters)
    said = [*always[:-1], *kept, asked]
    urls = [[one.data_url() for one in each.pictures if context.sees] for each in said]
    messages = [each.message(shown) for each, shown in zip(said, urls, strict=True)]
    parameters = _parameters(conversation, context)
    body = chat_body(answer.asked_model, messages, stream=True, **parameters)
    pictures, sent = sum(len(each.pictures) for each in said), sum(map(len, urls))
    return Request(
        body,
        left_out=len(earlier) - len(kept),
        cut_to=context.length if is_cut_to_context else None,
        pictures=sent,
        pictures_cut=pictures - sent,
        text_bytes=len(body) - sum(len(url) for shown in urls for url in shown),
    )


def _earlier(conversation: Conversation, question: Message) -> list[_Said]:
    """Every question that leads to this one and has a readable answer, with that answer."""
    way = Tree.of(conversation).before(question.pk)[:-1]
    rows = Message.objects.prefetch_related("pictures").in_bulk(way)
    pairs = [(rows[asked], rows[got]) for asked, got in zip(way[::2], way[1::2], strict=True)]
    return [
        said
        for asked, got in pairs
        if got.state in Message.READABLE and got.text
        for said in (_said("user", asked), _Said("assistant", got.text))
    ]


def _fitting(
    earlier: list[_Said], always: list[_Said], context: Context, parameters: dict[str, Any]
) -> tuple[list[_Said], bool]:
    """The newest question-answer pairs that fit, and whether the model's context has cut them."""
    room = _room(context, parameters)
    most = MAX_CHARACTERS if room is None else room
    used = 0 if room is None else sum(one.tokens for one in always)
    weight = sum(one.picture_bytes for one in always)
    start = len(earlier)
    while start >= 2:
        pair = earlier[start - 2 : start]
        used += sum(one.characters if room is None else one.tokens for one in pair)
        weight += sum(one.picture_bytes for one in pair)
        if used > most:
            return earlier[start:], room is not None
        if context.sees and weight > MAX_PICTURES:
            break
        start -= 2
    return earlier[start:], False


def _room(context: Context, parameters: dict[str, Any]) -> int | None:
    """Tokens that the request may have; None where the model's context is not known."""
    if context.length is None:
        return None
    answer = parameters.get("max_tokens") or context.answer or _ANSWER_TOKENS
    return context.length - min(answer, context.length // 2)


def _parameters(conversation: Conversation, context: Context) -> dict[str, Any]:
    """Those of the conversation that the model takes: it may have been chosen after them."""
    dropped = () if context.takes_effort else ("reasoning_effort",)
    return {name: value for name, value in conversation.parameters.items() if name not in dropped}


def _system(conversation: Conversation) -> list[_Said]:
    prompt = conversation.system_prompt.strip()
    return [_Said("system", prompt)] if prompt else []


def _said(role: str, message: Message) -> _Said:
    return _Said(role, message.text, tuple(message.pictures.all()))
