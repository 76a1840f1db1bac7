"""The whole product as its users meet it: workers and site as processes, over a devnet."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from devnet.testing import Devnet

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 120


STARTED: list[Site] = []  # all of this run whose database is still there, for those who count


@dataclass(frozen=True)
class Site:
    """A site that was started; `log` is what its processes printed."""

    url: str
    network: str
    folder: Path
    process: subprocess.Popen[bytes]
    database: str  # a file of SQLite's, or an address of PostgreSQL's

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def log(self) -> str:
        return (self.folder / "site.log").read_text("utf-8", "replace")


@contextmanager
def running_site(devnet: Devnet, folder: Path, port: int = 0, **environment: str) -> Iterator[Site]:
    """Start the site on a free port over `devnet`; everything it writes stays in `folder`.

    Started again in the same folder and on the same `port` it goes on where it was stopped.
    """
    port = port or free_port()
    command = [sys.executable, "-m", "config.start", "--no-devnet", "--port", str(port)]
    with (folder / "site.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=_environment(devnet, folder) | environment,
            stdout=log,
            stderr=log,
        )
    database = environment.get("DATABASE_URL", str(folder / "site.sqlite3"))
    site = Site(f"http://localhost:{port}", "devnet", folder, process, database)
    try:
        _wait_until_it_knows_the_services(site)
        STARTED[:] = [other for other in STARTED if other.database != database] + [site]
        yield site
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="session")
def site(devnet: Devnet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(devnet, tmp_path_factory.mktemp("site")) as running:
        yield running


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment(devnet: Devnet, folder: Path) -> dict[str, str]:
    networks = folder / "networks.toml"
    networks.write_text(
        f'[devnet]\nrpc_urls = ["{devnet.rpc_url}"]\nstatus_api = "{devnet.status_url}"\n'
    )
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
    return kept | {
        "VAR_DIR": str(folder),
        "NETWORKS": "devnet",
        "ZG_NETWORKS_FILE": str(networks),
        "CHAIN_POLL_SECONDS": "1",
        "CONFIRMATIONS": "1",
    }


def _wait_until_it_knows_the_services(site: Site) -> None:
    """Pages are there at once, their services when a worker has read the chain."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if site.process.poll() is not None:
            raise AssertionError(f"The site ended while starting:\n{site.log}")
        try:
            with urllib.request.urlopen(f"{site.url}/devnet/", timeout=5) as page:
                if b"devnet-chat" in page.read():
                    return
        except OSError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"The site showed no services in {START_SECONDS} s:\n{site.log}")
