"""Answers on their way: iterate once over the text, then read the whole with its fee and verdict.

Reading to the end closes the stream; leaving early ends the reading, not the billing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from typing import TypeVar

from zgcompute._clients import AsyncReading, Reading
from zgcompute.answers import ChatDelta, ChatOutcome, ChatReply
from zgcompute.errors import Error
from zgcompute.priced_answers import Answer, AsyncAnswer

_Answer = TypeVar("_Answer", Answer, AsyncAnswer)


class AnswerStream:
    """An answer on its way: iterate once over its text, then read `answer`.

    Who leaves early closes it with `close`, or by `with`.
    """

    def __init__(
        self, reading: Reading, conclude: Callable[[ChatReply], Answer], stack: ExitStack
    ) -> None:
        self._reading = reading
        self._conclude = conclude
        self._stack = stack
        self._is_begun = False
        self._answer: Answer | None = None

    def __iter__(self) -> Iterator[str]:
        _require_first(self._is_begun)
        self._is_begun = True
        return self._pieces()

    @property
    def answer(self) -> Answer:
        """The whole answer with its fee and verdict; raises Error until all of it was read."""
        return _complete(self._answer)

    def close(self) -> None:
        """Stop reading."""
        self._stack.close()

    def __enter__(self) -> AnswerStream:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _pieces(self) -> Iterator[str]:
        deltas: list[ChatDelta] = []
        with self._stack:
            for delta in self._reading:
                deltas.append(delta)
                if delta.text:
                    yield delta.text
        self._answer = self._conclude(_joined(deltas, self._reading.outcome))


class AsyncAnswerStream:
    """An answer on its way to an event loop: `async for` once over its text, then `answer`.

    Who leaves early closes it with `aclose`, or by `async with`.
    """

    def __init__(
        self,
        reading: AsyncReading,
        conclude: Callable[[ChatReply], Awaitable[AsyncAnswer]],
        stack: AsyncExitStack,
    ) -> None:
        self._reading = reading
        self._conclude = conclude
        self._stack = stack
        self._is_begun = False
        self._answer: AsyncAnswer | None = None

    def __aiter__(self) -> AsyncIterator[str]:
        _require_first(self._is_begun)
        self._is_begun = True
        return self._pieces()

    @property
    def answer(self) -> AsyncAnswer:
        """The whole answer with its fee and verdict; raises Error until all of it was read."""
        return _complete(self._answer)

    async def aclose(self) -> None:
        """Stop reading."""
        await self._stack.aclose()

    async def __aenter__(self) -> AsyncAnswerStream:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()

    async def _pieces(self) -> AsyncIterator[str]:
        deltas: list[ChatDelta] = []
        async with self._stack:
            async for delta in self._reading:
                deltas.append(delta)
                if delta.text:
                    yield delta.text
        self._answer = await self._conclude(_joined(deltas, self._reading.outcome))


def _require_first(is_begun: bool) -> None:
    if is_begun:
        raise Error("The answer was read already.", advice="Ask again, or keep its text.")


def _complete(answer: _Answer | None) -> _Answer:
    if answer is None:
        raise Error("The answer is not complete.", advice="Read the stream to its end first.")
    return answer


def _joined(deltas: list[ChatDelta], outcome: ChatOutcome) -> ChatReply:
    text, reasoning = "".join(d.text for d in deltas), "".join(d.reasoning for d in deltas)
    return ChatReply(text, reasoning, outcome)
