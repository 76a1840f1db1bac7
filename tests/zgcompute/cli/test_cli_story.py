"""The whole way from an empty wallet to an answer and back, as processes against a real devnet."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from devnet.node import Node
from devnet.testing import Devnet
from zgcompute.amounts import parse
from zgcompute.signers import LocalSigner

pytestmark = pytest.mark.chain

ROOT = Path(__file__).parents[3]
LOCK_TIME = 86_400


@pytest.fixture
def devnet_of_its_own() -> Iterator[Devnet]:
    """Time is moved forward in it, which nobody else's devnet should see."""
    with Devnet(tokens_per_second=400.0) as running:
        yield running


@dataclass
class Shell:
    """A shell of somebody with a throw-away wallet."""

    devnet: Devnet
    folder: Path
    key: str
    seen: str = ""
    variables: dict[str, str] = field(default_factory=dict)

    def run(self, line: str, *more: str, status: int = 0, **env: str) -> str:
        """Run `0g-compute-cli` with `line`, require its status, and return its standard output."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        settings = {"ZG_CONFIG_DIR": str(self.folder), "ZG_KEYSTORE_PASSWORD": "a passphrase"}
        ended = subprocess.run(
            [sys.executable, "-m", "zgcompute", *line.split(), *more],
            cwd=ROOT,
            env=kept | settings | self.variables | env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        self.seen += ended.stdout + ended.stderr
        assert ended.returncode == status, ended.stderr
        assert "Traceback" not in ended.stderr
        return ended.stdout

    def json(self, line: str, *more: str, **options: Any) -> Any:
        return json.loads(self.run(line, *more, "--json", **options))


def test_from_an_empty_wallet_to_an_answer_and_back(
    devnet_of_its_own: Devnet, tmp_path: Path
) -> None:
    devnet = devnet_of_its_own
    shell = Shell(devnet, tmp_path / "settings", secrets.token_hex(32))
    address, aurora = LocalSigner(shell.key).address, devnet.address("aurora")
    node = Node(devnet.rpc_url)
    node.call("anvil_setBalance", address, hex(parse("100")))

    shell.run(f"setup-network devnet --rpc {devnet.rpc_url}")
    shell.run("login", ZG_PRIVATE_KEY=shell.key)
    assert shell.json("status")["address"] == address
    assert shell.json("get-account")["ledger"] is None

    shell.run("add-account --amount 5", status=2)  # nobody to ask
    shell.run("transfer-fund --yes --amount 3 --provider", aurora, status=3)
    assert shell.run("add-account --yes --amount 5") == "Created the ledger with 5 0G\n"
    assert shell.json("deposit --yes --amount 1")["amount"]["og"] == "1"
    shell.run("transfer-fund --yes --amount 3 --provider", aurora)
    shell.variables = {"ZG_PRIVATE_KEY": shell.key}  # opening a keystore takes its time
    shell.run("inference acknowledge-provider --yes --provider", aurora, status=3)

    api_key = shell.run("inference get-secret --provider", aurora).strip()
    asked = shell.json("inference chat Hello --provider", aurora, ZG_API_KEY=api_key)
    assert asked["verification"]["outcome"] == "verified"
    used = shell.json("inference usage --provider", aurora)
    assert used["unsettled"]["neuron"] == asked["fee"]["neuron"]

    shell.run("inference revoke-token --yes --slot 254 --provider", aurora)
    devnet.reset()  # providers cache sub-accounts for minutes
    shell.run("inference chat Hello --provider", aurora, ZG_API_KEY=api_key, status=3)
    assert shell.json("inference get-secret --provider", aurora)["slot"] == 253
    assert shell.json("inference revoke-all-tokens --yes --provider", aurora)["generation"] == 1
    assert shell.json("inference get-secret --provider", aurora)["slot"] == 254

    devnet.settle("aurora")
    left = parse("3") - int(asked["fee"]["neuron"])
    assert shell.json("retrieve-fund --yes")["started"]["neuron"] == str(left)
    shell.run("retrieve-fund --yes", status=3)
    node.call("evm_increaseTime", LOCK_TIME)
    node.call("evm_mine")
    assert shell.json("retrieve-fund --yes")["came_home"]["neuron"] == str(left)
    refunded = shell.json("refund --yes --all")
    assert refunded["amount"]["neuron"] == str(left + parse("3"))
    assert shell.json("get-account")["ledger"] is None

    shell.variables = {}
    shell.run("logout --yes")
    shell.run("get-account", status=2)
    assert shell.key not in shell.seen
    assert all(shell.key not in file.read_text() for file in shell.folder.iterdir())


def test_a_node_that_is_away_is_unreachable_and_nothing_is_sent(tmp_path: Path) -> None:
    key = secrets.token_hex(32)
    shell = Shell(Devnet(), tmp_path, key)
    nobody = {"ZG_PRIVATE_KEY": key, "ZG_RPC_ENDPOINT": "http://127.0.0.1:9"}
    shell.run("deposit --yes --amount 1 --network devnet", status=4, **nobody)
    assert "Nothing was changed" in shell.seen
