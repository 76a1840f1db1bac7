"""Finding somebody who answers: the order, the line, failing over, and what is learned by it."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

from zgcompute._http import AsyncReply
from zgcompute.async_providers import read_refusal
from zgcompute.errors import (
    DestinationRefused,
    Error,
    ProviderBusy,
    ProviderError,
    ProviderRefused,
    ProviderTimeout,
    ProviderUnreachable,
    RateLimited,
)
from zgcompute.inference import REFUSED_SESSION
from zgcompute.refusals import refusal
from zgcompute.serving.attempts import Failed, Opened
from zgcompute.serving.breaker import State
from zgcompute.serving.calls import Call, Sent
from zgcompute.serving.line import Line, LineFull
from zgcompute.serving.problems import Problem, unknown_model
from zgcompute.serving.routing import (
    Order,
    in_order,
    is_asked_too_fast,
    is_its_failure,
    may_go_elsewhere,
)
from zgcompute.serving.targets import Target

log = logging.getLogger(__name__)
_START_WITHIN = 2.0  # seconds; who has not answered a look by then joins later


@dataclass(frozen=True, slots=True)
class Rules:
    """How long and how many: seconds, and requests that may wait."""

    order: Order = Order.PRIORITY
    request_timeout: float = 120.0  # without a byte from the provider
    longest_wait: float = 60.0
    most_waiting: int = 100


@dataclass(eq=False)
class Dispatcher:
    """Sends calls to targets by `rules`; `start` and `aclose` frame its work."""

    targets: Sequence[Target]
    rules: Rules = field(default_factory=Rules)
    _line: Line = field(init=False)
    _looks: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._line = Line(self.rules.most_waiting)

    @property
    def waiting(self) -> int:
        """How many requests wait in line."""
        return len(self._line)

    async def start(self) -> None:
        """Look at every target once: which are alive, and what do they serve? Bills nothing."""
        looks = [self._look_after(target, 0.0) for target in self.targets]
        if looks:
            await asyncio.wait(looks, timeout=_START_WITHIN)

    async def aclose(self) -> None:
        """Stop looking."""
        for task in self._looks:
            task.cancel()
        await asyncio.gather(*self._looks, return_exceptions=True)

    @asynccontextmanager
    async def answered(self, call: Call) -> AsyncIterator[Opened]:
        """Give the reply of the first who takes `call`, once its headers are here.

        Raises Problem while nobody does; raises Failed where the reading fails inside.
        """
        async with AsyncExitStack() as stack:
            yield await self._open(call, stack)

    async def _open(self, call: Call, stack: AsyncExitStack) -> Opened:
        serving = self._serving(call)
        deadline = asyncio.get_running_loop().time() + self.rules.longest_wait
        ticket, last = self._line.ticket(), None
        while True:
            if not serving:
                assert last is not None
                raise last.problem
            target = self._choice(list(serving), ticket)
            if target is None:
                await self._wait(list(serving), ticket, deadline, last)
                continue
            try:
                attempt = self._attempt(target, serving[target], call)
                return await stack.enter_async_context(attempt)
            except Failed as failed:
                last = failed
                if not may_go_elsewhere(failed.error, failed.body):
                    raise failed.problem from failed
                if not is_asked_too_fast(failed.error):
                    del serving[target]

    def _serving(self, call: Call) -> dict[Target, str]:
        """Who may answer, each with the model that it would use; raises Problem for nobody."""
        serving: dict[Target, str] = {}
        known: dict[str, None] = {}  # in the order of the targets
        for target in self.targets:
            models = target.models_for(call.kind)
            known |= dict.fromkeys(models)
            if call.model in models:
                serving[target] = call.model
            elif models and target.replaces(call.model):
                serving[target] = models[0]
        if not known:
            kind = call.kind.service_type
            message = f"No provider of {kind} is behind this server."
            raise Problem(404, message, "invalid_request_error", "service_not_offered")
        if call.model and call.model not in known:
            raise unknown_model(call.model, list(known))
        return serving

    def _choice(self, serving: Sequence[Target], ticket: int) -> Target | None:
        free = (
            target
            for target in in_order(serving, self.rules.order)
            if target.may_start() and not self._line.is_waited_for(target, ticket)
        )
        return next(free, None)

    async def _wait(
        self, serving: Sequence[Target], ticket: int, deadline: float, last: Failed | None
    ) -> None:
        """Wait until somebody may take more; raises Problem where that is not worth it."""
        now = asyncio.get_running_loop().time()
        left = deadline - now
        if all(target.breaker.state is State.OPEN for target in serving):
            seconds = min(target.breaker.opens_until - target.clock() for target in serving)
            raise _nobody(last, max(1.0, seconds))
        until = min(target.opens_in() for target in serving)
        until = until if until > 0 else math.inf  # only who came before is in the way
        if left <= 0 or (until > left and until != math.inf):
            raise _too_fast(last, 1.0 if until == math.inf else until)
        try:
            await self._line.wait(ticket, serving, max(0.0, min(until, left)))
        except LineFull:
            raise _too_fast(last, 1.0 if until == math.inf else until, full=True) from None

    @asynccontextmanager
    async def _attempt(self, target: Target, model: str, call: Call) -> AsyncIterator[Opened]:
        target.pace.started()
        is_trial, began = target.breaker.started(), target.clock()
        try:
            async with AsyncExitStack() as stack:
                sent = call.body_for(model)
                reply = await self._posted(target, call, sent, stack)
                target.pace.admitted(reply.headers, target.clock())
                self._line.call(target)
                yield Opened(target, model, sent, reply, began)
            target.record.served += 1
            target.breaker.succeeded()
        except Failed as failed:
            self._learn(target, failed.error)
            raise
        except Error as error:
            self._learn(target, error)
            raise Failed(target, error) from error
        except BaseException:
            if is_trial:
                target.breaker.given_up()
            raise
        finally:
            target.pace.ended()
            self._line.call(target)

    async def _posted(
        self, target: Target, call: Call, sent: Sent, stack: AsyncExitStack
    ) -> AsyncReply:
        """Send it; a session that ended is renewed once, such a refusal is not billed."""
        limits = replace(call.kind.limits, idle=self.rules.request_timeout)
        may_renew = True
        while True:
            key = await target.authorization()
            headers = {"content-type": sent.content_type, "authorization": f"Bearer {key}"}
            async with AsyncExitStack() as attempt:
                posting = target.door.post(target.url(call.kind), limits, headers, sent.content)
                reply = await attempt.enter_async_context(posting)
                if reply.status == call.kind.accepted:
                    stack.push_async_exit(attempt.pop_all())
                    return reply
                body = await read_refusal(reply)
            error = refusal(reply.status, body, reply.headers)
            is_of_session = isinstance(error, REFUSED_SESSION)
            if not (is_of_session and may_renew and target.key_was_refused(key)):
                raise Failed(target, error, body)
            may_renew = False

    def _learn(self, target: Target, error: Error) -> None:
        """Note what a failed attempt tells about its target."""
        now = target.clock()
        target.record.failed += 1
        target.record.last_error = str(error)
        if isinstance(error, RateLimited | ProviderBusy):
            target.pace.refused(error, now)
        if not isinstance(error, ProviderError):
            target.breaker.given_up()  # it was not asked
            return
        if not is_its_failure(error):
            target.breaker.succeeded()
            return
        unreached = isinstance(error, ProviderTimeout | ProviderUnreachable) and not error.was_sent
        if target.breaker.failed(now, at_once=unreached or isinstance(error, DestinationRefused)):
            seconds = target.breaker.opens_until - now
            log.warning("%s is left alone for %.0f s: %s", target.name, seconds, error)
            self._look_after(target, seconds)

    def _look_after(self, target: Target, seconds: float) -> asyncio.Task[None]:
        task = asyncio.create_task(self._look(target, seconds))
        self._looks.add(task)
        task.add_done_callback(self._looks.discard)
        return task

    async def _look(self, target: Target, seconds: float) -> None:
        await asyncio.sleep(seconds)
        try:
            await target.look()
        except ProviderError as error:
            target.record.last_error = str(error)
            target.breaker.looked(is_alive=False, now=target.clock())
            if target.breaker.state is State.OPEN:
                pause = target.breaker.opens_until - target.clock()
                self._look_after(target, max(0.0, pause))
        else:
            target.breaker.looked(is_alive=True, now=target.clock())
        self._line.call(target)


def _nobody(last: Failed | None, seconds: float) -> Problem:
    if last is not None:
        problem = last.problem
        problem.retry_after = problem.retry_after or seconds
        return problem
    message = f"None of the providers works at the moment. Try again in {math.ceil(seconds)} s."
    return Problem(503, message, "server_error", "providers_unavailable", retry_after=seconds)


def _too_fast(last: Failed | None, seconds: float, *, full: bool = False) -> Problem:
    """The 429 of a request that cannot wait, or has waited long enough."""
    reason = "Too many requests wait already." if full else "The provider takes no more for now."
    if last is not None and isinstance(last.error, ProviderRefused):
        reason = str(last.error)
    wait = math.ceil(max(1.0, seconds))
    message = f"{reason} Try again in {wait} second{'s' if wait > 1 else ''}."
    return Problem(429, message, "rate_limit_error", "rate_limit_exceeded", retry_after=seconds)
