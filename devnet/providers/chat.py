"""POST /v1/proxy/chat/completions: an answer composed, streamed, billed and signed."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from devnet.faults import Fault
from devnet.providers import fees, reencoding
from devnet.providers.admission import Admission, admission, require_model
from devnet.providers.delivery import Finished, send_whole, settle_up, stall
from devnet.providers.provider import Provider
from devnet.providers.signatures import response_text
from devnet.providers.turns import Turn, billed_usage, compose
from devnet.providers.wire import Outlet, Request

LONGEST_WAIT = 5.0  # seconds that a whole (not streamed) answer is held back at most
BAD_CHUNK = b'data: {"choices": [{"delta": {"content": "half a chu\n\n'


async def serve(provider: Provider, request: Request, outlet: Outlet) -> None:
    """Answer one chat request; raises Refusal before the first byte only."""
    client_body = await request.body()
    async with admission(provider, request) as admitted:
        body, fields = reencoding.prepare(client_body, default_model=provider.profile.model)
        model = require_model(provider, admitted.user, fields)
        turn = compose(provider, model, admitted, fields)
        send = _stream if turn.is_stream else _send
        delivered_and_signed = await send(provider, admitted, outlet, turn)
        await settle_up(
            provider,
            Finished(
                user=admitted.user,
                response_id=turn.response_id,
                signed_text=response_text(body, delivered_and_signed),
                request_body=body,
                fee=fees.chat_fee(
                    fees.priced(admitted.service, model),
                    billed_usage(turn, admitted.fault),
                    turn.text,
                ),
                fault=admitted.fault,
            ),
        )


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
