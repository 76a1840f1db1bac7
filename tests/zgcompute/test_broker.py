from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

import zgcompute
from zgcompute import _sessions
from zgcompute.broker import Broker
from zgcompute.errors import (
    BelowMinimum,
    ConfigurationError,
    LedgerMissing,
    ModelNotServed,
    ServiceMissing,
    SessionExpired,
    UnknownNetwork,
)
from zgcompute.networks import DEVNET
from zgcompute.providers import Provider
from zgcompute.session import SessionToken
from zgcompute.signers import LocalSigner
from zgcompute.testing import FakeChain, FakeProvider, Fault, fake_service
from zgcompute.verification import Outcome

ZG = 10**18
ALICE = LocalSigner("11" * 32)
HELLO = [{"role": "user", "content": "Hello"}]


class Stage:
    """A broker of Alice, whose chain is played and whose provider Aurora answers from memory."""

    def __init__(self, **service_changes: object) -> None:
        self.chain = FakeChain()
        self.chain.endow(ALICE.address, 100 * ZG)
        self.service = self.chain.register(fake_service(**service_changes))
        self.aurora = self.service.provider
        self.provider = FakeProvider(self.service)
        self.broker = Broker(
            DEVNET, signer=ALICE, chain=self.chain, connect=lambda service: self.provider
        )


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_a_network_is_named_or_given(tmp_path: Path) -> None:
    assert Broker().network.slug == "testnet"
    assert Broker(DEVNET).network is DEVNET
    path = tmp_path / "networks.toml"
    path.write_text('[devnet]\nrpc_urls = ["http://127.0.0.1:9"]\n')
    assert Broker("devnet", networks_file=path).network.rpc_urls == ("http://127.0.0.1:9",)
    with pytest.raises(UnknownNetwork):
        Broker("nonet")


def test_without_a_chain_the_real_one_is_used() -> None:
    assert isinstance(Broker().chain, zgcompute.RpcChain)


def test_services_are_listed_and_found(stage: Stage) -> None:
    assert stage.broker.services.list() == (stage.service,)
    assert stage.broker.services.get(stage.aurora) == stage.service
    with pytest.raises(ServiceMissing):
        stage.broker.services.get(ALICE.address)


def test_money_moves_from_the_wallet_to_a_provider_and_back(stage: Stage) -> None:
    ledger = stage.broker.ledger
    with pytest.raises(LedgerMissing):
        ledger.get()
    assert ledger.deposit(10 * ZG).succeeded
    ledger.transfer(stage.aurora, 4 * ZG)
    assert (ledger.get().available, ledger.get(ALICE.address).total) == (6 * ZG, 10 * ZG)
    assert ledger.sub_account(stage.aurora).balance == 4 * ZG
    assert ledger.sub_accounts() == (ledger.sub_account(stage.aurora),)
    ledger.acknowledge(stage.aurora)
    ledger.retrieve([stage.aurora])
    stage.chain.advance(86_400)
    ledger.retrieve([stage.aurora])
    ledger.refund(7 * ZG)
    assert ledger.get().total == 3 * ZG


def test_a_refused_move_raises_the_contracts_reason(stage: Stage) -> None:
    with pytest.raises(BelowMinimum):
        stage.broker.ledger.deposit(ZG)


def test_without_a_signer_only_reading_works(stage: Stage) -> None:
    reader = Broker(DEVNET, chain=stage.chain)
    assert reader.services.list()
    assert reader.ledger.sub_accounts(ALICE.address) == ()
    for attempt in (
        lambda: reader.ledger.get(),
        lambda: reader.ledger.deposit(5 * ZG),
        lambda: reader.inference.session(stage.aurora),
    ):
        with pytest.raises(ConfigurationError, match="needs a wallet"):
            attempt()


def test_unsigned_calls_are_for_this_network(stage: Stage) -> None:
    assert stage.broker.calls.deposit(5).chain_id == 31337


def test_a_session_is_signed_once_and_reused(stage: Stage) -> None:
    token = stage.broker.inference.session(stage.aurora)
    assert SessionToken.parse(token.api_key) == token
    assert (token.user, token.provider, token.generation) == (ALICE.address, stage.aurora, 0)
    assert token.is_ephemeral
    assert stage.broker.inference.session(stage.aurora.lower()) is token


def test_a_session_with_less_than_an_hour_left_is_replaced(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = stage.broker.inference.session(stage.aurora)
    nearly = token.expires_at_ms - _sessions.RENEW_BEFORE_MS + 1
    monkeypatch.setattr(_sessions, "now_ms", lambda: nearly)
    assert stage.broker.inference.session(stage.aurora) is not token


def test_revoking_all_starts_a_new_generation_of_sessions(stage: Stage) -> None:
    stage.broker.ledger.deposit(10 * ZG)
    stage.broker.ledger.transfer(stage.aurora, ZG)
    stage.broker.inference.session(stage.aurora)
    assert stage.broker.inference.revoke_all(stage.aurora).succeeded
    assert stage.broker.inference.session(stage.aurora).generation == 1


def test_api_keys_have_the_id_and_life_that_were_asked_for(stage: Stage) -> None:
    forever = stage.broker.inference.api_key(stage.aurora, 3)
    assert (forever.token_id, forever.expires_at_ms) == (3, 0)
    week = stage.broker.inference.api_key(stage.aurora, 4, timedelta(days=7))
    assert week.expires_at_ms - week.issued_at_ms == 7 * 86_400_000


def test_an_answer_comes_with_its_fee_and_verdict(stage: Stage) -> None:
    answer = stage.broker.inference.chat(stage.aurora, HELLO, temperature=0)
    assert answer.text == stage.provider.answer
    assert answer.reasoning == ""
    assert answer.verdict.outcome is Outcome.VERIFIED
    assert answer.fee.total > 0
    assert b'"temperature":0' in stage.provider.bodies[0]
    assert b'"model":"test-chat"' in stage.provider.bodies[0]


def test_a_tampered_answer_is_failed(stage: Stage) -> None:
    stage.provider.fault = Fault.TAMPERED_ANSWER
    assert stage.broker.inference.chat(stage.aurora, HELLO).verdict.outcome is Outcome.FAILED


def test_an_answer_can_be_checked_again_later(stage: Stage) -> None:
    outcome = stage.broker.inference.chat(stage.aurora, HELLO).outcome
    verdict = stage.broker.inference.verify_response(
        stage.aurora,
        outcome.response_id,
        request_sha256=outcome.request_sha256,
        response_sha256="00" * 32,
    )
    assert verdict.outcome is Outcome.FAILED
    assert verdict.response_matches is False


def test_a_model_that_is_not_served_is_refused_before_asking(stage: Stage) -> None:
    with pytest.raises(ModelNotServed, match="'gpt'"):
        stage.broker.inference.chat(stage.aurora, HELLO, model="gpt")
    assert stage.provider.bodies == []
    stage.broker.inference.chat(stage.aurora, HELLO, model="test-chat")


def test_a_provider_of_many_models_is_asked_for_any() -> None:
    stage = Stage(additional_info='{"MultiModel":true}')
    stage.broker.inference.chat(stage.aurora, HELLO, model="other")
    assert b'"model":"other"' in stage.provider.bodies[0]


def test_a_refused_session_is_not_used_again(stage: Stage) -> None:
    token = stage.broker.inference.session(stage.aurora)
    stage.provider.fault = Fault.EXPIRED_SESSION
    with pytest.raises(SessionExpired):
        stage.broker.inference.chat(stage.aurora, HELLO)
    assert stage.broker.inference.session(stage.aurora) is not token


def test_unsettled_fees_are_the_providers_word(stage: Stage) -> None:
    stage.provider.unsettled = 42
    assert stage.broker.inference.unsettled_fee(stage.aurora) == 42


def test_real_providers_share_one_door_that_is_closed_with_the_broker(stage: Stage) -> None:
    broker = Broker(DEVNET, chain=stage.chain)
    broker.close()
    client = broker.provider(stage.aurora)
    assert isinstance(client, Provider)
    assert client.service == stage.service
    broker.close()


def test_services_of_one_type_can_be_asked_for(stage: Stage) -> None:
    assert stage.broker.services.list("chatbot") == (stage.service,)
    assert stage.broker.services.list("text-to-image") == ()
