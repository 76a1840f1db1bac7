"""A real HTTP proxy in front of a node: counts what passes, and fails as often as a test asks."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

Trouble = Callable[[int, Any], tuple[int, bytes] | None]


class RpcProxy:
    """Passes POSTs on to `url`; `trouble(number, payload)` may answer one itself."""

    def __init__(self, url: str, trouble: Trouble = lambda number, payload: None) -> None:
        self.posts = 0
        self.trouble = trouble
        self._node = urlsplit(url)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> RpcProxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, body: bytes) -> tuple[int, bytes]:
        self.posts += 1
        return self.trouble(self.posts, json.loads(body)) or self._passed_on(body)

    def _passed_on(self, body: bytes) -> tuple[int, bytes]:
        node = http.client.HTTPConnection(self._node.hostname or "", self._node.port, timeout=60)
        try:
            node.request("POST", "/", body, {"content-type": "application/json"})
            reply = node.getresponse()
            return reply.status, reply.read()
        finally:
            node.close()


REFUSALS = (
    (-32005, "query returned more than 10000 results"),
    (-32600, "eth_getLogs is limited to a 500 block range"),
    (-32602, "exceed maximum block range: 500"),
    (-32005, "limit exceeded"),
    (-32000, "query timeout exceeded"),
)


class EveryFifthFails:
    """Every fifth POST is answered with an error; ranges of more than `width` blocks never pass."""

    def __init__(self, width: int = 500) -> None:
        self.width = width
        self.failures = 0
        self.refusals = 0

    def __call__(self, number: int, payload: Any) -> tuple[int, bytes] | None:
        if number % 5 == 0:
            self.failures += 1
            return self._failure(payload)
        items = payload if isinstance(payload, list) else [payload]
        if any(self._is_too_wide(item) for item in items):
            self.refusals += 1
            return 200, json.dumps([self._refused(item) for item in items]).encode()
        return None

    def _failure(self, payload: Any) -> tuple[int, bytes]:
        if self.failures % 2:
            return 503, b"no upstream"
        error = {"code": -32603, "message": "internal error"}
        items = payload if isinstance(payload, list) else [payload]
        return 200, json.dumps(
            [{"jsonrpc": "2.0", "id": item["id"], "error": error} for item in items]
        ).encode()

    def _is_too_wide(self, item: Any) -> bool:
        if item["method"] != "eth_getLogs":
            return False
        scope = item["params"][0]
        return int(scope["toBlock"], 16) - int(scope["fromBlock"], 16) >= self.width

    def _refused(self, item: Any) -> dict[str, Any]:
        if item["method"] != "eth_getLogs":
            return {"jsonrpc": "2.0", "id": item["id"], "result": hex(2**40)}
        code, message = REFUSALS[self.refusals % len(REFUSALS)]
        return {"jsonrpc": "2.0", "id": item["id"], "error": {"code": code, "message": message}}


def _handler(proxy: RpcProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_POST(self) -> None:
            status, body = proxy.answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    return Handler
