"""The line of requests that wait until a provider takes more of them."""

from __future__ import annotations

import asyncio
from bisect import insort
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count

from zgcompute.serving.targets import Target


@dataclass(order=True, slots=True)
class _Waiting:
    ticket: int
    targets: Sequence[Target] = field(compare=False)
    called: asyncio.Future[None] = field(compare=False)


class LineFull(Exception):
    """As many wait as may."""


class Line:
    """Requests in the order of their tickets; at most `most` of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: list[_Waiting] = []
        self._tickets = count()

    def __len__(self) -> int:
        return len(self._waiting)

    def ticket(self) -> int:
        """The number of a request that just came; it keeps its place by it."""
        return next(self._tickets)

    def is_waited_for(self, target: Target, ticket: int) -> bool:
        """Tell whether somebody waits for `target` who came before."""
        return any(w.ticket < ticket and target in w.targets for w in self._waiting)

    async def wait(self, ticket: int, targets: Sequence[Target], seconds: float) -> None:
        """Wait until one of `targets` is worth another look, for `seconds` at most.

        Raises LineFull.
        """
        if len(self._waiting) >= self._most:
            raise LineFull
        waiting = _Waiting(ticket, targets, asyncio.get_running_loop().create_future())
        insort(self._waiting, waiting)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await waiting.called
        finally:
            self._waiting.remove(waiting)
            for target in targets:  # whoever comes next may look too: this one may have left
                self.call(target)

    def call(self, target: Target) -> None:
        """Let the first who waits for `target` look again, if it takes anybody."""
        if not self._waiting or not target.may_start():
            return
        for waiting in self._waiting:
            if target in waiting.targets:
                if not waiting.called.done():
                    waiting.called.set_result(None)
                return
