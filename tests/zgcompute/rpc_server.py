"""JSON-RPC nodes, in memory or on the loopback, that behave as badly as a test asks."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from zgcompute.networks import Network
from zgcompute.types import Address

CHAIN_ID = 31337
LEDGER = Address("0x9fE46736679d2D9a65F0992F2272dE9f3c7fa6e0")
INFERENCE = Address("0x0165878A594ca255338adfa4d48449f69242Eb8F")

Answer = dict[str, Any]


class ScriptedNode:
    """Answers `methods` from memory and remembers the posts; `post` is a `_rpc.Post`."""

    def __init__(self, chain_id: int = CHAIN_ID) -> None:
        self.methods: dict[str, Callable[..., Any]] = {"eth_chainId": lambda: hex(chain_id)}
        self.posts: list[Any] = []

    def post(self, url: str, payload: object, *, timeout: float, max_bytes: int) -> object:
        self.posts.append(payload)
        return self.answer(payload)

    def answer(self, payload: Any) -> Any:
        if isinstance(payload, list):
            return [self.answer(item) for item in payload]
        return {"jsonrpc": "2.0", "id": payload["id"], **self._outcome(payload)}

    def _outcome(self, payload: Answer) -> Answer:
        method = self.methods.get(payload["method"])
        if method is None:
            return {"error": {"code": -32601, "message": "the method does not exist"}}
        found = method(*payload["params"])
        return found if isinstance(found, dict) and set(found) == {"error"} else {"result": found}

    @property
    def methods_asked(self) -> list[Any]:
        """What was asked, POST by POST, without the check of the chain id."""
        asked = [
            [one["method"] for one in post] if isinstance(post, list) else post["method"]
            for post in self.posts
        ]
        return [one for one in asked if one != "eth_chainId"]


class RpcServer(ScriptedNode):
    """Is a node over HTTP; `behave` may replace the whole reply with (status, body)."""

    def __init__(self, chain_id: int = CHAIN_ID) -> None:
        super().__init__(chain_id)
        self.behave: Callable[[Any], tuple[int, bytes] | None] = lambda payload: None
        self.delay = 0.0
        self.keeps_connections = False
        self.hangs_up = False  # after an answer, without having announced it
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> RpcServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def network(*urls: str, inference: Address | None = INFERENCE) -> Network:
    return Network("devnet", "Devnet", CHAIN_ID, urls, LEDGER, inference, local=True)


def revert(data: str, message: str = "execution reverted") -> Answer:
    return {"error": {"code": 3, "message": message, "data": data}}


def _handler(server: RpcServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_POST(self) -> None:
            payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.posts.append(payload)
            time.sleep(server.delay)
            status, body = server.behave(payload) or (
                200,
                json.dumps(server.answer(payload)).encode(),
            )
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            if not server.keeps_connections:
                self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = self.close_connection or server.hangs_up

        def log_message(self, *_: object) -> None: ...

    return Handler
