"""The node: it keeps its chain, confirms what is sent, and says what is wrong."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from devnet import accounts
from devnet.anvil import CONFIRMATIONS, IDLE_BLOCK_TIME, Anvil, AnvilFailed, Pulse
from devnet.node import Node, NodeRefused, NodeUnreachable
from tests.devnet.conftest import find_free_port

ROOT = Path(__file__).resolve().parents[2]


def block(number: int, *, transactions: int = 0, age: float = 0) -> dict[str, Any]:
    timestamp = hex(int(time.time() - age))
    return {"number": hex(number), "timestamp": timestamp, "transactions": ["0x"] * transactions}


def height(node: Node) -> int:
    return int(node.call("eth_blockNumber"), 16)


@pytest.mark.chain
def test_a_restart_keeps_the_chain_and_the_clock_moves_on(tmp_path: Path) -> None:
    port, state = find_free_port(), tmp_path / "deep" / "state.json"
    alice, bob = accounts.account(9).address, accounts.account(10).address
    with Anvil(port, state) as anvil:
        receipt = anvil.node.send(alice, bob, value=10**18)
    assert not anvil.is_running
    with Anvil(port, state) as anvil:
        assert height(anvil.node) == 1
        again = anvil.node.call("eth_getTransactionReceipt", receipt["transactionHash"])
        assert again["status"] == "0x1"
        assert int(anvil.node.call("eth_getBalance", bob, "latest"), 16) == 10_001 * 10**18
        anvil.node.call("evm_mine")
        latest = anvil.node.call("eth_getBlockByNumber", "latest", False)
        assert abs(int(latest["timestamp"], 16) - time.time()) < 5


@pytest.mark.chain
def test_the_node_does_not_outlive_whoever_started_it(tmp_path: Path) -> None:
    port, state = find_free_port(), tmp_path / "state.json"
    program = (
        "from devnet.anvil import Anvil; from pathlib import Path; import os, signal\n"
        f"Anvil({port}, Path({str(state)!r})).start(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 10
    while not state.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    with pytest.raises(NodeUnreachable):
        Node(f"http://127.0.0.1:{port}").call("eth_chainId")


@pytest.mark.chain
@pytest.mark.skipif(sys.platform != "linux", reason="finds the process in /proc")
def test_a_node_that_died_is_noticed() -> None:
    with Anvil(find_free_port()) as anvil:
        assert anvil._process is not None
        guard = anvil._process.pid
        children = Path(f"/proc/{guard}/task/{guard}/children").read_text().split()
        for child in map(int, children):
            if "anvil" in Path(f"/proc/{child}/cmdline").read_text().split("\0")[0]:
                os.kill(child, signal.SIGKILL)
        anvil._process.wait(5)
        assert not anvil.is_running


@pytest.mark.chain
def test_a_node_that_was_killed_while_saving_starts_anew(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    state.write_text('{"block": {"number": "0x')
    with Anvil(find_free_port(), state) as anvil:
        assert height(anvil.node) == 0
    assert state.with_suffix(".broken").exists()


@pytest.mark.chain
def test_empty_blocks_confirm_a_transaction(tmp_path: Path) -> None:
    with Anvil(find_free_port(), block_time=0.02) as anvil:
        anvil.node.send(accounts.account(9).address, accounts.account(10).address)
        deadline = time.monotonic() + 10
        while height(anvil.node) < CONFIRMATIONS and time.monotonic() < deadline:
            time.sleep(0.05)
        assert height(anvil.node) >= CONFIRMATIONS
        time.sleep(0.5)
        resting = height(anvil.node)
        time.sleep(0.3)
        assert height(anvil.node) == resting


@pytest.mark.chain
def test_a_taken_port_is_named() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(AnvilFailed, match=f"Port {port} is in use"):
            Anvil(port).start()


@pytest.mark.chain
def test_a_node_that_cannot_start_says_why(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    state.write_text("[]")  # JSON, but no chain
    with pytest.raises(AnvilFailed, match="failed to parse"):
        Anvil(find_free_port(), state).start()


@pytest.mark.chain
def test_a_refusal_carries_the_nodes_words() -> None:
    with Anvil(find_free_port()) as anvil:
        with pytest.raises(NodeRefused) as caught:
            anvil.node.call("eth_noSuchMethod")
        assert caught.value.code == -32601
    with pytest.raises(NodeUnreachable):
        anvil.node.call("eth_chainId")


def test_a_fresh_pulse_confirms_what_it_finds_and_then_rests() -> None:
    pulse = Pulse()
    mined = [pulse.wants_block(block(number)) for number in range(5, 5 + CONFIRMATIONS + 1)]
    assert mined == [True] * CONFIRMATIONS + [False]
    assert pulse.wants_block(block(5 + CONFIRMATIONS)) is False


def test_a_new_transaction_wakes_a_resting_pulse() -> None:
    pulse = Pulse()
    for number in range(CONFIRMATIONS + 1):
        pulse.wants_block(block(number))
    assert pulse.wants_block(block(CONFIRMATIONS)) is False
    assert pulse.wants_block(block(CONFIRMATIONS + 1, transactions=1)) is True


def test_a_transaction_in_our_own_block_is_confirmed_as_well() -> None:
    pulse = Pulse()
    for number in range(CONFIRMATIONS):
        pulse.wants_block(block(number))
    own = CONFIRMATIONS  # the block that the pulse asked for last
    mined = [pulse.wants_block(block(own, transactions=1))]
    mined += [pulse.wants_block(block(own + i)) for i in range(1, CONFIRMATIONS + 1)]
    assert mined == [True] * CONFIRMATIONS + [False]


def test_a_resting_chain_still_shows_that_it_lives() -> None:
    pulse = Pulse()
    for number in range(CONFIRMATIONS + 1):
        pulse.wants_block(block(number))
    assert pulse.wants_block(block(CONFIRMATIONS, age=IDLE_BLOCK_TIME + 1)) is True
    assert pulse.wants_block(block(CONFIRMATIONS + 1)) is False
