"""The application in front of one provider that each test scripts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import httpx
import pytest

from tests.zgcompute.raw_server import Exchange, Script, serving
from zgcompute.amounts import Neuron
from zgcompute.async_providers import async_door
from zgcompute.errors import RpcUnreachable
from zgcompute.serving.app import Settings, application
from zgcompute.serving.replies import Answering
from zgcompute.serving.targets import ProviderTarget
from zgcompute.signers import LocalSigner
from zgcompute.testing import fake_service
from zgcompute.types import Service

pytestmark = pytest.mark.usefixtures("local_server")
OLD_SIGNER, NEW_SIGNER = LocalSigner("11" * 32), LocalSigner("22" * 32)
ANSWER = json.dumps(
    {
        "choices": [{"message": {"content": "hi"}}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2},
    }
).encode()
HELLO = {"messages": [{"role": "user", "content": "Hello"}]}
ORDER = {"prompt": "Sunrise"}
Use = Callable[[httpx.AsyncClient, ProviderTarget], Awaitable[Any]]


class Sessions:
    """Keys that need no wallet."""

    async def key(self, provider: str) -> str:
        return "app-sk-YQ=="

    def refused(self, provider: str, key: str) -> bool:
        return False


def run(
    use: Use,
    script: Script,
    *,
    now: Callable[[Service], Service] = lambda service: service,
    settings: Settings | None = None,
    **about: Any,
) -> Any:
    """Run `use` with a client of the application; `now` is what the chain has meanwhile."""

    async def main(url: str) -> Any:
        door = async_door(local=True)
        service = fake_service(url=url, tee_signer=OLD_SIGNER.address, **about)
        target = ProviderTarget(
            service.provider,
            1,
            door,
            service=service,
            keys=Sessions(),
            read_service=lambda: now(service),
        )
        app = application(lambda: ([target], [door]), settings or Settings())
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
                return await use(client, target)

    with serving(script) as server:
        return asyncio.run(main(server.url))


def signing(signer: LocalSigner) -> Script:
    """A provider of chats whose answers `signer` signs."""
    requests: list[bytes] = []

    def script(exchange: Exchange) -> None:
        if exchange.method == "POST":
            requests.append(exchange.body)
            exchange.reply(ANSWER, "content-type: application/json", "zg-res-key: key-1")
        elif "/signature/" in exchange.path:
            hashes = [sha256(part).hexdigest() for part in (requests[-1], ANSWER)]
            text = ":".join(hashes)
            signature = signer.sign_message(text.encode())
            exchange.reply(json.dumps({"text": text, "signature": signature}).encode())
        else:
            exchange.reply(b"{}")

    return script


async def ask(client: httpx.AsyncClient, target: ProviderTarget) -> httpx.Response:
    return await client.post("/v1/chat/completions", json=HELLO)


def test_a_new_signer_on_chain_is_known_at_once() -> None:
    def moved(service: Service) -> Service:
        return replace(service, tee_signer=NEW_SIGNER.address)

    assert run(ask, signing(OLD_SIGNER)).headers["zg-verification"] == "verified"
    assert run(ask, signing(NEW_SIGNER), now=moved).headers["zg-verification"] == "verified"
    assert run(ask, signing(NEW_SIGNER)).headers["zg-verification"] == "failed"


def test_the_chain_is_not_asked_for_every_answer_that_fails() -> None:
    reads = []

    def counted(service: Service) -> Service:
        reads.append(service)
        return service

    async def often(client: httpx.AsyncClient, target: ProviderTarget) -> None:
        for _ in range(3):
            await ask(client, target)

    run(often, signing(NEW_SIGNER), now=counted)
    assert len(reads) == 1


def test_a_price_that_changed_gives_the_fee() -> None:
    def dearer(service: Service) -> Service:
        return replace(service, input_price=Neuron(1000), output_price=Neuron(10_000))

    fees: list[str] = []

    async def until_it_is_dear(client: httpx.AsyncClient, target: ProviderTarget) -> None:
        async with asyncio.timeout(10):
            while fees[-1:] != [str(3 * 1000 + 2 * 10_000)]:
                fees.append((await ask(client, target)).headers["zg-fee-neuron"])

    settings = Settings(renewed_every=0.01)
    run(until_it_is_dear, signing(OLD_SIGNER), now=dearer, settings=settings)
    assert len(set(fees)) <= 2


def test_a_chain_that_cannot_be_read_leaves_what_is_known() -> None:
    def cut(service: Service) -> Service:
        raise RpcUnreachable("Nobody answers.")

    assert run(ask, signing(NEW_SIGNER), now=cut).headers["zg-verification"] == "failed"


def test_an_order_whose_receipt_is_odd_is_not_repeated_by_clients() -> None:
    def script(exchange: Exchange) -> None:
        exchange.reply(b"odd", status="202 Accepted")

    async def order(client: httpx.AsyncClient, target: ProviderTarget) -> httpx.Response:
        return await client.post("/v1/async/images/generations", json=ORDER)

    reply = run(order, script, service_type="text-to-image")
    assert (reply.status_code, reply.headers["x-should-retry"]) == (502, "false")


def test_a_fault_of_our_own_is_not_repeated_by_clients_and_shows_no_key(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*arguments: object) -> None:
        raise RuntimeError("a fault of our own")

    monkeypatch.setattr(Answering, "_send_whole", broken)
    reply = run(ask, signing(OLD_SIGNER))
    assert (reply.status_code, reply.headers["x-should-retry"]) == (500, "false")
    assert "a fault of our own" in caplog.text
    assert "app-sk-" not in caplog.text + reply.text


def test_a_job_is_never_a_page_of_this_origin() -> None:
    def script(exchange: Exchange) -> None:
        job = b'{"jobId":"j-1","status":"processing","errorMessage":"<script>"}'
        exchange.reply(job, "content-type: text/html")

    async def look(client: httpx.AsyncClient, target: ProviderTarget) -> httpx.Response:
        return await client.get("/v1/async/jobs/j-1")

    reply = run(look, script, service_type="text-to-image")
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_an_answer_that_is_not_to_be_remembered_is_given_all_the_same() -> None:
    async def both(client: httpx.AsyncClient, target: ProviderTarget) -> tuple[int, int]:
        answer = await ask(client, target)
        known = await client.post("/v1/verify", json={"id": "key-1"})
        return answer.status_code, known.status_code

    assert run(both, signing(OLD_SIGNER), settings=Settings(remembered=0)) == (200, 404)
