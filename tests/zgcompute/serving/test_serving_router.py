"""The router over providers of which only two work: nothing is lost, nothing is paid twice."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from devnet import accounts
from devnet.deploy import ServiceOffer, register_services
from devnet.testing import Devnet
from tests.zgcompute.raw_server import Exchange, RawServer, serving
from tests.zgcompute.serving.servers import payer
from zgcompute.types import Address

pytestmark = pytest.mark.chain
REQUESTS, AT_ONCE = 1_000, 50
GOOD = ("aurora", "cumulus")


@pytest.fixture
def devnet_of_its_own() -> Iterator[Devnet]:
    """Three more providers are registered in it, which nobody else's devnet should see."""
    with Devnet() as running:
        yield running


def register(devnet: Devnet, wallet: int, url: str) -> Address:
    """Put a service of the chat model at `url` on chain, acknowledged like any other."""
    provider = accounts.account(wallet).address
    offer = ServiceOffer(
        provider, "chatbot", url, "devnet-chat", "TeeML", 1, 1, "{}", tee_signer=provider
    )
    register_services(devnet.rpc_url, [offer])
    return provider


def only_models_work(exchange: Exchange) -> None:
    if exchange.method == "GET":
        exchange.reply(b'{"data":[]}')
    else:
        exchange.reply(b'{"error":"Internal Server Error"}', status="500 No")


def says_nothing(exchange: Exchange) -> None:
    """A stalled provider: it takes connections and requests, and never answers."""


def test_a_thousand_requests_get_past_a_stalled_a_failing_and_a_dead_provider(
    devnet_of_its_own: Devnet, tmp_path: Path
) -> None:
    devnet = devnet_of_its_own
    with ExitStack() as stack:
        stalled = stack.enter_context(serving(says_nothing))
        failing = stack.enter_context(serving(only_models_work))
        with socket.create_server(("127.0.0.1", 0)) as gone:
            dead_url = f"http://127.0.0.1:{gone.getsockname()[1]}"
        bad = [
            register(devnet, 12 + n, url)
            for n, url in enumerate((stalled.url, failing.url, dead_url))
        ]
        alice = payer(devnet, tmp_path, GOOD)
        arguments = [word for p in bad for word in ("--add-provider", f"{p},1")]
        arguments += [word for p in GOOD for word in ("--add-provider", devnet.address(p))]
        served = stack.enter_context(alice.serving("router-serve", *arguments))
        answers = asyncio.run(ask_many(f"{served.url}/chat/completions"))
        status = asyncio.run(get(f"{served.url}/providers/status"))

    assert [code for code, _ in answers] == [200] * REQUESTS
    assert {by for _, by in answers} <= {devnet.address(name) for name in GOOD}
    assert len(billed(devnet)) == REQUESTS
    assert posts(stalled) == 0
    trials = next(p["failed"] for p in status["providers"] if p["name"] == bad[1])
    assert 1 <= posts(failing) == trials <= 3
    assert status["waiting"] == 0


async def ask_many(url: str) -> list[tuple[int, str]]:
    left = iter(range(REQUESTS))
    answers: list[tuple[int, str]] = []
    question = {"model": "auto", "max_tokens": 2, "messages": [{"role": "user", "content": "hi"}]}

    async def work(session: aiohttp.ClientSession) -> None:
        for number in left:
            body: dict[str, Any] = {**question, "stream": number % 2 == 0}
            async with session.post(url, json=body) as reply:
                await reply.read()
                answers.append((reply.status, reply.headers.get("zg-provider", "")))

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(work(session) for _ in range(AT_ONCE)))
    return answers


async def get(url: str) -> Any:
    async with aiohttp.ClientSession() as session, session.get(url) as reply:
        return json.loads(await reply.read())


def billed(devnet: Devnet) -> list[str]:
    """Who was billed, once for each request."""
    return [
        provider["name"]
        for provider in devnet.state()["providers"]
        for count in provider["unsettled_requests"].values()
        for _ in range(count)
    ]


def posts(server: RawServer) -> int:
    return sum(exchange.method == "POST" for exchange in server.seen)
