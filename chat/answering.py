"""The life of one answer in the engine's loop: claimed, streamed, ended, billed, checked, closed.

It does not depend on any browser. A provider bills the whole answer whatever we do, so after a
stop the rest is still read, silently: it brings the exact fee and the proof.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import ParamSpec, Protocol, TypeVar
from uuid import UUID

from chat import assignments, receipts, transitions
from chat.assignments import Assignment
from chat.live import Event, Live, Shown
from chat.models import Message
from chat.pace import Pace
from chat.receipts import Facts
from chat.streams import StreamStore
from chat.transitions import Bill, Problem
from zgcompute import types
from zgcompute.answers import ChatOutcome
from zgcompute.errors import (
    Error,
    ProviderTimeout,
    SessionExpired,
    SessionInvalid,
    SessionRevoked,
)
from zgcompute.fees import is_free
from zgcompute.providers import ChatStream

P = ParamSpec("P")
T = TypeVar("T")
log = logging.getLogger(__name__)

SHOW_SECONDS = 0.04  # between two rounds of events
SAVE_SECONDS = 1.0
PACE_SECONDS = 1.0
TOUCH_SECONDS = 5.0
DRAIN_SECONDS = 120.0  # how long the rest is read after a stop
ANSWER_SECONDS = 1800.0
MAX_CHARACTERS = 400_000  # of text and reasoning that are shown and kept


class ChatProvider(Protocol):
    """What the engine needs of zgcompute's AsyncProvider."""

    def stream_chat(self, api_key: str, body: bytes) -> AbstractAsyncContextManager[ChatStream]: ...


@dataclass(frozen=True, slots=True)
class Tools:
    """What answers are made with: the way to a provider, the proof's check, streams, threads."""

    connect: Callable[[types.Service, bool], ChatProvider]
    check: Callable[[int], object]
    store: StreamStore
    database: Executor
    checks: Executor


class Answering:
    """One answer on its way. All of it runs in the engine's loop, but for `shown`."""

    def __init__(self, message_id: UUID, tools: Tools) -> None:
        self.message_id = message_id
        self.shown = Shown()
        self.is_over = asyncio.Event()  # the answer has ended, here or elsewhere
        self._tools = tools
        self._live = Live()
        self._news = asyncio.Event()
        self._is_quiet = False  # what still arrives is billed, but not shown
        self._has_ended = False
        self._unshown: list[str] = []
        self._started = time.monotonic()
        self._first_token: float | None = None
        self._pieces = 0
        self._paced = 0.0  # when the pages were last told of the pace
        self._ended: float | None = None
        self._outcome: ChatOutcome | None = None

    async def run(self) -> None:
        """Take the answer from claim to close; does nothing where somebody else has claimed it."""
        if not await self._database(transitions.claim, self.message_id):
            return
        try:
            async with asyncio.TaskGroup() as group:
                fresh = group.create_task(self._keep_fresh())
                await self._answer()
                fresh.cancel()
        except Exception:
            log.exception("answer %s broke", self.message_id)
            await self._end(_OUR_FAULT)
        await self._database(transitions.close, self.message_id)
        await self._tell("done")
        await self._tools.store.close(self.message_id)

    async def _answer(self) -> None:
        try:
            work = await self._database(assignments.assignment, self.message_id)
        except Error as error:
            await self._end(Problem.of(error))
            return
        if self.is_over.is_set():
            await self._end(None)  # stopped before anything was sent
            return
        failure = await self._stream(work)
        if isinstance(failure, _SESSION_OVER):
            await self._database(assignments.drop_session, work)
        problem = self._problem(failure)
        if self._is_free(failure):
            await self._end(problem)
            return
        receipt_id = await self._end(problem, partial(receipts.write, work, self._facts()))
        await self._tell("receipt")
        await self._check(receipt_id)
        await self._tell("receipt")

    async def _stream(self, work: Assignment) -> Error | None:
        """Read the whole answer, show it until it is over, and return what went wrong."""
        reading = asyncio.create_task(self._read(work))
        showing = asyncio.create_task(self._keep_showing(work))
        over = asyncio.create_task(self.is_over.wait())
        try:
            first = {reading, showing, over}
            await asyncio.wait(first, timeout=ANSWER_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            self._is_quiet = True
            self._news.set()
            await showing
            await self._show()
            if over.done():
                await self._end(None)
                await asyncio.wait({reading}, timeout=DRAIN_SECONDS)
            return await self._result(reading)
        finally:
            for task in (reading, showing, over):
                task.cancel()

    async def _result(self, reading: asyncio.Task[None]) -> Error | None:
        self._ended = time.monotonic()
        if not reading.done():
            return ProviderTimeout("The provider takes too long to end its answer.")
        try:
            await reading
        except Error as error:
            return error
        return None

    async def _read(self, work: Assignment) -> None:
        provider = self._tools.connect(work.service, work.is_local)
        async with provider.stream_chat(work.api_key, work.body) as stream:
            async for delta in stream:
                self._first_token = self._first_token or time.monotonic()
                self._pieces += 1
                if self._is_quiet or self._is_too_long:
                    self._unshown.append(delta.text)
                else:
                    self._live.add(delta.text, delta.reasoning)
                    self._news.set()
            self._outcome = stream.outcome

    async def _keep_showing(self, work: Assignment) -> None:
        while not self._is_quiet:
            await self._news.wait()
            self._news.clear()
            await self._show()
            await self._tell_pace(work)
            await asyncio.sleep(SHOW_SECONDS)

    async def _tell_pace(self, work: Assignment) -> None:
        now = time.monotonic()
        if self._first_token is None or now - self._paced < PACE_SECONDS:
            return
        self._paced = now
        pace = Pace(
            first_token_ms=round((self._first_token - self._started) * 1000),
            elapsed_ms=round((now - self._started) * 1000),
            pieces=self._pieces,
            request_bytes=work.text_bytes,
            pictures=work.pictures,
        )
        event = Event("pace", {"text": pace.words(work.service, work.card)})
        await self._tools.store.append(self.message_id, event)

    async def _show(self) -> None:
        """Tell the pages what has grown."""
        news, grow = self._live.take(), self._live.grow
        is_heavy = self._live.is_heavy(news)
        events = await self._database(grow, news) if is_heavy else grow(news)
        stream_id = self.shown.stream_id
        for event in events:
            stream_id = await self._tools.store.append(self.message_id, event)
        self.shown = Shown(self._live.text, self._live.reasoning, stream_id)

    async def _keep_fresh(self) -> None:
        """Save the text every second; without news, give a sign of life every five."""
        saved, touched = self.shown, time.monotonic()
        while True:
            await asyncio.sleep(SAVE_SECONDS)
            shown = self.shown
            if shown != saved and not self.is_over.is_set():
                is_running = await self._database(transitions.save, self.message_id, shown)
            elif time.monotonic() - touched >= TOUCH_SECONDS:
                is_running = await self._database(transitions.touch, self.message_id)
            else:
                continue
            saved, touched = shown, time.monotonic()
            if not is_running:
                self.is_over.set()

    async def _end(self, problem: Problem | None, bill: Bill | None = None) -> int | None:
        """Write the last text, the final state and the bill; the bill alone where it has ended."""
        if self._has_ended:
            return await self._database(bill) if bill else None
        self._has_ended = True
        await self._show()
        self.is_over.set()
        state = self._final_state(problem)
        write = partial(transitions.end, self.message_id, state, self.shown, problem, bill)
        receipt_id = await self._database(write)
        await self._tools.store.append(self.message_id, await self._database(self._live.end))
        return receipt_id

    @property
    def _is_too_long(self) -> bool:
        return self._live.size >= MAX_CHARACTERS

    def _problem(self, failure: Error | None) -> Problem | None:
        if failure is not None:
            return Problem.of(failure)
        if self._is_too_long:
            return _TOO_LONG
        return _found_wanting(self._outcome) if self._outcome else None

    def _final_state(self, problem: Problem | None) -> str:
        if problem is None or problem.is_remark:
            return Message.State.COMPLETE
        has_part = self.shown.text or self.shown.reasoning
        return Message.State.INTERRUPTED if has_part else Message.State.FAILED

    def _is_free(self, error: Error | None) -> bool:
        """Tell whether the provider has surely billed nothing: it refused, or was never reached."""
        nothing_came = self._outcome is None and self._first_token is None
        return nothing_came and error is not None and is_free(error)

    def _facts(self) -> Facts:
        text = self.shown.text + "".join(self._unshown)
        return Facts(
            outcome=self._outcome,
            text=text,
            first_token_ms=_milliseconds(self._started, self._first_token),
            duration_ms=_milliseconds(self._started, self._ended),
        )

    async def _check(self, receipt_id: int | None) -> None:
        if receipt_id is not None:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._tools.checks, self._tools.check, receipt_id)

    async def _tell(self, name: str) -> None:
        await self._tools.store.append(self.message_id, Event(name, {}))

    async def _database(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        work = partial(function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._tools.database, work)


def _found_wanting(outcome: ChatOutcome) -> Problem | None:
    """What a reply that ended well lacks all the same."""
    if not (outcome.saw_done or outcome.finish_reason):
        return _CUT_SHORT
    if outcome.bad_chunks:
        return _UNREADABLE
    return _AT_LIMIT if outcome.finish_reason == "length" else None


def _milliseconds(start: float, end: float | None) -> int | None:
    return None if end is None else round((end - start) * 1000)


_SESSION_OVER = SessionExpired | SessionRevoked | SessionInvalid
_TOO_LONG = Problem(
    f"The answer is longer than {MAX_CHARACTERS:,} characters.",
    "The rest is not kept here; bill and proof are of the whole answer.",
    kind="AnswerTooLong",
)
_CUT_SHORT = Problem(
    "The answer stops without a sign that it is finished.",
    "What came is kept. Ask the model to go on, or send it again.",
    kind="AnswerCutShort",
)
_UNREADABLE = Problem(
    "A part of the provider's reply could not be read: words may be missing here.",
    kind="Unreadable",
    is_remark=True,
)
_AT_LIMIT = Problem(
    "The answer ends here because it reached its limit of tokens.",
    kind=Message.AT_LIMIT,
    is_remark=True,
)
_OUR_FAULT = Problem(
    "Something broke on our side while the answer was being written.",
    "Send it again. The provider may bill the answer that was lost.",
)
