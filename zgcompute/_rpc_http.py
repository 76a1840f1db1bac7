"""JSON over HTTP to the RPC nodes that an operator chose: no address policy, but limits."""

from __future__ import annotations

import atexit
import json
import ssl
import time
from http.client import HTTPException

from zgcompute import _reading as read
from zgcompute._connections import PerProcess, deadline_at
from zgcompute._limits import MEGABYTE, HttpReply, Limits, host_of
from zgcompute._rpc_connections import Connections
from zgcompute.errors import RpcUnreachable


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
    host = host_of(url)
    try:
        with deadline_at(time.monotonic() + timeout):
            reply = _rpc_clients.get().post(url, limits, content)
    except ssl.SSLCertVerificationError as error:
        raise RpcUnreachable(f"The certificate of {host} is not valid.") from error
    except TimeoutError as error:
        raise RpcUnreachable(f"{host} did not answer in time.") from error
    except (OSError, HTTPException, ValueError) as error:
        raise RpcUnreachable(f"{host} cannot be reached, or it broke the connection.") from error
    if reply is None:
        raise RpcUnreachable(f"{host} sent more than {max_bytes} bytes.")
    return _rpc_answer(reply, host)


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


_rpc_clients = PerProcess(Connections)
atexit.register(_rpc_clients.close)
