"""Running the server in this process, until it is told to stop."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from zgcompute.errors import ConfigurationError

_BACKLOG = 2048  # connections that may wait to be taken up
CLOSE_WITHIN = 5  # seconds for answers on their way when the server is told to stop


class _Server(uvicorn.Server):
    """A server whose signals end it as usual, but do not end the command with their own status."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {name: signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)}
        for name in before:
            signal.signal(name, self.handle_exit)
        try:
            yield
        finally:
            for name, handler in before.items():
                signal.signal(name, handler)


def listen(host: str, port: int) -> socket.socket:
    """Hold `port` on `host` without answering yet; raises ConfigurationError if it is taken."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)  # from now on nobody is refused, only kept waiting
    except OSError as error:
        raise ConfigurationError(
            f"The server cannot listen on {host}, port {port}: {error.strerror}.",
            advice="Choose another with --port, or stop what holds it.",
        ) from error
    return listener


def serve(app: ASGIApp, listener: socket.socket) -> None:
    """Serve `app` until SIGINT or SIGTERM; answers on their way get a few seconds more."""
    configuration = uvicorn.Config(
        app,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        backlog=_BACKLOG,
        timeout_graceful_shutdown=CLOSE_WITHIN,
    )
    _Server(configuration).run([listener])
