"""The engine's thread: answers run in it, and none is left running when it stops."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from uuid import uuid4

import pytest

from chat import receipts
from chat.engine import Engine
from chat.models import Conversation, Message
from chat.streams import MemoryStreams
from tests.chat.stage import ask
from zgcompute.testing_providers import FakeProvider

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def engine_of() -> Iterator[Callable[[FakeProvider], Engine]]:
    engines: list[Engine] = []

    def make(provider: FakeProvider) -> Engine:
        check = partial(receipts.check, connect=lambda *_: provider, budget=0)
        engines.append(Engine(MemoryStreams(), lambda *_: provider, check))
        return engines[-1]

    yield make
    for engine in engines:
        engine.close()


def _wait_until(answer: Message, state: str) -> Message:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        answer = Message.objects.with_proof().get(pk=answer.pk)
        if answer.state == state and (answer.closed_at or state == "streaming"):
            return answer
        time.sleep(0.02)
    raise AssertionError(f"{answer} never became {state}")


def test_an_answer_runs_without_anybody_waiting(
    conversation: Conversation, engine_of: Callable[[FakeProvider], Engine]
) -> None:
    answer = ask(conversation)
    engine_of(FakeProvider()).start(answer.pk)
    assert _wait_until(answer, "complete").receipt.outcome == "verified"


def test_an_engine_that_stops_leaves_the_part_and_says_so(
    conversation: Conversation, engine_of: Callable[[FakeProvider], Engine]
) -> None:
    answer = ask(conversation)
    engine = engine_of(FakeProvider(answer="word " * 500, delay=0.02))
    engine.start(answer.pk)
    _wait_until(answer, "streaming")
    time.sleep(0.3)
    engine.close()
    answer = Message.objects.with_proof().get(pk=answer.pk)
    assert answer.state == "interrupted"
    assert answer.closed_at
    assert answer.receipt.fee is None
    assert answer.text.startswith("word")
    assert "bills the whole answer" in answer.advice


def test_an_engine_that_stops_gives_up_what_it_has_not_sent(
    conversation: Conversation, engine_of: Callable[[FakeProvider], Engine]
) -> None:
    answer, aurora = ask(conversation), FakeProvider()
    engine = engine_of(aurora)
    busy = [engine._database.submit(time.sleep, 0.5) for _ in range(4)]
    engine.start(answer.pk)
    engine.close()
    assert all(one.done() for one in busy)
    answer.refresh_from_db()
    assert (answer.state, aurora.bodies) == ("failed", [])


def test_an_answer_that_does_not_exist_is_ignored(
    engine_of: Callable[[FakeProvider], Engine],
) -> None:
    engine = engine_of(FakeProvider())
    engine.start(uuid4())
    engine.stop(uuid4())
