"""Who is asked, and who is asked next, against servers that each test scripts."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from queue import Queue
from typing import Any

import pytest

from tests.zgcompute.raw_server import Exchange, RawServer, Script, serving
from zgcompute.async_providers import async_door
from zgcompute.serving.attempts import Failed
from zgcompute.serving.breaker import Breaker, State
from zgcompute.serving.calls import CHAT_CALL, Call, understand
from zgcompute.serving.dispatch import Dispatcher, Rules
from zgcompute.serving.problems import Problem
from zgcompute.serving.targets import EndpointTarget, Target

pytestmark = pytest.mark.usefixtures("local_server")
ANSWER = b'{"choices":[{"message":{"content":"hi"}}]}'
Use = Callable[[Dispatcher], Awaitable[Any]]


def chat() -> Call:
    body = json.dumps({"messages": [{"role": "user", "content": "hi"}]}).encode()
    return understand(CHAT_CALL, "application/json", body)


async def ask(dispatcher: Dispatcher) -> tuple[str, bytes]:
    async with dispatcher.answered(chat()) as opened:
        return opened.target.name, await opened.read()


async def problem_of_asking(dispatcher: Dispatcher) -> Problem:
    with pytest.raises(Problem) as caught:
        await ask(dispatcher)
    return caught.value


def good(exchange: Exchange) -> None:
    exchange.reply(ANSWER)


def says(status: str, body: bytes = b'{"error":"no"}', *headers: str) -> Script:
    """A server that lists models and refuses chats."""

    def script(exchange: Exchange) -> None:
        if exchange.method == "GET":
            exchange.reply(b"{}")
        else:
            exchange.reply(body, *headers, status=status)

    return script


def silent_for_chats(exchange: Exchange) -> None:
    if exchange.method == "GET":
        exchange.reply(b"{}")


def run(
    use: Use, *scripts: Script | None, breakers: bool = True, pause: float = 5.0, **rules: Any
) -> tuple[Any, list[list[Exchange]]]:
    """Run `use` with a dispatcher over one server per script, in that order; None is dead."""
    with ExitStack() as stack:
        servers = [stack.enter_context(serving(script or good)) for script in scripts]
        for server, script in zip(servers, scripts, strict=True):
            if script is None:
                server.close()

        async def main() -> Any:
            async with dispatching(servers, breakers, pause, Rules(**rules)) as dispatcher:
                return await use(dispatcher)

        return asyncio.run(main()), [chats(server) for server in servers]


@asynccontextmanager
async def dispatching(
    servers: list[RawServer], breakers: bool, pause: float, rules: Rules
) -> AsyncIterator[Dispatcher]:
    door = async_door(local=True)
    targets: list[Target] = [
        EndpointTarget(f"n{n}", n, door, base_url=server.url, api_key="sk-x", model="m")
        for n, server in enumerate(servers)
    ]
    for target in targets:
        target.breaker = Breaker(patience=3 if breakers else None, first_pause=pause)
    dispatcher = Dispatcher(targets, rules)
    await dispatcher.start()
    try:
        yield dispatcher
    finally:
        await dispatcher.aclose()
        await door.aclose()


def chats(server: RawServer) -> list[Exchange]:
    return [exchange for exchange in server.seen if exchange.method == "POST"]


@pytest.mark.parametrize("status", ["429 No", "500 No", "502 No", "503 No"])
def test_limits_and_failures_of_a_server_go_to_the_next(status: str) -> None:
    (name, body), seen = run(ask, says(status), good)
    assert (name, body) == ("n1", ANSWER)
    assert [len(requests) for requests in seen] == [1, 1]


def test_who_cannot_be_reached_is_not_even_asked() -> None:
    (name, _), _ = run(ask, None, good)
    assert name == "n1"


@pytest.mark.parametrize("status", ["400 No", "402 No", "404 No", "413 No", "422 No"])
def test_the_callers_own_mistake_goes_nowhere_else(status: str) -> None:
    async def fails(dispatcher: Dispatcher) -> Problem:
        problem = await problem_of_asking(dispatcher)
        assert dispatcher.targets[0].breaker.state is State.CLOSED
        return problem

    problem, seen = run(fails, says(status), good)
    assert 400 <= problem.status < 500
    assert [len(requests) for requests in seen] == [1, 0]


def test_nobody_else_is_asked_once_a_request_may_be_billed() -> None:
    problem, seen = run(problem_of_asking, silent_for_chats, good, request_timeout=0.2)
    assert (problem.status, problem.headers["x-should-retry"]) == (504, "false")
    assert [len(requests) for requests in seen] == [1, 0]


def test_a_proxys_own_timeout_may_be_billed_but_a_brokers_is_not() -> None:
    problem, seen = run(problem_of_asking, says("504 No", b"<html>timeout</html>"), good)
    assert (problem.status, problem.may_be_billed) == (504, True)
    assert [len(requests) for requests in seen] == [1, 0]
    (name, _), _ = run(ask, says("504 No", b'{"error":"Gateway Timeout"}'), good)
    assert name == "n1"


def test_nobody_else_is_asked_after_the_first_byte() -> None:
    def breaks_off(exchange: Exchange) -> None:
        if exchange.method == "GET":
            exchange.reply(b"{}")
            return
        exchange.start_chunked()
        exchange.chunk(b"half")
        exchange.hang_up()

    async def fails(dispatcher: Dispatcher) -> bytes:
        received: list[bytes] = []

        async def read() -> None:
            async with dispatcher.answered(chat()) as opened:
                async for chunk in opened.chunks():
                    received.append(chunk)  # noqa: PERF401 - what came before it broke off

        with pytest.raises(Failed):
            await read()
        return b"".join(received)

    received, seen = run(fails, breaks_off, good)
    assert received == b"half"
    assert [len(requests) for requests in seen] == [1, 0]


def test_only_one_trial_goes_to_who_is_up_but_broken() -> None:
    async def many(dispatcher: Dispatcher) -> set[str]:
        return {name for name, _ in await asyncio.gather(*(ask(dispatcher) for _ in range(40)))}

    names, seen = run(many, says("500 No"), good)
    assert names == {"n1"}
    assert [len(requests) for requests in seen] == [1, 40]


def test_where_everybody_fails_the_last_one_says_why() -> None:
    async def fails(dispatcher: Dispatcher) -> list[int]:
        found = []
        for _ in range(2):
            problem = await problem_of_asking(dispatcher)
            found.append(problem.status)
            assert problem.retry_after is None or problem.retry_after > 0
        return found

    statuses, _ = run(fails, says("500 No"), says("502 No"))
    assert statuses == [502, 503]


def test_a_limited_server_alone_is_waited_for() -> None:
    refusals = iter([True])

    def limited_once(exchange: Exchange) -> None:
        if exchange.method == "POST" and next(refusals, False):
            exchange.reply(b'{"error":"slow"}', "retry-after: 0.05", status="429 No")
        else:
            exchange.reply(ANSWER)

    (name, _), seen = run(ask, limited_once, breakers=False)
    assert name == "n0"
    assert len(seen[0]) == 2


def test_requests_at_once_keep_to_the_places_that_were_learned() -> None:
    places, most, lock = [0], [0], threading.Lock()

    def two_places(exchange: Exchange) -> None:
        if exchange.method == "GET":
            exchange.reply(b"{}")
            return
        with lock:
            is_full = places[0] >= 2
            places[0] += not is_full
            most[0] = max(most[0], places[0])
        if is_full:
            words = b'{"error":"Too many concurrent requests. You have 2 (limit: 2)."}'
            exchange.reply(words, status="429 No")
            return
        time.sleep(0.005)  # an answer takes its time
        with lock:
            places[0] -= 1
        exchange.reply(ANSWER)

    async def many(dispatcher: Dispatcher) -> int:
        return len(await asyncio.gather(*(ask(dispatcher) for _ in range(12))))

    answered, _ = run(many, two_places, breakers=False)
    assert (answered, most[0]) == (12, 2)


def test_a_full_line_says_when_to_come_again() -> None:
    async def crowd(dispatcher: Dispatcher) -> list[int]:
        async def status() -> int:
            problem = await problem_of_asking(dispatcher)
            assert problem.retry_after is not None
            return problem.status

        return await asyncio.gather(*(status() for _ in range(4)))

    slow = says("429 No", b'{"error":"slow"}', "retry-after: 0.2")
    statuses, _ = run(crowd, slow, breakers=False, most_waiting=1, longest_wait=0.1)
    assert statuses == [429] * 4


def test_who_leaves_takes_his_request_with_him() -> None:
    closed: Queue[bytes] = Queue()

    def waits(exchange: Exchange) -> None:
        if exchange.method == "GET":
            exchange.reply(b"{}")
            return
        exchange.start_chunked()
        exchange.chunk(b"first")
        closed.put(exchange.connection.recv(1))

    async def leaves(dispatcher: Dispatcher) -> int:
        arrived = asyncio.Event()

        async def read() -> None:
            async with dispatcher.answered(chat()) as opened:
                async for _ in opened.chunks():
                    arrived.set()

        reading = asyncio.create_task(read())
        await arrived.wait()
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        assert await asyncio.to_thread(closed.get, timeout=5) == b""
        return dispatcher.targets[0].pace.active

    active, _ = run(leaves, waits)
    assert active == 0


def test_a_look_that_finds_somebody_alive_again_lets_requests_in() -> None:
    looks = iter([True])

    def comes_back(exchange: Exchange) -> None:
        if exchange.method == "GET" and next(looks, False):
            exchange.reply(b"", status="503 No")
        else:
            exchange.reply(ANSWER)

    async def waits(dispatcher: Dispatcher) -> str:
        assert dispatcher.targets[0].breaker.state is State.OPEN
        while dispatcher.targets[0].breaker.state is State.OPEN:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        return (await ask(dispatcher))[0]

    name, seen = run(waits, comes_back, pause=0.05)
    assert name == "n0"
    assert len(seen[0]) == 1
