"""POST /v1/proxy/chat/completions: an answer composed, streamed, billed and signed."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from dataclasses import dataclass
from typing import Any

from devnet.faults import Fault
from devnet.providers import answers, fees, reencoding, tokens
from devnet.providers.admission import Admission, admission, require_model, upstream_refusal
from devnet.providers.delivery import Finished, send_whole, settle_up, stall
from devnet.providers.provider import Provider
from devnet.providers.signatures import response_text
from devnet.providers.wire import Outlet, Request
from zgcompute.types import Usage

LONGEST_WAIT = 5.0  # seconds that a whole (not streamed) answer is held back at most
BAD_CHUNK = b'data: {"choices": [{"delta": {"content": "half a chu\n\n'


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


async def serve(provider: Provider, request: Request, outlet: Outlet) -> None:
    """Answer one chat request; raises Refusal before the first byte only."""
    client_body = await request.body()
    async with admission(provider, request) as admitted:
        body, fields = reencoding.prepare(client_body, default_model=provider.profile.model)
        require_model(provider, admitted.user, fields)
        turn = _compose(provider, admitted, fields)
        send = _stream if turn.is_stream else _send
        delivered_and_signed = await send(provider, admitted, outlet, turn)
        await settle_up(
            provider,
            Finished(
                user=admitted.user,
                response_id=turn.response_id,
                signed_text=response_text(body, delivered_and_signed),
                request_body=body,
                fee=fees.chat_fee(admitted.service, _billed_usage(turn, admitted.fault), turn.text),
                fault=admitted.fault,
            ),
        )


def _compose(provider: Provider, admitted: Admission, fields: dict[str, Any]) -> Turn:
    messages = _messages(fields)
    prompt = tokens.prompt_pieces(messages)
    if len(prompt) > provider.profile.context_length:
        upstream_refusal(
            f"This model's maximum context length is {provider.profile.context_length} tokens. "
            f"However, your messages resulted in {len(prompt)} tokens."
        )
    answer = _answer(provider, admitted.fault, messages)
    reasoning = tokens.split(answer.reasoning)
    pieces = (
        answers.huge(provider.options.huge_megabytes)
        if admitted.fault is Fault.HUGE_ANSWER
        else tokens.split(answer.text)
    )
    limit = _max_tokens(fields) or provider.profile.context_length // 4
    if admitted.fault is Fault.HUGE_ANSWER:
        limit = len(reasoning) + len(pieces)
    is_cut = len(reasoning) + len(pieces) > limit
    reasoning = reasoning[:limit]
    pieces = pieces[: limit - len(reasoning)]
    response_id, completion_id = _ids(provider)
    return Turn(
        model=provider.profile.model,
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


def _answer(
    provider: Provider, fault: Fault | None, messages: list[dict[str, Any]]
) -> answers.Answer:
    if fault is Fault.XSS:
        reasoning = answers.HOSTILE if provider.profile.reasons else ""
        return answers.Answer(answers.HOSTILE, reasoning)
    asked = [message for message in messages if message["role"] == "user"] or messages
    question = tokens.content_text(asked[-1].get("content"))
    return answers.compose(question, model=provider.profile.model, reasons=provider.profile.reasons)


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


def _billed_usage(turn: Turn, fault: Fault | None) -> Usage | None:
    """The usage that went out with the answer; None where none did."""
    if fault is Fault.NO_USAGE or (turn.is_stream and not turn.wants_usage):
        return None
    cached = turn.usage.get("prompt_tokens_details", {}).get("cached_tokens", 0)
    return Usage(turn.usage["prompt_tokens"], turn.usage["completion_tokens"], cached_tokens=cached)


def _headers(provider: Provider, turn: Turn, content_type: str) -> list[tuple[str, str]]:
    headers = [("content-type", content_type)]
    if not provider.profile.separated:
        headers.append(("zg-res-key", turn.response_id))
    return headers


async def _stream(provider: Provider, admitted: Admission, outlet: Outlet, turn: Turn) -> bytes:
    """Send the answer token by token; return the bytes that will be signed."""
    frames = _frames(turn, admitted.fault)
    honest = b"".join(frames)
    if admitted.fault is Fault.TAMPERED_ANSWER:
        frames = _tampered(frames)
    headers = _headers(provider, turn, "text/event-stream; charset=utf-8")
    await outlet.open(200, (*admitted.headers, *headers, ("cache-control", "no-cache")))
    is_fast = admitted.fault is Fault.HUGE_ANSWER
    pace = _Pace(provider, first=0.0 if is_fast else None)
    for index, frame in enumerate(frames):
        if index == len(frames) // 2:
            if admitted.fault is Fault.DISCONNECT:
                return honest
            if admitted.fault is Fault.STALL:
                await stall(provider)
        await (asyncio.sleep(0) if is_fast else pace.next())
        await outlet.write(frame)
    await outlet.finish()
    return honest


class _Pace:
    """Waits so that tokens leave at the provider's speed, without drifting."""

    def __init__(self, provider: Provider, first: float | None = None) -> None:
        self._options = provider.options
        self._loop = asyncio.get_running_loop()
        wait = self._options.first_token_seconds if first is None else first
        self._next = self._loop.time() + (wait if self._options.tokens_per_second else 0.0)

    async def next(self) -> None:
        speed = self._options.tokens_per_second
        now = self._loop.time()
        await asyncio.sleep(max(0.0, self._next - now) if speed else 0)
        self._next = max(self._next, now - 1.0) + (1 / speed if speed else 0.0)


def _frames(turn: Turn, fault: Fault | None) -> list[bytes]:
    """Every SSE event of the answer."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"reasoning_content": piece} for piece in turn.reasoning]
    deltas += [{"content": piece} for piece in turn.pieces]
    frames = [_frame(turn, delta) for delta in deltas]
    frames.append(_frame(turn, {}, finish_reason=turn.finish_reason))
    if fault is Fault.BAD_CHUNK:
        frames.insert(len(frames) // 2, BAD_CHUNK)
    if turn.wants_usage and fault is not Fault.NO_USAGE:
        frames.append(_event({**_envelope(turn), "choices": [], "usage": turn.usage}))
    if fault is not Fault.NO_DONE:
        frames.append(b"data: [DONE]\n\n")
    return frames


def _tampered(frames: list[bytes]) -> list[bytes]:
    """The same stream with a word more in the middle, that nobody signed."""
    middle = next(
        index
        for index in (*range(len(frames) // 2, len(frames)), *range(len(frames) // 2))
        if b'"content":"' in frames[index]
    )
    changed = frames[middle].replace(b'"content":"', b'"content":" not', 1)
    return [*frames[:middle], changed, *frames[middle + 1 :]]


def _frame(turn: Turn, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return _event({**_envelope(turn), "choices": [choice]})


def _envelope(turn: Turn) -> dict[str, Any]:
    return {
        "id": turn.completion_id,
        "object": "chat.completion.chunk",
        "created": turn.created,
        "model": turn.model,
    }


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + _json(value) + b"\n\n"


def _json(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8", "replace")


async def _send(provider: Provider, admitted: Admission, outlet: Outlet, turn: Turn) -> bytes:
    """Send the answer whole; return the bytes that will be signed."""
    honest = _completion(turn, turn.text, admitted.fault)
    body = honest
    if admitted.fault is Fault.TAMPERED_ANSWER:
        body = _completion(turn, turn.text + " Not so.", admitted.fault)
    speed = provider.options.tokens_per_second
    if speed:
        await asyncio.sleep(min(turn.usage["completion_tokens"] / speed, LONGEST_WAIT))
    headers = _headers(provider, turn, "application/json")
    await send_whole(provider, admitted, outlet, body, headers)
    return honest


def _completion(turn: Turn, text: str, fault: Fault | None) -> bytes:
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if turn.reasoning:
        message["reasoning_content"] = "".join(turn.reasoning)
    choice = {"index": 0, "message": message, "finish_reason": turn.finish_reason}
    completion = {**_envelope(turn), "object": "chat.completion", "choices": [choice]}
    if fault is not Fault.NO_USAGE:
        completion["usage"] = turn.usage
    return _json(completion)
