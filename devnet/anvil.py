"""The devnet's EVM node: an anvil process that keeps its chain over restarts."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from devnet.accounts import COUNT, ENDOWMENT, MNEMONIC
from devnet.binaries import find_anvil
from devnet.node import Node, NodeUnreachable
from zgcompute.networks import DEVNET

HOST = "127.0.0.1"
PORT = 8545
CONFIRMATIONS = 12  # empty blocks that follow a transaction, so that it becomes final
IDLE_BLOCK_TIME = 30.0  # seconds between blocks while nothing happens
_KEPT_STATES = 128  # blocks back that can still be asked; more would cost much memory
_SAVE_EVERY = 60  # seconds; what a killed node loses at most
_STARTS_WITHIN = 20.0
_STOPS_WITHIN = 20.0

# Runs the node until it ends, or until our end of the pipe is closed. Whichever way we die, even
# by SIGKILL, the node then saves its chain and frees its port.
_GUARD = """
exec 3<&0
"$@" </dev/null 3<&- & node=$!
(cat <&3 >/dev/null; kill "$node") 2>/dev/null & guard=$!
wait "$node"; code=$?
kill "$guard" 2>/dev/null
exit "$code"
"""


class AnvilFailed(Exception):
    """The node did not start; the text says why."""


class Anvil:
    """A running node, as a context manager.

    Transactions are mined at once. With a `block_time` (seconds) empty blocks follow them until
    they have CONFIRMATIONS; then the chain rests but for a block now and then. (A block every two
    seconds for ever, as anvil itself offers, makes the saved chain grow by 75 MB a day.)
    """

    def __init__(
        self,
        port: int = PORT,
        state_path: Path | None = None,
        block_time: float | None = None,
        log_path: Path | None = None,
    ) -> None:
        self.port = port
        self.rpc_url = f"http://{HOST}:{port}"
        self.node = Node(self.rpc_url)
        self.state_path = state_path
        self.block_time = block_time
        self.log_path = log_path or (state_path.with_suffix(".log") if state_path else None)
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._heart: threading.Thread | None = None

    def __enter__(self) -> Anvil:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def is_running(self) -> bool:
        """Tell whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the node and wait until it answers; raises AnvilFailed, AnvilMissing."""
        if _is_taken(self.port):
            raise AnvilFailed(
                f"Port {self.port} is in use. Stop what holds it, or choose another port."
            )
        command = ["/bin/sh", "-c", _GUARD, "anvil", str(find_anvil()), *self._options()]
        with self._log() as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us: we stop the node in order
            )
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.stop()
            raise
        self._start_heart()

    def stop(self) -> None:
        """Stop the node; it saves its chain first."""
        self._stopping.set()
        if self._heart is not None:
            self._heart.join()
        if self._process is None:
            return
        try:
            self._process.communicate(timeout=_STOPS_WITHIN)  # closes the pipe first
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process = None

    def _options(self) -> list[str]:
        options = {
            "--host": HOST,
            "--port": self.port,
            "--chain-id": DEVNET.chain_id,
            "--mnemonic": MNEMONIC,
            "--accounts": COUNT,
            "--balance": ENDOWMENT,
            "--prune-history": _KEPT_STATES,
        }
        if self.state_path is not None:
            _set_aside_if_broken(self.state_path)
            options |= {"--state": self.state_path, "--state-interval": _SAVE_EVERY}
        return ["--quiet", *(str(part) for option in options.items() for part in option)]

    def _log(self) -> IO[bytes]:
        if self.log_path is None:
            return open("/dev/null", "wb")
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        return self.log_path.open("wb")

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + _STARTS_WITHIN
        while time.monotonic() < deadline and self.is_running:
            try:
                self.node.call("eth_chainId")
                return
            except NodeUnreachable:
                time.sleep(0.02)
        words = self.log_path.read_text("utf-8", "replace")[-800:] if self.log_path else ""
        raise AnvilFailed(f"anvil did not start on port {self.port}. {words}".strip())

    def _start_heart(self) -> None:
        self._stopping.clear()
        if self.block_time is not None:
            self._heart = threading.Thread(target=self._beat, name="devnet-blocks", daemon=True)
            self._heart.start()

    def _beat(self) -> None:
        """Mine what `Pulse` asks for, until the node is stopped or gone."""
        pulse = Pulse()
        while not self._stopping.wait(self.block_time) and self.is_running:
            try:
                if pulse.wants_block(self.node.call("eth_getBlockByNumber", "latest", False)):
                    self.node.call("evm_mine")
            except NodeUnreachable:
                continue  # a busy node answers the next time; a dead one ends the loop


class Pulse:
    """Decides when an empty block is due."""

    def __init__(self) -> None:
        self._expected = -1  # the block that is the latest one if nobody sent anything since
        self._busy_until = 0

    def wants_block(self, latest: dict[str, Any]) -> bool:
        """Tell whether to mine on top of `latest`, and remember having done so."""
        number = int(latest["number"], 16)
        if latest["transactions"] or number > self._expected:
            self._busy_until = number + CONFIRMATIONS
        is_old = time.time() - int(latest["timestamp"], 16) >= IDLE_BLOCK_TIME
        due = number < self._busy_until or is_old
        self._expected = number + due
        return due


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False


def _set_aside_if_broken(state: Path) -> None:
    """A node that was killed while saving leaves half a file, and would not start from it."""
    state.parent.mkdir(parents=True, exist_ok=True)
    if not state.exists():
        return
    try:
        json.loads(state.read_bytes())
    except ValueError:
        state.replace(state.with_suffix(".broken"))
