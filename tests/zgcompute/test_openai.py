"""The real openai package, asking a provider with sessions of the broker."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from typing import TYPE_CHECKING, Any

import openai
import pytest

from tests.zgcompute.raw_server import Exchange, Script, serving
from zgcompute import AsyncBroker, Broker, LocalSigner, amounts
from zgcompute.errors import ConfigurationError, DestinationRefused, InvalidToken
from zgcompute.networks import DEVNET, TESTNET
from zgcompute.session import SessionToken
from zgcompute.testing import FakeChain, fake_service

if TYPE_CHECKING:
    from devnet.testing import Devnet

ALICE = LocalSigner("11" * 32)
HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
COMPLETION = json.dumps(
    {
        "id": "c-1",
        "object": "chat.completion",
        "created": 1,
        "model": "test-chat",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "Hi"},
            }
        ],
    }
).encode()


def answering(*statuses: str) -> Script:
    left = list(statuses)

    def script(exchange: Exchange) -> None:
        status = left.pop(0) if left else "200 OK"
        kind = "content-type: application/json"
        exchange.reply(COMPLETION, kind, status=status)

    return script


def revoking() -> Script:
    """A provider that takes no session of the first request's."""
    refused: list[str] = []

    def script(exchange: Exchange) -> None:
        key = exchange.headers["authorization"]
        refused.append(key)
        if key == refused[0]:
            said = b'{"error": "validate session: session token has been revoked"}'
            exchange.reply(said, "content-type: application/json", status="400 Bad Request")
        else:
            exchange.reply(COMPLETION, "content-type: application/json")

    return script


@pytest.fixture
def chain() -> FakeChain:
    return FakeChain()


@pytest.mark.usefixtures("local_server")
class TestClients:
    def test_each_request_carries_a_session_that_is_valid_now(self, chain: FakeChain) -> None:
        with serving(answering()) as server:
            service = chain.register(fake_service(url=server.url))
            broker = Broker(DEVNET, ALICE, chain=chain)
            with broker.openai(service.provider) as client:
                client.chat.completions.create(model="test-chat", messages=HELLO)
                broker.inference.sessions.forget(service.provider)
                reply = client.chat.completions.create(model="test-chat", messages=HELLO)
        assert reply.choices[0].message.content == "Hi"
        assert [seen.path for seen in server.seen] == ["/v1/proxy/chat/completions"] * 2
        keys = [seen.headers["authorization"].removeprefix("Bearer ") for seen in server.seen]
        assert len(set(keys)) == 2
        for key in keys:
            token = SessionToken.parse(key)
            assert (token.user, token.provider) == (ALICE.address, service.provider)

    def test_the_asynchronous_client_does_the_same(self, chain: FakeChain) -> None:
        async def ask(url: str) -> Any:
            service = chain.register(fake_service(url=url))
            async with (
                AsyncBroker(DEVNET, ALICE, chain=chain) as broker,
                await broker.openai(service.provider) as client,
            ):
                return await client.chat.completions.create(model="m", messages=HELLO)

        with serving(answering()) as server:
            assert asyncio.run(ask(server.url)).choices[0].message.content == "Hi"
        assert "app-sk-" in server.seen[0].headers["authorization"]

    def test_a_request_is_not_repeated_unless_that_is_wanted(self, chain: FakeChain) -> None:
        with serving(answering("500 Oops", "500 Oops")) as server:
            service = chain.register(fake_service(url=server.url))
            broker = Broker(DEVNET, ALICE, chain=chain)
            with broker.openai(service) as client, pytest.raises(openai.InternalServerError):
                client.chat.completions.create(model="m", messages=HELLO)
            assert len(server.seen) == 1

    def test_a_redirect_is_not_followed_with_the_key(self, chain: FakeChain) -> None:
        def script(exchange: Exchange) -> None:
            exchange.reply(b"", "location: /elsewhere", status="307 Temporary Redirect")

        with serving(script) as server:
            service = chain.register(fake_service(url=server.url))
            broker = Broker(DEVNET, ALICE, chain=chain)
            with broker.openai(service) as client, pytest.raises(openai.APIStatusError):
                client.chat.completions.create(model="m", messages=HELLO)
            assert [seen.path for seen in server.seen] == ["/v1/proxy/chat/completions"]

    def test_a_ready_key_needs_no_wallet(self, chain: FakeChain) -> None:
        with serving(answering()) as server:
            service = chain.register(fake_service(url=server.url))
            key = Broker(DEVNET, ALICE, chain=chain).inference.api_key(service, 3).api_key
            with Broker(DEVNET, chain=chain).openai(service, api_key=key) as client:
                client.chat.completions.create(model="test-chat", messages=HELLO)
        assert server.seen[0].headers["authorization"] == f"Bearer {key}"

    def test_a_key_for_another_provider_is_sent_to_nobody(self, chain: FakeChain) -> None:
        service = chain.register(fake_service(url="http://127.0.0.1:1"))
        broker = Broker(DEVNET, ALICE, chain=chain)
        elsewhere = broker.inference.api_key("0x" + "77" * 20, 3).api_key
        with pytest.raises(InvalidToken, match="is for the provider 0x77"):
            broker.openai(service, api_key=elsewhere)

    def test_a_session_that_was_refused_is_replaced_for_the_next_request(
        self, chain: FakeChain
    ) -> None:
        with serving(revoking()) as server:
            service = chain.register(fake_service(url=server.url))
            broker = Broker(DEVNET, ALICE, chain=chain)
            with broker.openai(service) as client:
                with pytest.raises(openai.BadRequestError):
                    client.chat.completions.create(model="m", messages=HELLO)
                assert client.chat.completions.create(model="m", messages=HELLO).choices
                client.chat.completions.create(model="m", messages=HELLO)
        refused, *taken = (seen.headers["authorization"] for seen in server.seen)
        assert refused not in taken
        assert len(set(taken)) == 1

    def test_the_asynchronous_client_replaces_it_too(self, chain: FakeChain) -> None:
        async def ask(url: str) -> None:
            service = chain.register(fake_service(url=url))
            async with (
                AsyncBroker(DEVNET, ALICE, chain=chain) as broker,
                await broker.openai(service) as client,
            ):
                with pytest.raises(openai.BadRequestError):
                    await client.chat.completions.create(model="m", messages=HELLO)
                await client.chat.completions.create(model="m", messages=HELLO)

        with serving(revoking()) as server:
            asyncio.run(ask(server.url))
        assert len({seen.headers["authorization"] for seen in server.seen}) == 2


def test_a_provider_at_a_private_address_is_refused() -> None:
    chain = FakeChain(TESTNET)
    service = chain.register(fake_service(url="https://127.0.0.1:8080"))
    with pytest.raises(DestinationRefused):
        Broker(TESTNET, ALICE, chain=chain).openai(service)


def test_without_the_package_the_remedy_is_said(
    chain: FakeChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(ConfigurationError) as missing:
        Broker(DEVNET, ALICE, chain=chain).openai(fake_service())
    assert missing.value.advice == "Install it: pip install openai"


@pytest.fixture
def key(devnet: Devnet) -> str:
    from devnet.node import Node

    key = "0x" + secrets.token_hex(32)
    node = Node(devnet.rpc_url)
    node.call("anvil_setBalance", LocalSigner(key).address, hex(amounts.parse("100")))
    return key


@pytest.mark.chain
def test_a_real_provider_answers_and_streams(devnet: Devnet, key: str) -> None:
    with Broker(devnet.network, LocalSigner(key)) as broker:
        aurora = broker.services.get(devnet.address("aurora"))
        broker.ledger.deposit(amounts.parse("5"))
        broker.ledger.transfer(aurora.provider, amounts.parse("3"))
        with broker.openai(aurora) as client:
            whole = client.chat.completions.create(model=aurora.model, messages=HELLO)
            stream = client.chat.completions.create(model=aurora.model, messages=HELLO, stream=True)
            pieces = [c.choices[0].delta.content or "" for c in stream if c.choices]
    assert whole.choices[0].message.content == "".join(pieces)
