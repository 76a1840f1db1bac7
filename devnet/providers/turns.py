"""One chat request understood, and its answer written, before the first byte is sent."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import Any

from devnet.faults import Fault
from devnet.providers import answers, seeing, tokens
from devnet.providers.admission import Admission, upstream_refusal
from devnet.providers.profiles import Model
from devnet.providers.provider import Provider
from devnet.providers.seeing import NotReadable, Seen
from zgcompute.types import Usage


@dataclass(frozen=True, slots=True)
class Turn:
    """A request understood and its answer composed; `pieces` are the tokens to send."""

    model: str
    response_id: str
    completion_id: str
    is_stream: bool
    wants_usage: bool
    reasoning: list[str]
    pieces: list[str]
    finish_reason: str
    usage: dict[str, Any]
    created: int

    @property
    def text(self) -> str:
        return "".join(self.pieces)


def compose(provider: Provider, model: Model, admitted: Admission, fields: dict[str, Any]) -> Turn:
    """Understand the request and write its answer; raises Refusal as the model server would."""
    messages = _messages(fields)
    pictures = _pictures(model, messages)
    prompt = tokens.prompt_pieces(messages, pictures)
    context = model.context_length
    if len(prompt) > context:
        upstream_refusal(
            f"This model's maximum context length is {context} tokens. "
            f"However, your messages resulted in {len(prompt)} tokens."
        )
    limit = _max_tokens(fields) or context // 4
    answer = _answer(model, admitted.fault, messages, pictures)
    reasoning, pieces, is_cut = _pieces(provider, admitted.fault, answer, limit)
    response_id, completion_id = _ids(provider)
    return Turn(
        model=model.name,
        response_id=response_id,
        completion_id=completion_id,
        is_stream=fields.get("stream") is True,
        wants_usage=_wants_usage(fields),
        reasoning=reasoning,
        pieces=pieces,
        finish_reason="length" if is_cut else "stop",
        usage=_usage(provider, admitted.user, prompt, len(reasoning), len(pieces)),
        created=int(time.time()),
    )


def billed_usage(turn: Turn, fault: Fault | None) -> Usage | None:
    """The usage that went out with the answer; None where none did."""
    if fault is Fault.NO_USAGE or (turn.is_stream and not turn.wants_usage):
        return None
    cached = turn.usage.get("prompt_tokens_details", {}).get("cached_tokens", 0)
    return Usage(turn.usage["prompt_tokens"], turn.usage["completion_tokens"], cached_tokens=cached)


def _messages(fields: dict[str, Any]) -> list[dict[str, Any]]:
    messages = fields.get("messages")
    if not isinstance(messages, list) or not messages:
        upstream_refusal("messages: a list with at least one message is required")
    for message in messages:
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            upstream_refusal("messages: each message must be an object with a role")
        if not isinstance(message.get("content"), str | list | None):
            upstream_refusal("messages: content must be a string or a list of parts")
    return messages


def _pictures(model: Model, messages: list[dict[str, Any]]) -> list[list[Seen]]:
    """The pictures of each message; a model that takes none refuses, as vLLM does."""
    try:
        pictures = [seeing.seen(message.get("content")) for message in messages]
    except NotReadable as problem:
        upstream_refusal(str(problem))
    if any(pictures) and not model.sees:
        upstream_refusal(f"{model.name} is not a multimodal model")
    if sum(map(len, pictures)) > seeing.MOST_PICTURES:
        upstream_refusal(f"At most {seeing.MOST_PICTURES} image(s) may be provided in one request.")
    return pictures


def _pieces(
    provider: Provider, fault: Fault | None, answer: answers.Answer, limit: int
) -> tuple[list[str], list[str], bool]:
    """The tokens of the reasoning and of the answer, and whether `limit` cut them."""
    if fault is Fault.HUGE_ANSWER:
        return [], answers.huge(provider.options.huge_megabytes), False
    reasoning, pieces = tokens.split(answer.reasoning), tokens.split(answer.text)
    is_cut = len(reasoning) + len(pieces) > limit
    reasoning = reasoning[:limit]
    return reasoning, pieces[: limit - len(reasoning)], is_cut


def _answer(
    model: Model,
    fault: Fault | None,
    messages: list[dict[str, Any]],
    pictures: list[list[Seen]],
) -> answers.Answer:
    if fault is Fault.XSS:
        return answers.Answer(answers.HOSTILE, answers.HOSTILE if model.reasons else "")
    places = [i for i, message in enumerate(messages) if message["role"] == "user"]
    last = places[-1] if places else len(messages) - 1
    question = tokens.content_text(messages[last].get("content"))
    shown = pictures[last]
    earlier = [one for seen in pictures[:last] for one in seen]
    return answers.compose(
        question, model=model.name, reasons=model.reasons, pictures=shown, earlier=earlier
    )


def _max_tokens(fields: dict[str, Any]) -> int:
    """The smaller of the two limits that a client may set; 0 where it set none."""
    limits = [fields.get(name) for name in ("max_tokens", "max_completion_tokens")]
    given = [limit for limit in limits if limit is not None]
    for limit in given:
        if isinstance(limit, bool) or not isinstance(limit, float) or limit < 1:
            upstream_refusal("max_tokens must be a number of at least 1")
    return int(min(given, default=0))


def _wants_usage(fields: dict[str, Any]) -> bool:
    options = fields.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def _ids(provider: Provider) -> tuple[str, str]:
    """The id to ask for the signature by, and the completion's own id.

    A separated model server keeps its id (which then is the one to ask by); newer brokers write
    theirs into the completion, older ones leave the model server's.
    """
    key = str(uuid.uuid4())
    if provider.profile.separated:
        completion_id = f"chatcmpl-{uuid.uuid4().hex}"
        return completion_id, completion_id
    if provider.options.older_build:
        return key, f"chatcmpl-{uuid.uuid4().hex}"
    return key, f"chatcmpl-{key}"


def _usage(
    provider: Provider, user: str, prompt: list[str], reasoning: int, text: int
) -> dict[str, Any]:
    usage: dict[str, Any] = {
        "prompt_tokens": len(prompt),
        "completion_tokens": reasoning + text,
        "total_tokens": len(prompt) + reasoning + text,
    }
    if "cacheTokenBilling" in provider.profile.pricing_info:
        cached = provider.prompts.cached_tokens(user, prompt)
        usage["prompt_tokens_details"] = {"cached_tokens": cached}
    if reasoning:
        usage["completion_tokens_details"] = {"reasoning_tokens": reasoning}
    return usage
