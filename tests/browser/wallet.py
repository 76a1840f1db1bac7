"""A browser wallet that signs with a test key: announced like any EIP-6963 wallet."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from eth_account import Account
from eth_account.messages import encode_defunct
from playwright.sync_api import Page

PROMPTS = ("eth_requestAccounts", "personal_sign", "eth_sendTransaction", "wallet_sendCalls")
REJECTED, UNKNOWN_CHAIN = 4001, 4902
FUNDS = 100 * 10**18

# What a smart account runs (EIP-7702): for each call in the data (20 bytes target, 32 bytes value,
# 32 bytes length, calldata) one CALL; the first that fails reverts them all.
EXECUTOR = "0x00000000000000000000000000000000000ba7c4"
EXECUTOR_CODE = (
    "0x5f5b80361460365780603401358082605401"
    "5f375f5f825f8560140135863560601c5af1"
    "602e573d5f5f3e3d5ffd5b016054016001565b00"
)

_INJECTED = """
(() => {
  const listeners = {};
  const provider = {
    isTestWallet: true,
    async request({ method, params }) {
      const answer = await window.testWalletRequest(method, params || []);
      if (answer.event) for (const f of listeners[answer.event[0]] || []) f(answer.event[1]);
      if (answer.error) throw Object.assign(new Error(answer.error.message), answer.error);
      return answer.result;
    },
    on(name, f) { (listeners[name] ||= []).push(f); return this; },
    removeListener(name, f) { listeners[name] = (listeners[name] || []).filter((g) => g !== f); },
  };
  window.testWalletEmit = (name, value) => { for (const f of listeners[name] || []) f(value); };
  const info = Object.freeze({
    uuid: "350670db-19fa-4704-a166-e52e178b59d2", name: "Test Wallet",
    rdns: "test.wallet", icon: "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'/>",
  });
  const announce = () => window.dispatchEvent(
    new CustomEvent("eip6963:announceProvider", { detail: Object.freeze({ info, provider }) }));
  window.addEventListener("eip6963:requestProvider", announce);
  announce();
})();
"""


@dataclass
class TestWallet:
    """One key in one page. `prompts` lists what a person would have been asked, in order."""

    __test__ = False

    rpc_url: str
    private_key: str
    chain_id: int = 31337
    known_chains: set[int] = field(default_factory=lambda: {1, 31337})
    rejects: set[str] = field(default_factory=set)
    batches: bool = False  # whether it carries out several calls as one (EIP-5792)
    gas: int = 0  # where set, nothing is estimated: the call may revert once it is mined
    nonce_gap: int = 0  # how many numbers the next transaction leaves out: it waits for them
    prompts: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    @classmethod
    def with_funds(cls, rpc_url: str) -> TestWallet:
        """A wallet nobody has used before, with 100 0G from nowhere."""
        wallet = cls(rpc_url, "0x" + bytes(Account.create().key).hex())
        wallet.rpc("anvil_setBalance", [wallet.address, hex(FUNDS)])
        return wallet

    @property
    def address(self) -> str:
        return str(Account.from_key(self.private_key).address)

    def inject(self, page: Page) -> None:
        page.expose_function("testWalletRequest", self._answer)
        page.add_init_script(_INJECTED)

    def switch_account(self, page: Page, private_key: str) -> None:
        """What happens when the person picks another account in the wallet."""
        self.private_key = private_key
        page.evaluate(
            "address => window.testWalletEmit('accountsChanged', [address])", self.address
        )

    def _answer(self, method: str, params: list[Any]) -> dict[str, Any]:
        if method in PROMPTS:
            self.prompts.append(method)
        if method in self.rejects:
            return {"error": {"code": REJECTED, "message": "User rejected the request."}}
        handler = getattr(self, f"_{method}", None)
        return handler(*params) if handler else self._forward(method, params)

    def _eth_requestAccounts(self) -> dict[str, Any]:
        return {"result": [self.address]}

    def _eth_accounts(self) -> dict[str, Any]:
        return {"result": [self.address] if "eth_requestAccounts" in self.prompts else []}

    def _eth_chainId(self) -> dict[str, Any]:
        return {"result": hex(self.chain_id)}

    def _wallet_switchEthereumChain(self, wanted: dict[str, str]) -> dict[str, Any]:
        chain_id = int(wanted["chainId"], 16)
        if chain_id not in self.known_chains:
            return {"error": {"code": UNKNOWN_CHAIN, "message": "Unrecognized chain ID."}}
        self.chain_id = chain_id
        return {"result": None, "event": ["chainChanged", hex(chain_id)]}

    def _wallet_addEthereumChain(self, chain: dict[str, Any]) -> dict[str, Any]:
        self.known_chains.add(int(chain["chainId"], 16))
        return self._wallet_switchEthereumChain(chain)

    def _personal_sign(self, message: str, address: str) -> dict[str, Any]:
        assert address.lower() == self.address.lower(), "asked to sign as somebody else"
        self.messages.append(message)
        signable = encode_defunct(hexstr=message)
        return {"result": "0x" + Account.sign_message(signable, self.private_key).signature.hex()}

    def _eth_sendTransaction(self, call: dict[str, str]) -> dict[str, Any]:
        assert self.chain_id == 31337, "asked to send on the wrong network"
        return {"result": self.send(call, nonce=self.next_nonce() + self.nonce_gap)}

    def _wallet_getCapabilities(self, address: str, chains: list[str]) -> dict[str, Any]:
        status = {"atomic": {"status": "supported"}} if self.batches else {}
        return {"result": dict.fromkeys(chains, status)}

    def _wallet_sendCalls(self, batch: dict[str, Any]) -> dict[str, Any]:
        assert batch["atomicRequired"], "the calls belong together"
        assert batch["from"] == self.address
        self.rpc("anvil_setCode", [EXECUTOR, EXECUTOR_CODE])
        self.rpc("anvil_setCode", [self.address, f"0xef0100{EXECUTOR[2:]}"])
        data = "0x" + "".join(_packed(call) for call in batch["calls"])
        sent = self.send({"to": self.address, "data": data})
        return {"result": {"id": f"{sent}-batch"}}

    def _wallet_getCallsStatus(self, name: str) -> dict[str, Any]:
        receipt = self.rpc("eth_getTransactionReceipt", [name.removesuffix("-batch")])
        if receipt is None:
            return {"result": {"id": name, "status": 100}}
        status = 200 if receipt["status"] == "0x1" else 500
        return {"result": {"id": name, "status": status, "receipts": [receipt]}}

    def next_nonce(self) -> int:
        return int(self.rpc("eth_getTransactionCount", [self.address, "latest"]), 16)

    def send(self, call: dict[str, str], *, nonce: int | None = None, price_factor: int = 1) -> str:
        """Sign and send, by default with the next number; a higher price replaces one waiting."""
        transaction = {
            "to": call["to"],
            "data": call.get("data", "0x"),
            "value": int(call.get("value", "0x0"), 16),
            "chainId": self.chain_id,
            "nonce": self.next_nonce() if nonce is None else nonce,
            "gas": self.gas or self._estimate(call),
            "gasPrice": int(self.rpc("eth_gasPrice", []), 16) * price_factor,
        }
        raw = Account.sign_transaction(transaction, self.private_key).raw_transaction.hex()
        return str(self.rpc("eth_sendRawTransaction", ["0x" + raw.removeprefix("0x")]))

    def _estimate(self, call: dict[str, str]) -> int:
        return int(self.rpc("eth_estimateGas", [call | {"from": self.address}]), 16) * 3 // 2

    def _forward(self, method: str, params: list[Any]) -> dict[str, Any]:
        return {"result": self.rpc(method, params)}

    def rpc(self, method: str, params: list[Any]) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        request = urllib.request.Request(
            self.rpc_url, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=20) as reply:
            answer = json.load(reply)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]


def _packed(call: dict[str, str]) -> str:
    data = call["data"].removeprefix("0x")
    target, value = call["to"].removeprefix("0x"), int(call.get("value", "0x0"), 16)
    return f"{target}{value:064x}{len(data) // 2:064x}{data}"
