"""Run the official client's CLI and SDK against a devnet of our own; print each step's result."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devnet import accounts
from devnet.testing import Devnet
from zgcompute import errors
from zgcompute._chain import RpcChain
from zgcompute.amounts import exact
from zgcompute.bodies import chat_body
from zgcompute.networks import Network
from zgcompute.providers import Provider
from zgcompute.session import SessionRequest, SessionToken
from zgcompute.signers import LocalSigner

PACKAGE = "@0gfoundation/0g-compute-ts-sdk@0.9.0"
CLIENT = Path(__file__).with_name("client.mjs")
KEY_SECONDS = 3600
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def main() -> int:
    """Return 0 if every step passed."""
    folder = Path(tempfile.mkdtemp(prefix="interop-"))
    try:
        _install(folder)
        with Devnet() as devnet:
            return _Run(folder, devnet).all()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _install(folder: Path) -> None:
    print(f"· Installing {PACKAGE} into a temporary folder", flush=True)
    (folder / "package.json").write_text("{}")
    command = ["npm", "install", "--no-audit", "--no-fund", "--silent", PACKAGE]
    subprocess.run(command, cwd=folder, check=True)


@dataclass
class _Run:
    """The steps share one wallet, one provider and what earlier steps produced."""

    folder: Path
    devnet: Devnet
    failures: list[str] = field(default_factory=list)
    official_key: str = ""

    def __post_init__(self) -> None:
        self.network: Network = self.devnet.network
        self.wallet = accounts.account(9)
        self.provider = accounts.account(2).address
        home = self.folder / "home" / ".0g-compute-cli"
        home.mkdir(parents=True)
        config = {"privateKey": self.wallet.private_key, "rpcEndpoint": self.devnet.rpc_url}
        (home / "config.json").write_text(json.dumps(config))

    def all(self) -> int:
        steps = (
            self.list_providers,
            self.deposit,
            self.get_account,
            self.transfer_fund,
            self.get_sub_account,
            self.get_secret,
            self.chat_with_curl,
            self.our_client_takes_its_key,
            self.sdk_chats_and_verifies,
            self.revoked_key_is_refused,
            self.verify,
            self.retrieve_fund,
        )
        for step in steps:
            self._attempt(step)
        print(f"{len(steps) - len(self.failures)} passed, {len(self.failures)} failed")
        return 1 if self.failures else 0

    def list_providers(self) -> None:
        _expect(self.provider.lower() in self._cli("inference", "list-providers").lower())

    def deposit(self) -> None:
        _expect("Deposited funds: 5" in self._cli("deposit", "--amount", "5"))
        _expect(self._chain().ledger(self.wallet.address).available == 5 * 10**18)

    def get_account(self) -> None:
        _expect(re.search(r"Total\W+5\.0", self._cli("get-account")))

    def transfer_fund(self) -> None:
        self._cli("transfer-fund", *self._at_provider(), "--amount", "2", "--service", "inference")
        account = self._chain().sub_account(self.wallet.address, self.provider)
        _expect(exact(account.balance) == "2" and account.acknowledged)

    def get_sub_account(self) -> None:
        output = self._cli("get-sub-account", *self._at_provider(), "--service", "inference")
        _expect(re.search(r"Balance \(0G\)\W+2\.0", output))

    def get_secret(self) -> None:
        duration = str(KEY_SECONDS * 1000)
        output = self._cli(
            *("inference", "get-secret", *self._at_provider()),
            *("--token-id", "7", "--duration", duration),
        )
        found = re.search(r"app-sk-[A-Za-z0-9+/=]+", output)
        _expect(found)
        self.official_key = found.group() if found else ""
        _expect(SessionToken.parse(self.official_key).token_id == 7)

    def chat_with_curl(self) -> None:
        answer = json.loads(self._curl(self.official_key))
        _expect(answer["choices"][0]["message"]["content"])

    def our_client_takes_its_key(self) -> None:
        _expect(self._provider().chat(self.official_key, self._body()).text)

    def sdk_chats_and_verifies(self) -> None:
        signer = LocalSigner(self.wallet.private_key)
        key = SessionRequest.new(self.wallet.address, self.provider, generation=0, token_id=8)
        ours = key.signed_by(signer).api_key
        connection = (self.devnet.rpc_url, self.wallet.private_key, self.provider)
        done = subprocess.run(["node", str(CLIENT), *connection, ours], **self._process())
        result = json.loads(done.stdout)
        _expect(result["own"]["isValid"] is True, result)
        _expect(result["foreign"]["isValid"] is True, result)

    def revoked_key_is_refused(self) -> None:
        self._cli("inference", "revoke-token", *self._at_provider(), "--token-id", "7")
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            try:
                self._provider().chat(self.official_key, self._body())
            except errors.SessionRevoked:
                return
            time.sleep(1)
        raise AssertionError("the revoked key still works after 15 s")

    def verify(self) -> None:
        reports = self.folder / "reports"
        reports.mkdir()
        output = self._cli(
            "inference", "verify", *self._at_provider(), "--output-dir", str(reports)
        )
        _expect(re.search(r"Docker Compose Verification: . PASSED", output), output)
        _expect(re.search(r"TEE Signer Address Verification: . PASSED", output), output)

    def retrieve_fund(self) -> None:
        self._cli("retrieve-fund", *self._at_provider(), "--service", "inference")
        account = self._chain().sub_account(self.wallet.address, self.provider)
        _expect(account.pending_refund > 0 and account.free == 0)

    def _attempt(self, step: Callable[[], None]) -> None:
        name = step.__name__.replace("_", " ")
        try:
            step()
        except (AssertionError, subprocess.CalledProcessError, errors.Error, ValueError) as error:
            self.failures.append(name)
            detail = getattr(error, "stdout", "") or str(error)
            print(f"FAILED  {name}\n{detail}\n{getattr(error, 'stderr', '')}")
        else:
            print(f"passed  {name}", flush=True)

    def _at_provider(self) -> tuple[str, str]:
        return ("--provider", self.provider)

    def _cli(self, *arguments: str) -> str:
        binary = str(self.folder / "node_modules" / ".bin" / "0g-compute-cli")
        done = subprocess.run([binary, *arguments], **self._process())
        return _ANSI.sub("", str(done.stdout))

    def _process(self) -> dict[str, Any]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder / "home"),
            "ZG_RPC_ENDPOINT": self.devnet.rpc_url,
        }
        return {
            "cwd": self.folder,
            "env": environment,
            "capture_output": True,
            "text": True,
            "check": True,
            "timeout": 120,
            "stdin": subprocess.DEVNULL,
        }

    def _curl(self, key: str) -> str:
        url = f"{self._chain().service(self.provider).proxy_url}/chat/completions"
        headers = ("-H", "Content-Type: application/json", "-H", f"Authorization: Bearer {key}")
        body = self._body().decode()
        command = ["curl", "--silent", "--fail-with-body", url, *headers, "-d", body]
        done = subprocess.run(command, **self._process())
        return str(done.stdout)

    def _body(self) -> bytes:
        model = self._chain().service(self.provider).model
        return chat_body(model, [{"role": "user", "content": "hello"}], stream=False)

    def _provider(self) -> Provider:
        return Provider(self._chain().service(self.provider), local=True)

    def _chain(self) -> RpcChain:
        return RpcChain(self.network)


def _expect(condition: object, found: object = "") -> None:
    if not condition:
        raise AssertionError(found or "not as expected")


if __name__ == "__main__":
    sys.exit(main())
