"""The single async view: follow an answer as it is written, from any place, in any tab."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import ParamSpec, TypeVar
from uuid import UUID

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user
from django.db import close_old_connections
from django.http import HttpRequest, StreamingHttpResponse
from django.template.loader import render_to_string
from django.views.decorators.http import require_GET

from chat.access import answer_for
from chat.live import Event
from chat.models import Message
from chat.passages import turn_of
from chat.rooms import room_of, turn_context
from chat.streams import Gap, store

P = ParamSpec("P")
T = TypeVar("T")

PATIENCE = 5.0  # seconds of silence before a comment is sent and the database asked
MOMENT = 0.5
GAP_SECONDS = 1.0
_FRAGMENTS = {
    "answer": "chat/_answer.html",
    "ended": "chat/_answer_over.html",
    "receipt": "chat/_receipt.html",
}


@require_GET
async def stream(request: HttpRequest, network: str, pk: UUID) -> StreamingHttpResponse:
    """Server-sent events of an answer after Last-Event-ID (or ?after=), until it is closed."""
    wallet = await _database(get_user, request)
    answer = await _database(answer_for, wallet, network, pk)
    frames = _frames(request, answer, _place(request))
    response = StreamingHttpResponse(frames, content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response


async def _frames(request: HttpRequest, answer: Message, place: int) -> AsyncIterator[str]:
    yield "retry: 1000\n\n"
    known = answer  # the row before the last silence: what it knew by then, no event will bring
    while known.is_open:
        patience = _patience(answer, place)
        try:
            async with aclosing(store().read(answer.pk, place, patience=patience)) as events:
                async for streamed in events:
                    if streamed is None:
                        break
                    place = streamed.id
                    if streamed.event.name in _FRAGMENTS:
                        answer = await _database(_again, answer)
                    yield await _frame(request, answer, streamed.event, place)
                else:
                    return
            yield ": nothing new\n\n"
            known, answer = answer, await _database(_again, answer)
        except Gap:
            await asyncio.sleep(GAP_SECONDS)
            known = answer = await _database(_again, answer)
        if known.stream_id > place:  # the events between are gone, or in another process
            place = answer.stream_id
            yield await _frame(request, answer, _CHANGED, place)
    yield await _frame(request, answer, _CHANGED, place)
    yield await _frame(request, answer, _DONE, place)


def _patience(answer: Message, place: int) -> float:
    """Seconds of silence to wait: a moment where the row knows what the events still owe."""
    is_told = answer.is_open and answer.stream_id <= place
    return PATIENCE if is_told else min(PATIENCE, MOMENT)


async def _frame(request: HttpRequest, answer: Message, event: Event, place: int) -> str:
    data = event.data
    if event.name in _FRAGMENTS:
        data = data | {"html": await _database(_fragment, request, answer, event.name)}
    return f"id: {place}\nevent: {event.name}\ndata: {json.dumps(data)}\n\n"


def _fragment(request: HttpRequest, answer: Message, name: str) -> str:
    """The part of the page that shows `answer` as it was read, made for this visitor."""
    place = room_of(request, answer.conversation)
    context = {"conversation": answer.conversation, **turn_context(turn_of(answer), place)}
    return render_to_string(_FRAGMENTS[name], context, request)


def _again(answer: Message) -> Message:
    related = Message.objects.select_related("conversation", "parent", "receipt")
    fresh: Message = related.get(pk=answer.pk)
    return fresh


async def _database(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `function` in a shared thread, so that a thousand readers need a few connections."""

    def work() -> T:
        close_old_connections()
        return function(*args, **kwargs)

    return await sync_to_async(work, thread_sensitive=False)()


def _place(request: HttpRequest) -> int:
    """The last event that the page has; the browser's own word on a reconnect comes first."""
    text = request.headers.get("Last-Event-ID") or request.GET.get("after", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


_CHANGED, _DONE = Event("answer", {}), Event("done", {})
