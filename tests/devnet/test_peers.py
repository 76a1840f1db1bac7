"""The SDK and the test providers as each other's peers: two writings of one protocol must agree."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from devnet import accounts
from devnet.node import Node
from devnet.testing import Devnet
from zgcompute import fees
from zgcompute._chain import RpcChain
from zgcompute.answers import ChatOutcome
from zgcompute.bodies import chat_body
from zgcompute.calls import Calls
from zgcompute.checks import check_response
from zgcompute.errors import (
    ProviderBusy,
    ProviderUnreachable,
    RateLimited,
    ReserveTooLow,
    SessionExpired,
    UpstreamFailed,
)
from zgcompute.providers import AsyncProvider, Provider
from zgcompute.session import SessionRequest
from zgcompute.signers import LocalSigner
from zgcompute.types import Service
from zgcompute.verification import Outcome, Verdict

pytestmark = pytest.mark.chain

ZG = 10**18
WALLET = accounts.account(18)
QUESTION = "Grüße <b>&amp;</b> 你好 \u2028 – 40 words"


@pytest.fixture(scope="module")
def funded() -> Iterator[Devnet]:
    with Devnet(tokens_per_second=4000) as devnet:
        calls = Calls(devnet.network.chain_id, RpcChain(devnet.network).contracts())
        node = Node(devnet.rpc_url)
        orders = [calls.deposit(9 * ZG)]
        orders += [calls.transfer(devnet.address(name), 3 * ZG) for name in ("aurora", "cumulus")]
        for call in orders:
            node.send(WALLET.address, call.to, call.data, call.value)
        yield devnet


@pytest.fixture(autouse=True)
def as_it_was(funded: Devnet) -> Iterator[None]:
    yield
    funded.reset()


def service_of(devnet: Devnet, name: str) -> Service:
    return RpcChain(devnet.network).service(devnet.address(name))


def key_for(service: Service) -> str:
    request = SessionRequest.new(WALLET.address, service.provider, generation=0)
    return request.signed_by(LocalSigner(WALLET.private_key)).api_key


def body_for(service: Service) -> bytes:
    nested = {"metadata": {"b": ["<&>", 1.5e-9], "a": None}, "temperature": 0.7}
    messages = [{"role": "user", "content": QUESTION}]
    return chat_body(service.model, messages, stream=True, **nested)


def stream(service: Service) -> tuple[str, ChatOutcome]:
    async def run() -> tuple[str, ChatOutcome]:
        provider = AsyncProvider(service, local=True)
        try:
            async with provider.stream_chat(key_for(service), body_for(service)) as reply:
                text = "".join([delta.text async for delta in reply])
            return text, reply.outcome
        finally:
            await provider.aclose()

    return asyncio.run(run())


def judged(service: Service, outcome: ChatOutcome) -> Verdict:
    provider = Provider(service, local=True)
    try:
        return check_response(
            provider,
            outcome.response_id,
            request_sha256=outcome.request_sha256,
            response_sha256=outcome.response_sha256,
        )
    finally:
        provider.close()


def unsettled(service: Service) -> int:
    provider = Provider(service, local=True)
    try:
        return provider.unsettled_fee(WALLET.address, key_for(service))
    finally:
        provider.close()


@pytest.mark.parametrize("name", ["aurora", "cumulus"])
def test_an_honest_answer_is_verified_request_and_response(funded: Devnet, name: str) -> None:
    service = service_of(funded, name)
    text, outcome = stream(service)
    verdict = judged(service, outcome)
    assert "Devnet" in text
    assert outcome.saw_done
    assert verdict.outcome is Outcome.VERIFIED, verdict.reason
    assert (verdict.response_matches, verdict.request_matches) == (True, True)


@pytest.mark.parametrize("name", ["aurora", "cumulus"])
def test_both_sides_reckon_the_same_fee(funded: Devnet, name: str) -> None:
    service = service_of(funded, name)
    funded.settle()
    expected = 0
    for _ in range(2):
        text, outcome = stream(service)
        assert outcome.usage is not None
        expected += fees.chat_fee(service, outcome.usage, text).total
    time.sleep(0.3)
    assert unsettled(service) == expected


def test_without_usage_both_sides_count_words(funded: Devnet) -> None:
    service = service_of(funded, "aurora")
    funded.settle()
    funded.fault("aurora", "no-usage")
    text, outcome = stream(service)
    assert outcome.usage is None
    time.sleep(0.3)
    assert unsettled(service) == fees.chat_fee(service, None, text).total


@pytest.mark.parametrize("fault", ["tampered-answer", "wrong-signer"])
def test_a_dishonest_answer_fails(funded: Devnet, fault: str) -> None:
    service = service_of(funded, "aurora")
    funded.fault("aurora", fault)
    verdict = judged(service, stream(service)[1])
    assert verdict.outcome is Outcome.FAILED


def test_an_answer_without_signature_is_not_checked(funded: Devnet) -> None:
    service = service_of(funded, "aurora")
    funded.fault("aurora", "no-signature")
    assert judged(service, stream(service)[1]).outcome is Outcome.NOT_CHECKED


def test_bad_chunks_are_counted_and_the_rest_is_kept(funded: Devnet) -> None:
    service = service_of(funded, "aurora")
    funded.fault("aurora", "bad-chunk")
    text, outcome = stream(service)
    assert outcome.bad_chunks == 1
    assert "Devnet" in text
    assert judged(service, outcome).outcome is Outcome.VERIFIED


def test_a_missing_done_is_noticed(funded: Devnet) -> None:
    funded.fault("aurora", "no-done")
    assert not stream(service_of(funded, "aurora"))[1].saw_done


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("disconnect", ProviderUnreachable),
        ("rate-limited", RateLimited),
        ("busy", ProviderBusy),
        ("server-error", UpstreamFailed),
        ("html", UpstreamFailed),
        ("expired-session", SessionExpired),
        ("reserve", ReserveTooLow),
    ],
)
def test_each_refusal_has_a_class_of_its_own(
    funded: Devnet, fault: str, error: type[Exception]
) -> None:
    funded.fault("aurora", fault)
    with pytest.raises(error):
        stream(service_of(funded, "aurora"))


def test_the_models_are_understood(funded: Devnet) -> None:
    provider = Provider(service_of(funded, "cumulus"), local=True)
    (card,) = provider.models()
    provider.close()
    assert card.id == "devnet-reasoner"
