"""The whole SDK against a running devnet: from an empty wallet to a settled, verified answer."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.payers import payer
from zgcompute import Broker, Outcome, RpcUnreachable, amounts
from zgcompute.errors import LedgerMissing, SessionRevoked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from devnet.testing import Devnet

pytestmark = pytest.mark.chain

QUESTION = [{"role": "user", "content": 'Grüße <b>&"quotes"</b> \u2028'}]


@pytest.fixture
def broker(devnet: Devnet) -> Iterator[Broker]:
    with payer(devnet) as funded:
        yield funded


def test_two_answers_are_paid_for_to_the_neuron(broker: Broker, devnet: Devnet) -> None:
    aurora = devnet.address("aurora")
    with pytest.raises(LedgerMissing):
        broker.ledger.get()
    broker.ledger.deposit(amounts.parse("5"))
    broker.ledger.transfer(aurora, amounts.parse("3"))
    answers = [broker.inference.chat(aurora, QUESTION) for _ in range(2)]
    for answer in answers:
        assert answer.verdict.outcome is Outcome.VERIFIED
        assert answer.verdict.request_matches
    fees = sum(answer.fee.total for answer in answers)
    assert broker.inference.unsettled_fee(aurora) == fees
    devnet.settle("aurora")
    assert broker.inference.unsettled_fee(aurora) == 0
    assert broker.ledger.sub_account(aurora).balance == amounts.parse("3") - fees
    assert broker.ledger.get().total == amounts.parse("5") - fees


def test_a_separate_signer_verifies_and_a_tampered_answer_does_not(
    broker: Broker, devnet: Devnet
) -> None:
    cumulus = devnet.address("cumulus")
    broker.ledger.deposit(amounts.parse("5"))
    broker.ledger.transfer(cumulus, amounts.parse("3"))
    assert broker.inference.chat(cumulus, QUESTION).verdict.outcome is Outcome.VERIFIED
    devnet.fault("cumulus", "tampered-answer", times=1)
    tampered = broker.inference.chat(cumulus, QUESTION)
    assert tampered.verdict.outcome is Outcome.FAILED
    assert tampered.verdict.response_matches is False


def test_revoking_everything_ends_the_old_session(broker: Broker, devnet: Devnet) -> None:
    from zgcompute.bodies import chat_body

    aurora = devnet.address("aurora")
    broker.ledger.deposit(amounts.parse("5"))
    broker.ledger.transfer(aurora, amounts.parse("3"))
    old = broker.inference.session(aurora)
    broker.inference.revoke_all(aurora)
    devnet.reset()  # providers cache sub-accounts for minutes
    body = chat_body("devnet-chat", QUESTION, stream=False)
    with pytest.raises(SessionRevoked):
        broker.provider(aurora).chat(old.api_key, body)
    assert broker.inference.chat(aurora, QUESTION).verdict.outcome is Outcome.VERIFIED


def test_a_stopped_node_is_an_outage_and_heals(broker: Broker, devnet: Devnet) -> None:
    before = broker.services.list()
    devnet.stop_node()
    try:
        with pytest.raises(RpcUnreachable):
            broker.services.list()
    finally:
        devnet.start_node()
    assert broker.services.list() == before


def test_the_same_in_an_event_loop(broker: Broker, devnet: Devnet) -> None:
    from zgcompute import AsyncBroker

    aurora, prisma = devnet.address("aurora"), devnet.address("prisma")

    async def story() -> None:
        async with AsyncBroker(devnet.network, broker.signer) as looped:
            await looped.ledger.deposit(amounts.parse("10"))
            await asyncio.gather(  # two moves at once: one nonce after the other
                looped.ledger.transfer(aurora, amounts.parse("3")),
                looped.ledger.transfer(prisma, amounts.parse("3")),
            )
            answers = await asyncio.gather(
                *(looped.inference.chat(aurora, QUESTION) for _ in range(4)),
                looped.inference.images(prisma, "A lighthouse", size="64x64"),
            )
            assert {answer.verdict.outcome for answer in answers} == {Outcome.VERIFIED}
            stream = await looped.inference.stream(aurora, QUESTION)
            assert "".join([piece async for piece in stream]) == stream.answer.text
            assert (await stream.answer.verify()).outcome is Outcome.VERIFIED
            fees = sum(answer.fee.total for answer in answers[:4]) + stream.answer.fee.total
            assert await looped.inference.unsettled_fee(aurora) == fees

    asyncio.run(story())


def test_auto_funding_fills_what_is_spent_and_stops_at_its_cap(
    broker: Broker, devnet: Devnet, tmp_path: Path
) -> None:
    from zgcompute import AutoFunding

    aurora = devnet.address("aurora")
    broker.ledger.deposit(amounts.parse("20"))
    told: list[str] = []
    funding = AutoFunding(
        broker,
        aurora,
        minimum=amounts.parse("2"),
        target=amounts.parse("3"),
        per_day=amounts.parse("3.5"),
        state=tmp_path / "funding.json",
        log=told.append,
    )
    first = funding.check()
    assert first is not None
    assert broker.chain.receipt(first.transaction_hash) is not None
    assert broker.ledger.sub_account(aurora).balance.og == "3"
    broker.inference.chat(aurora, QUESTION)
    devnet.settle("aurora")
    assert funding.check() is None
    funding.minimum = funding.target
    second = funding.check()
    assert second is not None
    assert second.amount == amounts.parse("20") - broker.ledger.get().available - first.amount
    funding.minimum, funding.target = amounts.parse("9"), amounts.parse("10")
    third = funding.check()
    assert third is not None
    assert (first.amount + second.amount + third.amount).og == "3.5"
    assert funding.check() is None
    assert told[-1] == "Not funded: 3.5 0G were transferred within 24 hours."


def test_a_wallet_that_signs_32_bytes_moves_money_and_asks(devnet: Devnet) -> None:
    from eth_account import Account

    from devnet.node import Node

    account, aurora = Account.create(), devnet.address("aurora")
    Node(devnet.rpc_url).call("anvil_setBalance", account.address, hex(amounts.parse("100")))
    with Broker(devnet.network, signer=account) as broker:
        broker.ledger.deposit(amounts.parse("5"))
        broker.ledger.transfer(aurora, amounts.parse("3"))
        assert broker.inference.chat(aurora, QUESTION).verdict.outcome is Outcome.VERIFIED
