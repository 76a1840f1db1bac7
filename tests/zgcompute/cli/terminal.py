"""A terminal on the real devnet, in this process: a process of its own adds nothing but seconds."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from click.testing import CliRunner, Result

from devnet import accounts
from devnet.node import Node
from tests.zgcompute.cli.desk import TypedInput
from tests.zgcompute.cli.schemas import name_of, promised
from zgcompute.amounts import parse
from zgcompute.cli.main import command
from zgcompute.networks import Network
from zgcompute.signers import LocalSigner


class Running(Protocol):
    """A devnet, or its chain alone."""

    @property
    def rpc_url(self) -> str: ...

    @property
    def network(self) -> Network: ...


@dataclass
class Terminal:
    """Somebody with a wallet, `columns` wide; `seen` is all that the commands wrote."""

    devnet: Running
    folder: Path
    key: str
    columns: int = 80
    seen: str = ""
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return LocalSigner(self.key).address

    @property
    def node(self) -> Node:
        return Node(self.devnet.rpc_url)

    def endow(self, amount: str) -> None:
        """Let the wallet hold `amount` 0G."""
        self.node.call("anvil_setBalance", self.address, hex(parse(amount)))

    def as_provider(self, name: str) -> Terminal:
        """The same terminal with the key of one of the devnet's providers."""
        key = accounts.provider(name).private_key
        return Terminal(self.devnet, self.folder, key, self.columns)

    def run(self, line: str, *more: str, typed: str | None = None, **env: str) -> Result:
        """Run `0g-compute-cli` with `line`; `typed` is what somebody types at a terminal."""
        variables = {
            "ZG_CONFIG_DIR": str(self.folder),
            "ZG_RPC_ENDPOINT": self.devnet.rpc_url,
            "ZG_NETWORK": "devnet",
            "ZG_PRIVATE_KEY": self.key,
            "COLUMNS": str(self.columns),
            "NO_COLOR": "1",
            **self.variables,
            **env,
        }
        entered = None if typed is None else TypedInput(typed.encode())
        result = CliRunner(env=variables).invoke(command, [*line.split(), *more], input=entered)
        self.seen += result.stdout + result.stderr
        return result

    def ok(self, line: str, *more: str, **options: Any) -> Result:
        """Run it, and require that it was done."""
        result = self.run(line, *more, **options)
        assert result.exit_code == 0, result.stderr
        return result

    def json(self, line: str, *more: str, **options: Any) -> Any:
        """The JSON of a command that was done, as its schema promises it."""
        found = json.loads(self.ok(line, *more, "--json", **options).stdout)
        return promised(name_of(line), found)
