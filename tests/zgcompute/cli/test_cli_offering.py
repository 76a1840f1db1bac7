"""A provider's own service, changed and withdrawn on a real chain, and the price of gas."""

from __future__ import annotations

import json
import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from devnet.anvil import Anvil
from devnet.deploy import deploy
from devnet.testing import Devnet
from tests.site_fixture import free_port
from tests.zgcompute.cli.terminal import Terminal
from zgcompute._chain import RpcChain
from zgcompute.cli import gas
from zgcompute.networks import DEVNET, Network
from zgcompute.types import Service

pytestmark = pytest.mark.chain


@pytest.fixture(scope="module")
def own_devnet() -> Iterator[Devnet]:
    """Services change in it, which nobody else's devnet should see."""
    with Devnet() as running:
        yield running


@pytest.fixture
def alice(own_devnet: Devnet, tmp_path: Path) -> Terminal:
    terminal = Terminal(own_devnet, tmp_path, secrets.token_hex(32))
    terminal.endow("100")
    return terminal


@dataclass(frozen=True)
class BareNode:
    """A chain in which no block comes by itself."""

    rpc_url: str

    @property
    def network(self) -> Network:
        return replace(DEVNET, rpc_urls=(self.rpc_url,))


@pytest.fixture(scope="module")
def bare_node() -> Iterator[BareNode]:
    with Anvil(port=free_port()) as anvil:
        deploy(anvil.rpc_url)
        yield BareNode(anvil.rpc_url)


@pytest.fixture
def bob(bare_node: BareNode, tmp_path: Path) -> Terminal:
    terminal = Terminal(bare_node, tmp_path, secrets.token_hex(32))
    terminal.endow("100")
    return terminal


def service(terminal: Terminal) -> Service:
    return RpcChain(terminal.devnet.network).service(terminal.address)


def test_a_price_and_a_url_change_and_all_else_stays(alice: Terminal) -> None:
    aurora = alice.as_provider("aurora")
    before = service(aurora)
    url = "http://127.0.0.1:1/elsewhere"
    said = aurora.json("inference update-service --yes --output-price 0.0000009 --url", url)
    after = service(aurora)
    assert (after.output_price, after.url) == (9 * 10**11, url)
    assert (after.input_price, after.model) == (before.input_price, before.model)
    assert after.additional_info == before.additional_info
    assert after.tee_signer_acknowledged
    assert said["tee_signer_acknowledged"] is True
    assert said["output_price"] == {"neuron": "900000000000", "og": "0.0000009"}
    aurora.ok("inference update-service --yes --url", before.url)


def test_another_model_is_warned_of_and_ends_the_acknowledgement(alice: Terminal) -> None:
    echo = alice.as_provider("echo")
    result = echo.run("inference update-service --model new-model", typed="n\n")
    assert result.exit_code == 1
    assert "ends the acknowledgement of the TEE signer" in result.stderr
    assert service(echo).model != "new-model"
    assert (
        echo.json("inference update-service --yes --model new-model")["tee_signer_acknowledged"]
        is False
    )
    assert not service(echo).tee_signer_acknowledged


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ("", 2, "Name what changes"),
        ("--input-price many", 2, "not an amount"),
        ("--url ftp://nowhere", 1, "not a plain https address"),
        ("--gas-price 9 --max-gas-price 8", 2, "above --max-gas-price"),
    ],
)
def test_what_no_service_can_be_is_refused(
    alice: Terminal, arguments: str, status: int, words: str
) -> None:
    result = alice.as_provider("cumulus").run(f"inference update-service --yes {arguments}")
    assert (result.exit_code, result.stdout) == (status, "")
    assert words in result.stderr


def test_nothing_to_change_is_said(alice: Terminal) -> None:
    cumulus = alice.as_provider("cumulus")
    result = cumulus.run("inference update-service --yes --model", service(cumulus).model)
    assert (result.exit_code, "like that already" in result.stderr) == (3, True)


def test_a_removed_service_brings_its_stake_back(alice: Terminal) -> None:
    retouch = alice.as_provider("retouch")
    chain = RpcChain(alice.devnet.network)
    before = chain.balance(retouch.address)
    said = retouch.json("inference remove-service --yes")
    assert chain.balance(retouch.address) == before + 100 * 10**18 - int(
        said["network_fee"]["neuron"]
    )
    again = retouch.run("inference remove-service --yes")
    assert (again.exit_code, "offers no service" in again.stderr) == (3, True)
    assert retouch.address not in alice.ok("inference list-providers --include-invalid").stdout


def test_the_price_is_raised_until_it_is_mined_once(
    bob: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that mines nothing for a while: four prices, one nonce, one deposit."""
    monkeypatch.setattr(gas, "RAISED_AFTER", 0.1)
    monkeypatch.setattr(gas, "_LOOK", 0.02)
    monkeypatch.setattr(gas, "LONGEST_WAIT", 20.0)
    chain = RpcChain(bob.devnet.network)
    least = chain.gas_price()
    prices = f"--gas-price {2 * least} --max-gas-price {4 * least} --step 13"
    with mining_only_from(bob, 4 * least):
        result = bob.ok(f"deposit --yes --amount 5 --json {prices}")
    told = [int(found) for found in re.findall(r"Sent as 0x\w+, (\d+) neuron", result.stderr)]
    assert told == [2 * least, *(-(-one * 13 // 10) for one in told[:2]), 4 * least]
    assert chain.transaction_count(bob.address) == 1
    assert chain.ledger(bob.address).total == 5 * 10**18
    said = json.loads(result.stdout)
    mined = bob.node.call("eth_getTransactionByHash", said["hash"])
    assert int(mined["gasPrice"], 16) == told[-1]


def test_at_the_highest_price_the_wait_ends_with_all_that_was_sent(
    bob: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RAISED_AFTER", "LONGEST_WAIT", "_LOOK"):
        monkeypatch.setattr(gas, name, 0.02)
    least = RpcChain(bob.devnet.network).gas_price()
    prices = f"--gas-price {2 * least} --max-gas-price {3 * least} --step 20"
    with mining_only_from(bob, 9 * least):
        result = bob.run(f"deposit --yes --amount 5 {prices}")
    assert (result.exit_code, result.stdout) == (4, "")
    first, second = re.findall(r"Sent as (0x\w+)", result.stderr)
    assert f"sent as {second}, before that at lower prices as {first}" in result.stderr


@contextmanager
def mining_only_from(terminal: Terminal, price: int) -> Iterator[None]:
    """Let the node mine only once a transaction of the wallet offers `price`, or at the end."""
    node, ended = terminal.node, threading.Event()

    def offered() -> int:
        pool = node.call("txpool_content")
        waiting = (one for user in pool["pending"].values() for one in user.values())
        return max((int(one["gasPrice"], 16) for one in waiting), default=0)

    def mine() -> None:
        while offered() < price and not ended.wait(0.02):
            continue
        node.call("evm_mine")

    node.call("evm_setAutomine", False)
    miner = threading.Thread(target=mine)
    miner.start()
    try:
        yield
    finally:
        ended.set()
        miner.join()
        node.call("evm_setAutomine", True)
