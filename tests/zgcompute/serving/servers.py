"""The server as a process of its own, in front of a devnet."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai

from devnet.node import Node
from devnet.testing import Devnet
from tests.zgcompute.cli.schemas import promised
from zgcompute import Broker, LocalSigner, amounts

ROOT = Path(__file__).parents[3]
PAID = ("aurora", "cumulus", "prisma", "retouch", "echo")
STOPS_WITHIN = 20


@dataclass
class Served:
    """A running server; `log` is its standard error so far."""

    process: subprocess.Popen[str]
    facts: dict[str, Any]
    log_file: Path

    @property
    def url(self) -> str:
        return str(self.facts["url"])

    @property
    def log(self) -> str:
        return self.log_file.read_text("utf-8")

    def client(self, key: str = "none", **options: Any) -> openai.OpenAI:
        return openai.OpenAI(base_url=self.url, api_key=key, max_retries=0, **options)

    def wait_for(self, words: str) -> None:
        """Wait until the log says `words`."""
        deadline = time.monotonic() + STOPS_WITHIN
        while words not in self.log:
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.02)


@dataclass(frozen=True)
class Payer:
    """A wallet with funds at every provider of the devnet."""

    devnet: Devnet
    key: str
    folder: Path

    def command(self, *arguments: str) -> list[str]:
        """The command line of `inference` with `arguments` on this devnet."""
        place = ("--network", "devnet", "--rpc", self.devnet.rpc_url)
        return [sys.executable, "-m", "zgcompute", "inference", *arguments, *place]

    @property
    def variables(self) -> dict[str, str]:
        """What the wallet's command needs in its environment."""
        return {"ZG_PRIVATE_KEY": self.key, "ZG_CONFIG_DIR": str(self.folder)}

    @contextmanager
    def serving(self, *arguments: str, **variables: str) -> Iterator[Served]:
        """Run `inference` with `arguments`, until it answers and then to the block's end."""
        self.folder.mkdir(exist_ok=True)
        log_file = self.folder / f"serve-{secrets.token_hex(4)}.log"
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        with log_file.open("w") as log:
            process = subprocess.Popen(
                self.command(*arguments, "--port", "0", "--json", "--verbose"),
                cwd=ROOT,
                env=kept | self.variables | variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        try:
            facts = promised(f"inference {arguments[0]}", announced(process, log_file))
            yield Served(process, facts, log_file)
        finally:
            process.terminate()
            process.communicate(timeout=STOPS_WITHIN)


def payer(devnet: Devnet, folder: Path, providers: tuple[str, ...] = PAID) -> Payer:
    """A new wallet that has transferred 20 0G to each of `providers`."""
    key = "0x" + secrets.token_hex(32)
    signer = LocalSigner(key)
    Node(devnet.rpc_url).call("anvil_setBalance", signer.address, hex(amounts.parse("500")))
    broker = Broker(devnet.network, signer=signer)
    broker.ledger.deposit(amounts.parse("200"))
    for name in providers:
        broker.ledger.transfer(devnet.address(name), amounts.parse("20"))
    broker.close()
    return Payer(devnet, key, folder)


def announced(process: subprocess.Popen[str], log_file: Path) -> dict[str, Any]:
    """What a server says with --json once it listens."""
    assert process.stdout is not None
    text = ""
    while not text.endswith("\n}\n"):
        line = process.stdout.readline()
        assert line, log_file.read_text("utf-8")
        text += line
    facts: dict[str, Any] = json.loads(text)
    return facts
