"""The whole SDK against a running devnet: from an empty wallet to a settled, verified answer."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from zgcompute import Broker, LocalSigner, Outcome, RpcUnreachable, amounts
from zgcompute.errors import LedgerMissing, SessionRevoked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from devnet.testing import Devnet

pytestmark = pytest.mark.chain

QUESTION = [{"role": "user", "content": 'Grüße <b>&"quotes"</b> \u2028'}]


@pytest.fixture
def broker(devnet: Devnet) -> Iterator[Broker]:
    from devnet.node import Node

    signer = LocalSigner(secrets.token_bytes(32))
    Node(devnet.rpc_url).call("anvil_setBalance", signer.address, hex(amounts.parse("100")))
    broker = Broker(devnet.network, signer=signer)
    yield broker
    broker.close()


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
