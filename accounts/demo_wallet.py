"""The demo wallet of local networks: an account whose key the development node itself holds.

The page's provider posts JSON-RPC here; only what a wallet answers is passed on, only for the demo
account, and only towards the two contracts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from marketplace.models import NetworkState
from zgcompute._rpc_http import post_json
from zgcompute.addresses import same
from zgcompute.networks import BUILT_IN, Network

ADDRESS = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"  # account 1 of the node's known mnemonic
_PUBLIC_CHAINS = {known.chain_id for known in BUILT_IN.values() if not known.local}
_TIMEOUT = 10.0
_MAX_BYTES = 1 << 20
_MAX_MESSAGE = 10_000


class Refused(Exception):
    """The demo wallet does not do that; `code` is EIP-1193's."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def is_offered(network: Network) -> bool:
    """Whether `network` has a demo wallet: a local one, whatever a settings file calls so."""
    return network.local and network.chain_id not in _PUBLIC_CHAINS


def answer(network: Network, method: str, params: Sequence[Any]) -> Any:
    """Return the wallet's answer; raises Refused, and RpcUnreachable where the node is down."""
    if method in ("eth_accounts", "eth_requestAccounts"):
        return [ADDRESS]
    if method == "eth_chainId":
        return hex(network.chain_id)
    if method == "personal_sign":
        return _relay(network, method, _message(params))
    if method == "eth_sendTransaction":
        return _relay(network, method, [_call(network, params)])
    raise Refused(4200, f"The demo wallet does not know {method[:60]!r}.")


def _message(params: Sequence[Any]) -> list[str]:
    if len(params) < 2 or not all(isinstance(part, str) for part in params[:2]):
        raise Refused(-32602, "personal_sign takes a message and an address.")
    if not same(params[1], ADDRESS) or len(params[0]) > _MAX_MESSAGE:
        raise Refused(4100, "The demo wallet signs for its own account only.")
    return [params[0], ADDRESS]


def _call(network: Network, params: Sequence[Any]) -> Mapping[str, str]:
    call = params[0] if params and isinstance(params[0], Mapping) else {}
    state = NetworkState.of(network.slug)
    if not same(str(call.get("from")), ADDRESS):
        raise Refused(4100, "The demo wallet sends from its own account only.")
    if str(call.get("to")).lower() not in {state.ledger.lower(), state.inference.lower()} - {""}:
        raise Refused(4100, "The demo wallet pays the devnet's two contracts only.")
    return {
        "from": ADDRESS,
        "to": str(call["to"]),
        "data": str(call.get("data", "0x")),
        "value": str(call.get("value", "0x0")),
    }


def _relay(network: Network, method: str, params: Sequence[Any]) -> Any:
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    reply = post_json(network.rpc_urls[0], request, timeout=_TIMEOUT, max_bytes=_MAX_BYTES)
    if not isinstance(reply, Mapping):
        raise Refused(-32603, "The node gave no answer.")
    if error := reply.get("error"):
        detail = error.get("message") if isinstance(error, Mapping) else error
        raise Refused(-32603, str(detail)[:300])
    return reply.get("result")
