"""A whole devnet of one's own for tests: free ports, a temporary folder, nothing left behind."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from zgcompute.networks import DEVNET, Network
from zgcompute.types import Address

ROOT = Path(__file__).resolve().parent.parent
STOPS_WITHIN = 30  # seconds
CONTROL_TIMEOUT = 60  # seconds; settling waits for a transaction


class DevnetFailed(Exception):
    """The devnet did not start, or its control port refused; the text says why."""


class Devnet:
    """A running devnet, as a context manager.

    Without arguments: free ports, a temporary state folder, settlement only on demand, no rate
    limits, answers at once. `state` keeps a folder over several runs.
    """

    def __init__(
        self,
        *,
        port_base: int = 0,
        anvil_port: int = 0,
        state: Path | None = None,
        settle_every: float | None = None,
        tokens_per_second: float | None = None,
        limits: bool = False,
    ) -> None:
        self._arguments = [
            *("--port-base", str(port_base), "--anvil-port", str(anvil_port), "--json"),
            *("--settle-every", str(settle_every or 0)),
            *("--tokens-per-second", str(tokens_per_second or 0)),
            *(() if limits else ("--no-limits",)),
        ]
        self._state = state
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[str] | None = None
        self._announced: dict[str, Any] = {}

    def __enter__(self) -> Devnet:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start and wait until everything answers; raises DevnetFailed with the log's end."""
        if self._state is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="devnet-")
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "devnet", "--state", str(self.folder), *self._arguments]
        with (self.folder / "devnet.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            words = self.log[-2000:]
            self.stop()
            raise DevnetFailed(f"The devnet did not start:\n{words}")
        self._announced = json.loads(line)

    def stop(self) -> None:
        """Stop everything and remove the temporary folder."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.communicate(timeout=STOPS_WITHIN)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.communicate()
            self._process = None
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None

    @property
    def folder(self) -> Path:
        """Where the chain, the unsettled fees and the log are."""
        if self._state is not None:
            return self._state
        if self._temporary is None:
            raise DevnetFailed("The devnet is not running.")
        return Path(self._temporary.name)

    @property
    def log(self) -> str:
        """What the devnet's process has complained about."""
        return (self.folder / "devnet.log").read_text("utf-8", "replace")

    @property
    def rpc_url(self) -> str:
        return str(self._announced["rpc_url"])

    @property
    def control_url(self) -> str:
        return str(self._announced["control_url"])

    @property
    def status_url(self) -> str:
        """Where the network's status service is."""
        return str(self._announced["status_url"])

    @property
    def network(self) -> Network:
        """The built-in devnet as it runs here."""
        return replace(DEVNET, rpc_urls=(self.rpc_url,), status_api=self.status_url)

    def url(self, provider: str) -> str:
        """The service URL of the provider called `provider`."""
        return str(self._provider(provider)["url"])

    def address(self, provider: str) -> Address:
        """The on-chain address of the provider called `provider`."""
        return Address(self._provider(provider)["address"])

    def control(self, path: str, order: Any = None) -> Any:
        """GET `path` of the control port, or POST `order` as JSON; raises DevnetFailed."""
        request = urllib.request.Request(  # noqa: S310 - our own control port
            self.control_url + path,
            None if order is None else json.dumps(order).encode(),
            {"content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=CONTROL_TIMEOUT) as reply:  # noqa: S310
                return json.load(reply)
        except urllib.error.HTTPError as error:
            with error:
                raise DevnetFailed(error.read().decode("utf-8", "replace")) from error

    def state(self) -> Any:
        """What GET /state says."""
        return self.control("/state")

    def asked(self) -> dict[str, int]:
        """How many billed requests with a good session each user has sent to all providers.

        By address in lower case; refused ones count, and nothing but a restart resets them.
        """
        counts: Counter[str] = Counter()
        for provider in self.state()["providers"]:
            counts.update({user.lower(): count for user, count in provider["asked"].items()})
        return dict(counts)

    def fault(self, provider: str | None, name: str | None, *, times: int | None = None) -> None:
        """Switch a fault on (for `times` requests) or, with None, off."""
        self.control("/faults", {"provider": provider, "fault": name, "times": times})

    def options(self, provider: str | None = None, **changes: Any) -> None:
        """Change fields of the providers' Options, such as tokens_per_second."""
        self.control("/options", {"provider": provider, **changes})

    def limits(self, provider: str | None = None, **changes: Any) -> None:
        """Change the rate limits' settings, such as enabled."""
        self.control("/limits", {"provider": provider, **changes})

    def settle(self, provider: str | None = None) -> list[dict[str, str]]:
        """Settle now; returns what was done for each user (amounts are neuron in text)."""
        settled: list[dict[str, str]] = self.control("/settle", {"provider": provider})["settled"]
        return settled

    def stop_status(self) -> None:
        """Let the network's status service refuse every question, until `reset`."""
        self.control("/status", {"answering": False})

    def reset(self) -> None:
        """Faults off, options and limits as at the start, caches forgotten; fees, counts stay."""
        self.control("/reset", {})

    def stop_node(self) -> None:
        """Stop the EVM node; its chain is kept."""
        self.control("/node", {"running": False})

    def start_node(self) -> None:
        """Start the EVM node again, at the same port and with the same chain."""
        self.control("/node", {"running": True})

    def _provider(self, name: str) -> dict[str, Any]:
        for provider in self._announced["providers"]:
            if provider["name"] == name:
                found: dict[str, Any] = provider
                return found
        raise DevnetFailed(f"The devnet serves no provider {name!r}.")
