"""Following an answer: from the start, from the middle, in two tabs, and when it is over."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any
from uuid import UUID

import pytest
from django.test import AsyncClient
from django.utils import timezone

from accounts.models import Wallet
from chat import streams
from chat.answering import Answering
from chat.models import Conversation, Message
from chat.streams import MemoryStreams, Streamed
from chat.views import stream as view
from tests.chat.stage import NETWORK, ask, get_answer, tools
from zgcompute.testing_providers import FakeProvider

pytestmark = pytest.mark.django_db(transaction=True)

WORDS = "Grüße 你好 Привет ½ ≤ ⅔ 🜁 שלום " * 6


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "PATIENCE", 0.2)
    monkeypatch.setattr(view, "GAP_SECONDS", 0.05)
    streams.store.cache_clear()


def _url(answer: Message, after: int = 0) -> str:
    return f"/{NETWORK}/chat/answers/{answer.pk}/stream/?after={after}"


async def _events(
    wallet: Wallet, url: str, **headers: str
) -> AsyncIterator[tuple[int, str, dict[str, Any]]]:
    client = AsyncClient()
    await client.aforce_login(wallet, backend="accounts.backends.SignedMessage")
    response = await client.get(url, headers=headers)
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/event-stream")
    assert "Content-Encoding" not in response
    assert not response.cookies
    async for chunk in response.streaming_content:  # type: ignore[attr-defined]
        lines = dict(line.split(": ", 1) for line in chunk.decode().strip().split("\n"))
        if "event" in lines:
            yield int(lines["id"]), lines["event"], json.loads(lines["data"])


async def _everything(wallet: Wallet, url: str, **headers: str) -> list[tuple[int, str, Any]]:
    return [event async for event in _events(wallet, url, **headers)]


def _said(events: list[tuple[int, str, Any]]) -> str:
    return "".join(data["text"] for _, name, data in events if name == "text")


def test_a_page_sees_the_answer_grow_and_end(alice: Wallet, conversation: Conversation) -> None:
    answer = ask(conversation)

    async def story() -> list[tuple[int, str, Any]]:
        work = tools(FakeProvider(answer=WORDS, delay=0.005), streams.store())
        reading = asyncio.create_task(_everything(alice, _url(answer)))
        await _followed(answer)
        await Answering(answer.pk, work).run()
        return await reading

    events = asyncio.run(story())
    assert _said(events) == WORDS
    names = [name for _, name, _ in events if name not in ("text", "pace")]
    assert names == ["ended", "receipt", "receipt", "done"]
    ended = next(data for _, name, data in events if name == "ended")
    assert [place for place, _ in ended["parts"]] == ["block"]
    assert 'aria-label="Regenerate"' in ended["html"]
    assert "Verified" in events[-2][2]["html"]
    paces = [data["text"] for _, name, data in events if name == "pace"]
    assert "to first token" in paces[0]
    assert "0G so far" in paces[0]
    numbers = [number for number, _, _ in events]
    assert numbers == sorted(set(numbers))


async def _followed(answer: Message, by: int = 1) -> None:
    """Wait until so many pages follow: one that came after the end would be told at once."""
    kept = streams.store()
    assert isinstance(kept, MemoryStreams)
    while answer.pk not in kept._streams or len(kept._streams[answer.pk].readers) < by:  # noqa: ASYNC110
        await asyncio.sleep(0.005)


class Hesitant(MemoryStreams):
    """Streams whose first reader hears nothing until the answer is over, and then all of it."""

    def __init__(self) -> None:
        super().__init__()
        self.is_read = asyncio.Event()
        self.over = asyncio.Event()
        self._has_hesitated = False

    async def read(
        self, message_id: UUID, after: int, *, patience: float
    ) -> AsyncGenerator[Streamed | None]:
        if not self._has_hesitated:
            self._has_hesitated = True
            self.is_read.set()
            await self.over.wait()
            yield None
        async with aclosing(super().read(message_id, after, patience=patience)) as events:
            async for streamed in events:
                yield streamed


def test_a_silence_in_which_all_was_said_is_made_up_for_by_the_events(
    alice: Wallet, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row is ahead of a reader who was slow; the events that it lacks are still there."""
    answer, slow = ask(conversation), Hesitant()
    monkeypatch.setattr(view, "store", lambda: slow)

    async def story() -> list[tuple[int, str, Any]]:
        reading = asyncio.create_task(_everything(alice, _url(answer)))
        await slow.is_read.wait()
        await Answering(answer.pk, tools(FakeProvider(answer=WORDS), slow)).run()
        slow.over.set()
        return await reading

    events = asyncio.run(story())
    assert _said(events) == WORDS
    names = [name for _, name, _ in events if name not in ("text", "pace")]
    assert names == ["ended", "receipt", "receipt", "done"]


def test_a_reload_in_the_middle_goes_on_without_loss(
    alice: Wallet, conversation: Conversation
) -> None:
    answer = ask(conversation)

    async def story() -> str:
        work = tools(FakeProvider(answer=WORDS, delay=0.04), streams.store())
        running = asyncio.create_task(Answering(answer.pk, work).run())
        first = []
        async for event in _events(alice, _url(answer)):
            first.append(event)
            if len(first) == 5:
                break
        rest = await _everything(alice, _url(answer), **{"Last-Event-ID": str(first[-1][0])})
        await running
        assert rest[0][0] == first[-1][0] + 1
        return _said(first) + _said(rest)

    assert asyncio.run(story()) == WORDS


def test_two_tabs_see_the_same(alice: Wallet, conversation: Conversation) -> None:
    answer = ask(conversation)

    async def story() -> list[Any]:
        work = tools(FakeProvider(answer=WORDS, delay=0.005), streams.store())
        tabs = [asyncio.create_task(_everything(alice, _url(answer))) for _ in range(2)]
        await _followed(answer, by=2)
        await Answering(answer.pk, work).run()
        return await asyncio.gather(*tabs)

    left, right = asyncio.run(story())
    assert _said(left) == _said(right) == WORDS


def test_an_answer_that_is_over_is_told_at_once(alice: Wallet, conversation: Conversation) -> None:
    answer = get_answer(ask(conversation).pk, FakeProvider(answer="**Done**"))
    events = asyncio.run(_everything(alice, _url(answer)))
    assert [name for _, name, _ in events] == ["answer", "done"]
    assert "<strong>Done</strong>" in events[0][2]["html"]


def test_a_stream_that_is_gone_is_made_up_for_by_the_database(
    alice: Wallet, conversation: Conversation
) -> None:
    """The site was restarted: the text so far is in the row, its events are nowhere."""
    answer = ask(conversation)
    Message.objects.filter(pk=answer.pk).update(state="streaming", text="So far", stream_id=40)

    async def story() -> list[Any]:
        reading = asyncio.create_task(_everything(alice, _url(answer, after=12)))
        await asyncio.sleep(0.3)
        await asyncio.to_thread(
            Message.objects.filter(pk=answer.pk).update,
            state="interrupted",
            closed_at=timezone.now(),
        )
        return await reading

    events = asyncio.run(story())
    assert [name for _, name, _ in events] == ["answer", "answer", "done"]
    assert events[0][0] == 40
    assert "So far" in events[0][2]["html"]


def test_what_is_shown_after_a_gap_is_of_its_place(
    alice: Wallet, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Text saved between looking at the row and showing it would come twice."""
    answer = ask(conversation)
    rows = Message.objects.filter(pk=answer.pk)
    rows.update(state="streaming", text="So far", stream_id=40)
    again = view._again

    def with_news(answer: Message) -> Message:
        seen = again(answer)
        rows.update(text="So far and more", stream_id=60)
        return seen

    monkeypatch.setattr(view, "_again", with_news)

    async def first() -> tuple[int, str, Any]:
        return await anext(_events(alice, _url(answer, after=12)))

    number, name, shown = asyncio.run(first())
    assert (number, name) == (40, "answer")
    assert "and more" not in shown["html"]


def test_strangers_and_visitors_find_nothing(
    mallory: Wallet, alice: Wallet, conversation: Conversation
) -> None:
    answer = ask(conversation)

    async def story() -> list[int]:
        client = AsyncClient()
        signed_out = await client.get(_url(answer))
        await client.aforce_login(mallory, backend="accounts.backends.SignedMessage")
        stranger = await client.get(_url(answer))
        elsewhere = AsyncClient()
        await elsewhere.aforce_login(alice, backend="accounts.backends.SignedMessage")
        other_network = await elsewhere.get(_url(answer).replace(NETWORK, "testnet"))
        return [signed_out.status_code, stranger.status_code, other_network.status_code]

    assert asyncio.run(story()) == [404, 404, 404]
