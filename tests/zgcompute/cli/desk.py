"""A shell in which a played network stands behind `0g-compute-cli`."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

from click.testing import CliRunner, Result

from zgcompute._fake_media import tiny_png
from zgcompute.amounts import parse
from zgcompute.broker import Broker
from zgcompute.cli.main import command
from zgcompute.networks import Network
from zgcompute.session import SessionRequest
from zgcompute.signers import LocalSigner
from zgcompute.testing import FakeChain, FakeProvider, fake_service
from zgcompute.types import Address, Service

ALICE_KEY = "0x" + "11" * 32
ALICE = LocalSigner(ALICE_KEY)
PNG = tiny_png("mine")
WAV = b"RIFF\0\0\0\0WAVE" + b"\0" * 48_000


class Desk:
    """One provider of `service_type`, and somebody with an API key for it."""

    def __init__(self, service_type: str = "chatbot", **changes: Any) -> None:
        self.chain = FakeChain()
        prices = {"input_price": parse("0.001"), "output_price": parse("0.002")}
        service = fake_service(service_type=service_type, **(prices | changes))
        self.service = self.chain.register(service)
        self.provider = FakeProvider(self.service)
        self.others: dict[Address, FakeProvider] = {}
        self.networks: list[Network] = []
        self.api_key = key_for(self.service.provider)

    def add(self, provider: str, **changes: Any) -> FakeProvider:
        """Register another provider."""
        service = self.chain.register(
            replace(fake_service(), provider=Address(provider), **changes)
        )
        self.others[service.provider] = FakeProvider(service)
        return self.others[service.provider]

    def run(
        self,
        *arguments: str,
        key: str | None = "",
        stdin: str = "",
        color: bool = False,
        typed: str | None = None,
        **env: str,
    ) -> Result:
        """Run `0g-compute-cli` with `arguments`; `key` "" is the good one, None is none.

        With `typed` there is a terminal, and that is what somebody types there.
        """
        variables: dict[str, str | None] = {"ZG_API_KEY": self.api_key if key == "" else key}
        runner = CliRunner(env=variables | env)
        entered = stdin if typed is None else TypedInput(typed.encode())
        return runner.invoke(command, list(arguments), input=entered, obj=self._open, color=color)

    def pay(self, name: str, *arguments: str, yes: bool = True, **options: Any) -> Result:
        """Run a command on the devnet with Alice's wallet; `name` may be of `inference`."""
        path = name.split()
        chosen = ("--network", "devnet", *(("--yes",) if yes else ()))
        return self.run(*path, *chosen, *arguments, **{"ZG_PRIVATE_KEY": ALICE_KEY, **options})

    def look(self, name: str, *arguments: str, **options: Any) -> Result:
        """The same for a command that moves nothing and so asks for nothing."""
        return self.pay(name, *arguments, yes=False, **options)

    def fund(self, deposit: str = "", transfer: str = "", wallet: str = "100") -> Address:
        """Give Alice 0G in her wallet, ledger and sub-account; returns the provider's address."""
        self.chain.endow(ALICE.address, parse(wallet))
        calls = self.chain.calls
        if deposit:
            self.chain.apply(calls.deposit(parse(deposit)), ALICE.address)
        if transfer:
            call = calls.transfer(self.service.provider, parse(transfer))
            self.chain.apply(call, ALICE.address)
        return self.service.provider

    def ask(self, name: str, *arguments: str, **options: Any) -> Result:
        """Run an `inference` command on the devnet, with the provider named."""
        chosen = ("--network", "devnet", "--provider", self.service.provider)
        return self.run("inference", name, *chosen, *arguments, **options)

    def _open(self, network: Network) -> Broker:
        self.networks.append(network)
        return Broker(network, chain=self.chain, connect=self._connect)

    def _connect(self, service: Service) -> FakeProvider:
        return self.others.get(service.provider, self.provider)


class TypedInput(io.BytesIO):
    def isatty(self) -> bool:
        return True


def key_for(provider: str) -> str:
    request = SessionRequest.new(ALICE.address, provider, generation=0, token_id=3)
    return request.signed_by(ALICE).api_key


def json_of(result: Result) -> Any:
    """The JSON on standard output, which holds nothing else."""
    return json.loads(result.stdout)


def shape(value: Any) -> Any:
    """The names and kinds in a JSON value: what a program may rely on."""
    if isinstance(value, dict):
        return {name: shape(member) for name, member in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__
