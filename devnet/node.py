"""JSON-RPC to the devnet's own node, whose accounts are unlocked: it signs for everybody."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

_TIMEOUT = 30.0  # seconds for one answer
_MINED_WITHIN = 20.0  # seconds; the node mines at once
_GAS = 15_000_000  # half a block; an estimate misses what a call does once time has passed
_REVERTED = 3  # the code that nodes give to a reverted call


class NodeUnreachable(Exception):
    """Nothing that speaks JSON-RPC answers at the URL."""


class NodeRefused(Exception):
    """The node answered with an error; `data` is the revert data, where there is any."""

    def __init__(self, code: int, message: str, data: str) -> None:
        super().__init__(message)
        self.code = code
        self.data = data


@dataclass(frozen=True, slots=True)
class Node:
    """The node at `url`."""

    url: str

    def call(self, method: str, *params: Any) -> Any:
        """Return the result of a JSON-RPC call; raises NodeUnreachable, NodeRefused."""
        answer = self._post({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        if "error" in answer:
            error = answer["error"]
            raise NodeRefused(error["code"], error["message"], error.get("data") or "0x")
        return answer["result"]

    def read(self, to: str, calldata: str, sender: str | None = None) -> bytes:
        """Return what the contract at `to` answers now; raises NodeRefused when it reverts."""
        request = {"to": to, "data": calldata} | ({"from": sender} if sender else {})
        return bytes.fromhex(self.call("eth_call", request, "latest")[2:])

    def send(self, sender: str, to: str | None, calldata: str = "0x", value: int = 0) -> Any:
        """Send a transaction of an unlocked account and return its receipt, once mined.

        `to` None creates a contract; `value` is neuron. Raises NodeRefused when it reverts.
        """
        request = {"from": sender, "data": calldata, "value": hex(value), "gas": hex(_GAS)}
        if to is not None:
            request["to"] = to
        transaction = self.call("eth_sendTransaction", request)
        receipt = self._receipt(transaction)
        if receipt["status"] != "0x1":
            raise NodeRefused(
                _REVERTED, f"Transaction {transaction} was reverted.", self._why(transaction)
            )
        return receipt

    def transaction_count(self, address: str) -> int:
        """The number of transactions that `address` has sent."""
        return int(self.call("eth_getTransactionCount", address, "latest"), 16)

    def has_code(self, address: str) -> bool:
        """Tell whether there is a contract at `address`."""
        return bool(self.call("eth_getCode", address, "latest") != "0x")

    def _why(self, transaction: str) -> str:
        """The revert data of a mined transaction."""
        trace = self.call("debug_traceTransaction", transaction, {"tracer": "callTracer"})
        return str(trace.get("output", "0x"))

    def _receipt(self, transaction: str) -> Any:
        deadline = time.monotonic() + _MINED_WITHIN
        while (receipt := self.call("eth_getTransactionReceipt", transaction)) is None:
            if time.monotonic() > deadline:
                raise NodeUnreachable(f"{self.url} did not mine {transaction}.")
            time.sleep(0.01)
        return receipt

    def _post(self, payload: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310 - our own node
            self.url, json.dumps(payload).encode(), {"content-type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT) as reply:  # noqa: S310
                answer: dict[str, Any] = json.load(reply)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NodeUnreachable(f"{self.url} does not answer: {error}") from error
        return answer
