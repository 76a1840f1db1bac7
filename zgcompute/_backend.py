"""Blocking connections for httpcore; imports it, so it is itself imported lazily."""

from __future__ import annotations

import ssl
import time
from typing import Any

import httpcore

from zgcompute._connections import call_deadline, resolving_threads
from zgcompute._destinations import AddressPolicy


class TimedStream(httpcore.NetworkStream):
    """A stream whose every operation also ends at the deadline of the whole call."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream
        self.close = stream.close  # type: ignore[method-assign]
        self.get_extra_info = stream.get_extra_info  # type: ignore[method-assign]

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _remaining(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _remaining(timeout))

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        return TimedStream(
            self._stream.start_tls(ssl_context, server_hostname, _remaining(timeout))
        )


class CheckedBackend(httpcore.SyncBackend):
    """Connects only to addresses that `policy` has checked; TLS still names the host."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy
        self._threads = resolving_threads()

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, *args: Any, **options: Any
    ) -> httpcore.NetworkStream:
        addresses = self._resolve(host, port, timeout)
        for address in addresses[:-1]:
            try:
                return self._connect(address, port, timeout)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return self._connect(addresses[-1], port, timeout)

    def _resolve(self, host: str, port: int, timeout: float | None) -> tuple[str, ...]:
        answers = self._threads.submit(self._policy.addresses, host, port)
        try:
            return answers.result(_remaining(timeout))
        except TimeoutError as error:
            raise httpcore.ConnectTimeout("resolving") from error

    def _connect(self, address: str, port: int, timeout: float | None) -> TimedStream:
        return TimedStream(super().connect_tcp(address, port, _remaining(timeout)))


def _remaining(timeout: float | None) -> float:
    """Seconds that one socket operation may take; raises httpcore.ReadTimeout at the deadline."""
    left = call_deadline() - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("deadline")
    return left if timeout is None else min(timeout, left)
