"""One node for all contract tests; every test starts from the same chain and leaves it solvent."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from devnet.anvil import Anvil
    from tests.devnet.contract_chain import ContractChain


@pytest.fixture(scope="session")
def free_port() -> int:
    return find_free_port()


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def contract_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Anvil]:
    """A node with the contracts and one acknowledged service, used by the contract tests only."""
    from devnet.anvil import Anvil
    from devnet.deploy import STAKE, deploy
    from tests.devnet.contract_chain import AURORA, OWNER, ContractChain, service

    log: Path = tmp_path_factory.mktemp("contracts") / "anvil.log"
    with Anvil(find_free_port(), log_path=log) as anvil:
        deploy(anvil.rpc_url)
        chain = ContractChain(anvil.node)
        chain.serving.send(AURORA, "addOrUpdateService", service(), value=STAKE)
        chain.serving.send(OWNER, "acknowledgeTEESignerByOwner", AURORA)
        yield anvil


@pytest.fixture
def chain(contract_node: Anvil) -> Iterator[ContractChain]:
    """The chain as it was after the deployment; taken back after the test."""
    from tests.devnet.contract_chain import ContractChain
    from tests.devnet.solvency import check_solvency

    node = contract_node.node
    snapshot = node.call("evm_snapshot")
    chain = ContractChain(node)
    yield chain
    check_solvency(chain)
    assert node.call("evm_revert", snapshot)
