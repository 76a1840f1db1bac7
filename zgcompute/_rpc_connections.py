"""Kept HTTP connections to RPC nodes, of the standard library alone.

httpx takes 0.1 s to load, and a command that only reads the chain would wait for it. Every socket
operation ends at the deadline of the call that it belongs to (`_connections.deadline_at`).
"""

from __future__ import annotations

import io
import select
import socket
import time
from base64 import b64encode
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse, IncompleteRead, RemoteDisconnected
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from zgcompute._connections import call_deadline, resolving_threads, trusted_tls
from zgcompute._destinations import system_resolver
from zgcompute._limits import HttpReply, Limits, all_headers, lowered

_KEPT_FOR = 15.0  # seconds that an unused connection is kept
_KEPT = 20  # connections per node
_LOST = (RemoteDisconnected, BrokenPipeError, ConnectionResetError, ConnectionAbortedError)
_PIECE = 65_536  # bytes read at once


@dataclass(frozen=True, slots=True)
class Node:
    """Where a URL leads: an origin, what to ask it for, and as whom."""

    is_encrypted: bool
    host: str
    port: int
    target: str
    credentials: str

    @classmethod
    def of(cls, url: str) -> Node:
        """Read an http or https URL; raises ValueError for any other."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("not an http URL")
        is_encrypted = parts.scheme == "https"
        return cls(
            is_encrypted=is_encrypted,
            host=parts.hostname,
            port=parts.port or (443 if is_encrypted else 80),
            target=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
            credentials=parts.netloc.rpartition("@")[0],
        )

    def headers(self) -> dict[str, str]:
        """The headers of a JSON request."""
        headers = all_headers({"content-type": "application/json"})
        if self.credentials:
            headers["authorization"] = f"Basic {_base64(self.credentials)}"
        return headers


class Connections:
    """The connections of one process; threads may share them, children of a fork may not."""

    def __init__(self) -> None:
        self._idle: dict[tuple[bool, str, int], list[_Connection]] = {}
        self._threads = resolving_threads()

    def post(self, url: str, limits: Limits, content: bytes) -> HttpReply | None:
        """POST `content`; None for a reply of more than `limits.max_bytes`.

        Sent a second time where a kept connection turns out to be closed: a node knows a signed
        transaction by its hash, and else only a devnet's node is asked to change something.
        Raises OSError, http.client.HTTPException, ValueError. Must run under `deadline_at`.
        """
        node = Node.of(url)
        idle = self._idle.setdefault((node.is_encrypted, node.host, node.port), [])
        connection = _kept(idle)
        if connection is not None:
            try:
                return _exchanged(connection, node, limits, content, idle)
            except _LOST:
                pass  # closed just now, without a word of a reply: asked again below
        connection = self._connected(node, limits.connect)
        return _exchanged(connection, node, limits, content, idle)

    def close(self) -> None:
        """Close what is kept."""
        for idle in self._idle.values():
            while idle:
                idle.pop().close()
        self._threads.shutdown(wait=False)
        self._threads = resolving_threads()

    def _connected(self, node: Node, longest: float) -> _Connection:
        plain = _opened(self._addresses(node), node.port, longest)
        if not node.is_encrypted:
            return _Connection(node, plain)
        plain.settimeout(_left())
        try:
            return _Connection(node, trusted_tls().wrap_socket(plain, server_hostname=node.host))
        except BaseException:
            plain.close()
            raise

    def _addresses(self, node: Node) -> list[str]:
        answers = self._threads.submit(system_resolver, node.host, node.port)
        return list(answers.result(_left()))


class _Connection(HTTPConnection):
    """A connection over an open socket; it does not open another by itself."""

    auto_open = 0

    def __init__(self, node: Node, opened: socket.socket) -> None:
        super().__init__(node.host, node.port)
        self.sock: Any = _TimedSocket(opened)
        self.idle_since = 0.0
        self._opened = opened

    @property
    def is_lost(self) -> bool:
        """Whether the node has closed it, or sent what nobody asked for."""
        if time.monotonic() - self.idle_since > _KEPT_FOR:
            return True
        waiting = select.poll()
        waiting.register(self._opened, select.POLLIN)
        return bool(waiting.poll(0))


class _TimedSocket:
    """What HTTPConnection uses of a socket."""

    def __init__(self, opened: socket.socket) -> None:
        self._opened = opened
        self.close = opened.close

    def sendall(self, content: bytes) -> None:
        self._opened.settimeout(_left())
        self._opened.sendall(content)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedReading(self._opened))


class _TimedReading(io.RawIOBase):
    def __init__(self, opened: socket.socket) -> None:
        self._opened = opened

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._opened.settimeout(_left())
        return self._opened.recv_into(buffer)


def _exchanged(
    connection: _Connection, node: Node, limits: Limits, content: bytes, idle: list[_Connection]
) -> HttpReply | None:
    """Send and receive; the connection is put to the `idle` ones if it can be used again."""
    try:
        connection.request("POST", node.target, content, node.headers())
        reply, is_reusable = _read(connection.getresponse(), limits.max_bytes)
    except BaseException:
        connection.close()
        raise
    if is_reusable and len(idle) < _KEPT:
        connection.idle_since = time.monotonic()
        idle.append(connection)
    else:
        connection.close()
    return reply


def _kept(idle: list[_Connection]) -> _Connection | None:
    while idle:
        try:
            connection = idle.pop()
        except IndexError:  # another thread was faster
            return None
        if not connection.is_lost:
            return connection
        connection.close()
    return None


def _opened(addresses: list[str], port: int, longest: float) -> socket.socket:
    for address in addresses[:-1]:
        try:
            return _connect(address, port, longest)
        except OSError:
            continue
    return _connect(addresses[-1], port, longest)


def _connect(address: str, port: int, longest: float) -> socket.socket:
    opened = socket.create_connection((address, port), min(longest, _left()))
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return opened


def _read(response: HTTPResponse, most: int) -> tuple[HttpReply | None, bool]:
    """The reply, and whether its connection may be used again."""
    body = bytearray()
    while piece := response.read1(_PIECE):
        body += piece
        if len(body) > most:
            return None, False
    if response.length:  # of the announced bytes; None where there was no announcement
        raise IncompleteRead(bytes(body))
    response.close()  # its part of the connection, which can then be used again
    headers = lowered(dict(response.getheaders()))
    return HttpReply(response.status, headers, bytes(body)), not response.will_close


def _left() -> float:
    left = call_deadline() - time.monotonic()
    if left <= 0:
        raise TimeoutError("deadline")
    return left


def _base64(credentials: str) -> str:
    return b64encode(unquote_to_bytes(credentials)).decode()
