"""JSON over HTTP to the RPC nodes that an operator chose: no address policy, but limits."""

from __future__ import annotations

import atexit
import json

from zgcompute import _reading as read
from zgcompute._connections import PerProcess, trusted_tls
from zgcompute._destinations import AddressPolicy
from zgcompute._http import exchange, sync_client
from zgcompute._limits import MEGABYTE, HttpReply, Limits, host_of
from zgcompute.errors import ProviderError, RpcUnreachable


def post_json(
    url: str, payload: object, *, timeout: float = 10.0, max_bytes: int = 32 * MEGABYTE
) -> object:
    """POST `payload` as JSON to an RPC URL that the operator chose, and return the JSON reply.

    `timeout` is seconds for the whole call. Connections are kept per process; threads and forks
    are fine. Raises RpcUnreachable when there is no usable reply: no connection, too slow, status
    429 or 5xx, not JSON, or more than `max_bytes`. The URL is never part of a message: it may
    hold a key.
    """
    limits = Limits(connect=min(5.0, timeout), idle=timeout, total=timeout, max_bytes=max_bytes)
    content = json.dumps(payload, separators=(",", ":")).encode()
    headers = {"content-type": "application/json"}
    try:
        reply = exchange(_rpc_clients.get(), "POST", url, limits, headers, content)
    except ProviderError as error:
        raise RpcUnreachable(str(error)) from error
    return _rpc_answer(reply, host_of(url))


def _rpc_answer(reply: HttpReply, host: str) -> object:
    if (
        reply.status == 429
        or reply.status >= 500
        or reply.status < 200
        or 300 <= reply.status < 400
    ):
        raise RpcUnreachable(f"The RPC node {host} answered with HTTP status {reply.status}.")
    try:
        answer: object = read.loads(reply.body)
    except ValueError as error:
        raise RpcUnreachable(f"The RPC node {host} did not answer with JSON.") from error
    return answer


_rpc_clients = PerProcess(lambda: sync_client(AddressPolicy(allow_private=True), trusted_tls()))
atexit.register(_rpc_clients.close)
