"""The broker of an event loop: the same abilities, the same answers, one session and one nonce."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tests.zgcompute.test_inference import HELLO, PNG, WAV
from zgcompute.amounts import parse
from zgcompute.async_broker import AsyncBroker
from zgcompute.broker import Broker
from zgcompute.errors import (
    BelowMinimum,
    ConfigurationError,
    Error,
    InvalidToken,
    ModelNotServed,
    RateLimited,
    ServiceMissing,
    SessionExpired,
)
from zgcompute.evidence import verify_evidence
from zgcompute.networks import DEVNET
from zgcompute.session import SessionToken
from zgcompute.signers import LocalSigner
from zgcompute.testing import AsyncFakeProvider, FakeChain, FakeProvider, Fault, fake_service
from zgcompute.verification import Outcome

ALICE = LocalSigner("11" * 32)


class Stage:
    """An asynchronous broker of Alice; its chain is played, Aurora answers from memory."""

    def __init__(self, service_type: str = "chatbot", *, signer: object | None = ALICE) -> None:
        self.chain = FakeChain()
        self.chain.endow(ALICE.address, parse("100"))
        prices = {"input_price": parse("0.001"), "output_price": parse("0.002")}
        self.service = self.chain.register(fake_service(service_type=service_type, **prices))
        self.aurora = self.service.provider
        self.provider = FakeProvider(self.service)
        self.broker = AsyncBroker(
            DEVNET,
            signer=signer,
            chain=self.chain,
            connect=lambda service: AsyncFakeProvider(self.provider),
        )

    def run(self, question: Callable[[AsyncBroker], Coroutine[Any, Any, Any]]) -> Any:
        async def within() -> Any:
            async with self.broker as broker:
                return await question(broker)

        return asyncio.run(within())


def methods(kind: type) -> set[str]:
    found = inspect.getmembers(kind, lambda m: callable(m) or isinstance(m, property))
    return {name for name, _ in found if not name.startswith("_")}


def test_it_has_the_same_surface_as_the_blocking_broker() -> None:
    blocking, looped = Broker(DEVNET, chain=FakeChain()), AsyncBroker(DEVNET, chain=FakeChain())
    for part in ("services", "ledger", "inference"):
        mine, theirs = type(getattr(looped, part)), type(getattr(blocking, part))
        assert methods(mine) == methods(theirs)
        for name in methods(mine):
            asked = inspect.signature(getattr(theirs, name)).parameters
            assert list(inspect.signature(getattr(mine, name)).parameters) == list(asked), name
            assert inspect.iscoroutinefunction(getattr(mine, name)), name


def test_services_are_listed_found_and_asked_for_their_models() -> None:
    stage = Stage()

    async def look(broker: AsyncBroker) -> None:
        assert await broker.services.list("chatbot") == (stage.service,)
        assert await broker.services.get(stage.aurora) == stage.service
        assert [card.id for card in await broker.services.models(stage.aurora)] == ["test-chat"]
        with pytest.raises(ServiceMissing):
            await broker.services.get(ALICE.address)

    stage.run(look)


def test_money_moves_from_the_wallet_to_a_provider_and_back() -> None:
    stage = Stage()

    async def move(broker: AsyncBroker) -> None:
        ledger = broker.ledger
        with pytest.raises(BelowMinimum):
            await ledger.deposit(parse("1"))
        assert (await ledger.deposit(parse("10"))).succeeded
        await ledger.transfer(stage.aurora, parse("4"))
        assert (await ledger.sub_account(stage.aurora)).balance.og == "4"
        assert len(await ledger.sub_accounts()) == 1
        await ledger.acknowledge(stage.aurora)
        await ledger.retrieve()
        stage.chain.advance(86_400)
        await ledger.retrieve([stage.aurora])
        await ledger.refund(parse("7"))
        await ledger.deposit_for(ALICE.address, parse("1"))
        assert (await ledger.get()).total.og == "4"
        with pytest.raises(Error, match="still holds 4 0G"):
            await ledger.delete()

    stage.run(move)


def test_moves_at_once_happen_one_after_the_other() -> None:
    stage = Stage()

    async def move(broker: AsyncBroker) -> None:
        await broker.ledger.deposit(parse("10"))
        await asyncio.gather(*(broker.ledger.transfer(stage.aurora, parse("1")) for _ in range(8)))
        assert (await broker.ledger.sub_account(stage.aurora)).balance == parse("8")

    stage.run(move)


def test_one_session_is_signed_however_many_ask() -> None:
    class Counting(LocalSigner):
        __slots__ = ()
        signed = 0

        def sign_message(self, message: bytes) -> str:
            Counting.signed += 1
            return super().sign_message(message)

    stage = Stage(signer=Counting("11" * 32))

    async def ask(broker: AsyncBroker) -> None:
        sessions = await asyncio.gather(
            *(broker.inference.session(stage.aurora) for _ in range(20))
        )
        assert len({token.api_key for token in sessions}) == Counting.signed == 1
        assert await broker.inference.session(stage.service) is sessions[0]

    stage.run(ask)


def test_keys_are_made_and_revoked() -> None:
    stage = Stage()

    async def manage(broker: AsyncBroker) -> None:
        await broker.ledger.deposit(parse("5"))
        await broker.ledger.transfer(stage.aurora, parse("2"))
        assert (await broker.inference.api_key(stage.aurora, 3)).token_id == 3
        await broker.inference.revoke(stage.aurora, 3)
        await broker.inference.revoke(stage.aurora, 4, 5)
        account = await broker.ledger.sub_account(stage.aurora)
        assert [n for n in range(8) if account.is_revoked(n)] == [3, 4, 5]
        before = await broker.inference.session(stage.aurora)
        await broker.inference.revoke_all(stage.aurora)
        assert (await broker.inference.session(stage.aurora)).generation == before.generation + 1

    stage.run(manage)


def test_an_answer_comes_with_its_fee_evidence_and_verdict() -> None:
    stage = Stage()

    async def ask(broker: AsyncBroker) -> Any:
        answer = await broker.inference.chat(stage.aurora, HELLO, temperature=0)
        assert await answer.verify() == answer.verdict
        assert await broker.inference.unsettled_fee(stage.aurora) == answer.fee.total
        again = await broker.inference.verify_response(
            stage.service,
            answer.response_id,
            request_sha256=answer.outcome.request_sha256,
            response_sha256="00" * 32,
        )
        assert again.outcome is Outcome.FAILED
        return answer

    answer = stage.run(ask)
    assert answer.text == stage.provider.answer
    assert answer.verdict.outcome is Outcome.VERIFIED
    assert verify_evidence(json.loads(json.dumps(answer.evidence))).outcome is Outcome.VERIFIED


def test_a_stream_gives_text_and_then_the_whole_answer() -> None:
    stage = Stage()

    async def read(broker: AsyncBroker) -> None:
        stream = await broker.inference.stream(stage.aurora, HELLO)
        pieces = [piece async for piece in stream]
        assert len(pieces) > 3
        assert stream.answer.text == "".join(pieces) == stage.provider.answer
        assert stream.answer.verdict.outcome is Outcome.VERIFIED
        with pytest.raises(Error, match="read already"):
            [piece async for piece in stream]

    stage.run(read)


def test_a_stream_that_is_left_early_is_closed() -> None:
    stage = Stage()

    async def leave(broker: AsyncBroker) -> None:
        async with await broker.inference.stream(stage.aurora, HELLO) as stream:
            async for _ in stream:
                break
            with pytest.raises(Error, match="not complete"):
                stream.answer  # noqa: B018 - reading it is what raises

    stage.run(leave)


@pytest.mark.parametrize(
    ("kind", "ask"),
    [
        ("text-to-image", lambda b, p: b.inference.images(p, "A sea", n=2)),
        ("image-editing", lambda b, p: b.inference.edit(p, PNG, "Violet")),
        ("speech-to-text", lambda b, p: b.inference.transcribe(p, WAV)),
    ],
)
def test_pictures_and_recordings_are_answered_verified_and_priced(kind: str, ask: Any) -> None:
    stage = Stage(kind)

    async def order(broker: AsyncBroker) -> Any:
        answer = await ask(broker, stage.aurora)
        return answer, await answer.verify()

    answer, again = stage.run(order)
    assert answer.verdict.outcome is again.outcome is Outcome.VERIFIED
    assert answer.fee.total == stage.provider.unsettled > 0


def test_a_signature_that_could_not_be_had_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage()
    signature, down = stage.provider.signature, [True]

    def interrupted(response_id: str, model: str = "") -> Any:
        stage.provider.fault = Fault.UNREACHABLE if down else None
        return signature(response_id, model)

    monkeypatch.setattr(stage.provider, "signature", interrupted)

    async def ask(broker: AsyncBroker) -> None:
        answer = await broker.inference.chat(stage.aurora, HELLO)
        assert answer.verdict.outcome is Outcome.NOT_CHECKED
        down.clear()
        assert (await answer.verify()).outcome is Outcome.VERIFIED

    stage.run(ask)


def test_a_refused_session_is_not_used_again() -> None:
    stage = Stage()

    async def ask(broker: AsyncBroker) -> None:
        token = await broker.inference.session(stage.aurora)
        stage.provider.fault = Fault.EXPIRED_SESSION
        with pytest.raises(SessionExpired):
            await broker.inference.chat(stage.aurora, HELLO)
        assert await broker.inference.session(stage.aurora) is not token
        stage.provider.fault = Fault.RATE_LIMITED
        with pytest.raises(RateLimited):
            await broker.inference.stream(stage.aurora, HELLO)

    stage.run(ask)


def test_without_a_signer_a_key_is_enough_and_nothing_else_works() -> None:
    stage, owner = Stage(signer=None), Stage()
    token: SessionToken = owner.run(lambda b: b.inference.api_key(owner.aurora, 1))

    async def ask(broker: AsyncBroker) -> None:
        assert (await broker.inference.chat(stage.aurora, HELLO, api_key=token.api_key)).text
        with pytest.raises(ConfigurationError, match="needs a wallet"):
            await broker.inference.chat(stage.aurora, HELLO)
        with pytest.raises(InvalidToken):
            await broker.inference.chat(stage.aurora, HELLO, api_key="app-sk-AAAA")
        with pytest.raises(ModelNotServed):
            await broker.inference.chat(stage.aurora, HELLO, model="gpt", api_key=token.api_key)
        with pytest.raises(ConfigurationError, match="needs a wallet"):
            await broker.ledger.deposit(parse("5"))

    stage.run(ask)


def test_it_says_whose_it_is_and_nothing_secret() -> None:
    assert repr(Stage().broker) == f"AsyncBroker(devnet, LocalSigner({ALICE.address}))"
    assert repr(AsyncBroker(DEVNET)) == "AsyncBroker(devnet, read-only)"
