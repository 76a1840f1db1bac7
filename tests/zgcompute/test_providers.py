"""The provider client against scripted replies; what every provider does is in tests/contract."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from contextlib import aclosing, closing, suppress
from dataclasses import replace
from typing import Any

import pytest

from tests.zgcompute.raw_server import Exchange, Script, serving
from zgcompute import providers
from zgcompute._http import AsyncDoor
from zgcompute.errors import (
    DestinationRefused,
    InvalidToken,
    MalformedReply,
    ModelNotServed,
    ProviderRefused,
    ProviderUnreachable,
    RateLimited,
    SignatureNotFound,
    UpstreamFailed,
)
from zgcompute.fees import is_free
from zgcompute.providers import AsyncProvider, ChatDelta, ChatOutcome, Provider, async_door, door
from zgcompute.testing_providers import fake_service
from zgcompute.types import Service

pytestmark = pytest.mark.usefixtures("local_server")
KEY = "app-sk-YQ=="
USER = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
STREAM = b'data: {"id":"c-1","choices":[{"delta":{"content":"hi"}}]}\n\ndata: [DONE]\n\n'


def ask(script: Script, question: Any) -> tuple[Any, list[Exchange]]:
    """Run `question` with a Provider of the scripted server."""
    with serving(script) as server:
        provider = Provider(fake_service(url=server.url + "/"), local=True)
        try:
            return question(provider), server.seen
        finally:
            provider.close()


def stream(script: Script) -> tuple[list[ChatDelta], ChatOutcome]:
    deltas: list[ChatDelta] = []

    async def run(url: str) -> ChatOutcome:
        provider = AsyncProvider(fake_service(url=url), local=True)
        try:
            async with provider.stream_chat(KEY, b"{}") as answer:
                deltas.extend([delta async for delta in answer])
                return answer.outcome
        finally:
            await provider.aclose()

    with serving(script) as server:
        return deltas, asyncio.run(run(server.url))


def replying(body: object, *headers: str, status: str = "200 OK") -> Script:
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda exchange: exchange.reply(encoded, *headers, status=status)


def test_every_call_has_its_path() -> None:
    def script(exchange: Exchange) -> None:
        replies = {
            "/v1/models": b'{"data":[]}',
            "/v1/quote": b"quote",
            "/v1/proxy/attestation/report?model=a%2Fb%20c": b"report",
            "/v1/proxy/attestation/report": b"plain",
            "/v1/proxy/signature/x%2F..%3F1?model=m": b'{"text":"t","signature":"s"}',
            "/v1/proxy/signature/y": b'{"text":"u","signature":"s"}',
            f"/v1/user/{USER}/unsettledfee": b'{"unsettledFee":"123456789012345678901"}',
        }
        exchange.reply(replies[exchange.path])

    assert ask(script, lambda p: p.models())[0] == ()
    assert ask(script, lambda p: p.quote())[0] == b"quote"
    assert ask(script, lambda p: p.attestation_report("a/b c"))[0] == b"report"
    assert ask(script, lambda p: p.attestation_report(""))[0] == b"plain"
    assert ask(script, lambda p: p.signature("x/..?1", "m"))[0].text == "t"
    assert ask(script, lambda p: p.signature("y"))[0].text == "u"
    fee, seen = ask(script, lambda p: p.unsettled_fee(USER.lower(), KEY))
    assert fee == 123456789012345678901
    assert seen[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    "body", [{}, {"unsettledFee": "1.5"}, {"unsettledFee": None}, [], b"<html>"]
)
def test_an_unsettled_fee_that_is_no_amount_is_malformed(body: object) -> None:
    with pytest.raises(MalformedReply):
        ask(replying(body), lambda p: p.unsettled_fee(USER, KEY))


@pytest.mark.parametrize(
    "key", ["", "sk-abc", "app-sk-", "app-sk-a\r\nx: y", "app-sk-ü", "app-sk-=="]
)
def test_what_is_no_key_is_never_sent(key: str) -> None:
    with pytest.raises(InvalidToken):
        ask(replying(b""), lambda p: p.chat(key, b"{}"))


def test_an_old_build_without_a_list_of_models_refuses() -> None:
    with pytest.raises(ProviderRefused):
        ask(replying(b"404 page not found", status="404 Not Found"), lambda p: p.models())


def test_a_missing_signature_is_its_own_error() -> None:
    body = {"error": "prepare HTTP request: Chat id not found or expired, chat_id_not_found"}
    with pytest.raises(SignatureNotFound):
        ask(replying(body, status="400 Bad Request"), lambda p: p.signature("x"))


def test_a_whole_answer_comes_with_its_facts() -> None:
    completion = {"id": "c-1", "model": "m", "choices": [{"message": {"content": "hi"}}]}
    reply, seen = ask(replying(completion, "ZG-Res-Key: key-1"), lambda p: p.chat(KEY, b'{"a":1}'))
    assert (reply.text, reply.reasoning, reply.outcome.response_id) == ("hi", "", "key-1")
    assert (seen[0].path, seen[0].body) == ("/v1/proxy/chat/completions", b'{"a":1}')
    assert seen[0].headers["content-type"] == "application/json"


def test_a_streamed_answer_can_be_read_by_a_blocking_call_too() -> None:
    assert ask(replying(STREAM), lambda p: p.chat(KEY, b"{}"))[0].text == "hi"


def test_a_stream_gives_deltas_and_then_facts() -> None:
    deltas, outcome = stream(replying(STREAM, "zg-res-key: KEY-1"))
    assert deltas == [ChatDelta("hi", "")]
    assert (outcome.response_id, outcome.saw_done) == ("KEY-1", True)


def test_a_stream_cut_off_keeps_what_was_given() -> None:
    def script(exchange: Exchange) -> None:
        exchange.start_chunked()
        exchange.chunk(STREAM[:62])
        time.sleep(0.1)
        exchange.hang_up()

    with pytest.raises(ProviderUnreachable):
        stream(script)


def test_deltas_before_a_cut_are_seen() -> None:
    seen: list[ChatDelta] = []

    def script(exchange: Exchange) -> None:
        exchange.start_chunked()
        exchange.chunk(STREAM[: STREAM.index(b"\n\n") + 2])
        exchange.hang_up()

    async def run(url: str) -> None:
        provider = AsyncProvider(fake_service(url=url), local=True)
        try:
            async with provider.stream_chat(KEY, b"{}") as answer:
                async for delta in answer:
                    seen.append(delta)  # noqa: PERF401 - must be kept when the loop raises
        finally:
            await provider.aclose()

    with serving(script) as server, pytest.raises(ProviderUnreachable):
        asyncio.run(run(server.url))
    assert seen == [ChatDelta("hi", "")]


def test_a_cancelled_stream_is_cancelled_and_closed() -> None:
    left = threading.Event()

    def script(exchange: Exchange) -> None:
        exchange.start_chunked()
        with suppress(OSError):
            while True:
                exchange.chunk(STREAM[: STREAM.index(b"\n\n") + 2])
                time.sleep(0.01)
        left.set()

    async def read(provider: AsyncProvider, begun: asyncio.Event) -> None:
        async with provider.stream_chat(KEY, b"{}") as answer:
            async for _ in answer:
                begun.set()

    async def run(url: str) -> None:
        provider, begun = AsyncProvider(fake_service(url=url), local=True), asyncio.Event()
        task = asyncio.create_task(read(provider, begun))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(left.wait, 5)
        await provider.aclose()

    with serving(script) as server:
        asyncio.run(run(server.url))
    assert left.is_set()


def test_a_refusal_of_a_stream_is_classified_with_its_headers() -> None:
    script = replying({"error": "slow"}, "retry-after: 9", status="429 Too Many Requests")
    with pytest.raises(RateLimited) as caught:
        stream(script)
    assert caught.value.retry_after == 9


def test_a_refusal_that_breaks_off_is_known_by_its_status() -> None:
    def script(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 429 Too Many\r\ncontent-length: 99\r\n\r\n{")
        exchange.hang_up()

    with pytest.raises(RateLimited):
        stream(script)


def test_a_last_event_without_its_end_still_counts() -> None:
    deltas, outcome = stream(replying(STREAM[: STREAM.index(b"\n\n")]))
    assert deltas == [ChatDelta("hi", "")]
    assert not outcome.saw_done


def test_a_refusal_is_read_to_a_limit() -> None:
    def script(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 500 Oops\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            exchange.chunk(b"x" * 5000)

    with pytest.raises(UpstreamFailed):
        stream(script)


def test_a_long_refusal_of_a_blocking_call_is_cut() -> None:
    body = {"error": 'model "x" is no longer available', "padding": "x" * 200_000}
    with pytest.raises(ProviderRefused):
        ask(replying(body, status="410 Gone"), lambda p: p.chat(KEY, b"{}"))
    with pytest.raises(ModelNotServed):
        ask(replying({"error": "x"}, status="410 Gone"), lambda p: p.chat(KEY, b"{}"))


@pytest.mark.parametrize("loses", ["refuses", "hangs up"])
@pytest.mark.parametrize("kind", [Provider, AsyncProvider])
def test_pictures_that_are_made_but_not_handed_over_are_not_called_free(
    kind: type[Provider | AsyncProvider], loses: str
) -> None:
    def script(exchange: Exchange) -> None:
        if exchange.method == "POST":
            exchange.reply(b'{"data":[{"url":"/v1/proxy/images/ab/0"}]}')
        elif loses == "refuses":
            exchange.reply(b"{}", status="404 Not Found")
        else:
            exchange.hang_up()

    with serving(script) as server, pytest.raises(MalformedReply, match="hand one over") as caught:
        draw(kind, fake_service(url=server.url))
    assert not is_free(caught.value)


def draw(kind: type[Provider | AsyncProvider], service: Service) -> None:
    async def drawn() -> None:
        async with aclosing(AsyncProvider(service, local=True)) as provider:
            await provider.images(KEY, b"{}")

    if kind is AsyncProvider:
        asyncio.run(drawn())
    else:
        with closing(Provider(service, local=True)) as provider:
            provider.images(KEY, b"{}")


def test_a_page_of_markup_is_no_answer() -> None:
    with pytest.raises(MalformedReply):
        stream(replying(b"<html><body>Welcome to nginx</body></html>"))


def test_a_private_provider_is_refused_without_local() -> None:
    with serving(replying(b"")) as server:
        service = fake_service(url=server.url.replace("http", "https"))
        with pytest.raises(DestinationRefused):
            Provider(service).quote()

        async def run() -> None:
            async with AsyncProvider(service).stream_chat(KEY, b"{}"):
                raise AssertionError("a stream from a private address began")

        with pytest.raises(DestinationRefused):
            asyncio.run(run())
    assert server.connections == 0


def test_a_given_door_is_shared_and_stays_open() -> None:
    with serving(replying(b"quote")) as server:
        shared = door(local=True)
        for _ in range(2):
            provider = Provider(fake_service(url=server.url), door=shared)
            assert provider.quote() == b"quote"
            provider.close()
        assert server.connections == 1
        shared.close()


def test_a_given_async_door_is_shared_and_stays_open() -> None:
    async def one(shared: AsyncDoor, url: str) -> str:
        provider = AsyncProvider(fake_service(url=url), door=shared)
        async with provider.stream_chat(KEY, b"{}") as answer:
            text = "".join([delta.text async for delta in answer])
        await provider.aclose()
        return text

    async def run(url: str) -> list[str]:
        shared = async_door(local=True)
        texts = [await one(shared, url) for _ in range(2)]
        await shared.aclose()
        return texts

    with serving(replying(STREAM)) as server:
        assert asyncio.run(run(server.url)) == ["hi", "hi"]
        assert server.connections == 1


def test_the_public_names_exist() -> None:
    assert sorted(providers.__all__) == list(providers.__all__)
    assert all(hasattr(providers, name) for name in providers.__all__)
    assert replace(fake_service(), model="x").model == "x"
