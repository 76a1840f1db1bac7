"""The deployment: at fixed addresses, repeatable, and it says when it is impossible."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from devnet import accounts
from devnet.anvil import Anvil
from devnet.deploy import (
    FINE_TUNING,
    INFERENCE,
    LEDGER,
    DeploymentImpossible,
    ServiceOffer,
    deploy,
    register_services,
)
from tests.devnet.conftest import find_free_port
from tests.devnet.contract_chain import ContractChain
from zgcompute.networks import DEVNET

pytestmark = pytest.mark.chain

DEPLOYER = accounts.account(accounts.DEPLOYER).address


@pytest.fixture
def fresh() -> Iterator[Anvil]:
    with Anvil(find_free_port()) as anvil:
        yield anvil


def offer(name: str) -> ServiceOffer:
    return ServiceOffer(
        provider=accounts.provider(name).address,
        service_type="chatbot",
        url="http://127.0.0.1:8601",
        model="devnet-chat",
        verifiability="TeeML",
        input_price=4,
        output_price=16,
        additional_info="{}",
        tee_signer=accounts.account(19).address,
    )


def blocks(anvil: Anvil) -> int:
    return int(anvil.node.call("eth_blockNumber"), 16)


def test_the_contracts_land_where_clients_expect_them(fresh: Anvil) -> None:
    deploy(fresh.rpc_url)
    assert (DEVNET.ledger, DEVNET.inference) == (LEDGER, INFERENCE)
    chain = ContractChain(fresh.node)
    assert all(fresh.node.has_code(address) for address in (LEDGER, INFERENCE, FINE_TUNING))
    assert chain.ledger.read("getRecommendedService", "inference") == ("v1.0", INFERENCE)
    assert chain.ledger.read("getRecommendedService", "fine-tuning") == ("v1.0", FINE_TUNING)
    assert chain.ledger.read("owner") == chain.serving.read("owner") == DEPLOYER
    assert chain.serving.read("ledgerAddress") == LEDGER


def test_a_second_deployment_sends_nothing(fresh: Anvil) -> None:
    deploy(fresh.rpc_url)
    before = blocks(fresh)
    deploy(fresh.rpc_url)
    assert blocks(fresh) == before


def test_a_deployment_that_was_cut_off_is_carried_on(fresh: Anvil) -> None:
    for _ in range(2):
        fresh.node.send(DEPLOYER, DEPLOYER)
    deploy(fresh.rpc_url)
    assert fresh.node.has_code(FINE_TUNING)


def test_a_deployer_that_did_something_else_is_noticed(fresh: Anvil) -> None:
    for _ in range(3):
        fresh.node.send(DEPLOYER, DEPLOYER)
    with pytest.raises(DeploymentImpossible, match="fresh chain"):
        deploy(fresh.rpc_url)


def test_services_are_registered_once_and_updated_when_they_change(fresh: Anvil) -> None:
    deploy(fresh.rpc_url)
    chain = ContractChain(fresh.node)
    aurora, dusk = offer("aurora"), replace(offer("dusk"), acknowledged=False)
    register_services(fresh.rpc_url, [aurora, dusk])
    services, total = chain.serving.read("getAllServices", 0, 0)
    assert [(s["provider"], s["teeSignerAcknowledged"]) for s in services] == [
        (aurora.provider, True),
        (dusk.provider, False),
    ]
    before = blocks(fresh)
    register_services(fresh.rpc_url, [aurora, dusk])
    assert blocks(fresh) == before

    register_services(fresh.rpc_url, [replace(aurora, model="another"), dusk])
    changed = chain.serving.read("getService", aurora.provider)
    assert (changed["model"], changed["teeSignerAcknowledged"]) == ("another", True)
    assert blocks(fresh) == before + 2  # the update, and the acknowledgement that it had reset
    register_services(fresh.rpc_url, [replace(aurora, model="another", acknowledged=False)])
    assert chain.serving.read("getService", aurora.provider)["teeSignerAcknowledged"] is False
