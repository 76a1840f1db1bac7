"""JSON-RPC over several URLs: batches, failover, and the check that a node is on our chain.

A node's refusal of one call is a value (`Refusal`), because for contract calls it is often the
answer; only "nobody answers" is raised. No locks: every shared value is written in one step, so
threads and forked workers (Celery) may use one Rpc.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from zgcompute import _reading as read
from zgcompute.errors import RpcRefused, RpcUnreachable, WrongNetwork
from zgcompute.networks import Network

TIMEOUT = 10.0  # seconds for one POST
MAX_REPLY = 64 * 1024 * 1024  # bytes; 500 calls with 50 sub-accounts each stay below 32 MB
MAX_MESSAGE = 4096  # characters of a node's words that are searched for their meaning
MAX_BATCH = 500  # calls per POST; go-ethereum's own default limit is 1000
FAILING_FOR = 30.0  # seconds that a failing URL is tried last
_ROUNDS = 2
_PAUSE = 0.2  # seconds before the second round; most hiccups and lags are shorter

# Refusals that speak of the node and not of the call: the next URL may well answer.
_NODE_TROUBLE = re.compile(
    r"rate.?limit|too many requests|limit exceeded|quota|capacity"
    r"|header not found|unknown block|block not found|block (height|number)? ?is |BlockOutOfRange"
    r"|syncing|timed? ?out|unavailable|overloaded",
    re.IGNORECASE,
)
# For logs most refusals speak of the range, which is then split; these speak of the pace.
_PACE = re.compile(
    r"rate.?limit|too many requests|requests per|request count|quota|compute units|throttl"
    r"|unavailable|overloaded|syncing",
    re.IGNORECASE,
)
REVERTED = 3  # go-ethereum and anvil: execution reverted, with the revert data in `data`
_LIMIT_EXCEEDED = -32005  # EIP-1474
# go-ethereum answers a batch that is too long, or whose reply is, with these in one of the items.
_BATCH_REFUSED = re.compile(r"batch|response too large", re.IGNORECASE)


class Post(Protocol):
    """How a payload reaches a URL; raises RpcUnreachable."""

    def __call__(self, url: str, payload: object, *, timeout: float, max_bytes: int) -> object: ...


@dataclass(frozen=True, slots=True)
class Request:
    """One JSON-RPC call."""

    method: str
    params: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A JSON-RPC error object: code, message and whatever the node put into `data`."""

    code: int
    message: str
    data: object = None

    @property
    def is_revert(self) -> bool:
        """Tell whether a contract refused the call, and not the node."""
        told = f"{self.message} {self.data if isinstance(self.data, str) else ''}"
        return self.code == REVERTED or "revert" in told.lower()


class Rpc:
    """The nodes of one network, as if they were one reliable node."""

    def __init__(
        self,
        network: Network,
        *,
        timeout: float = TIMEOUT,
        max_batch: int = MAX_BATCH,
        post: Post | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.network = network
        self.timeout = timeout
        self.max_batch = max_batch
        self._post: Post = post or _http_post
        self._clock = clock
        self._sleep = sleep
        self._failing_until: dict[str, float] = {}
        self._verified: dict[str, bool] = {}
        self._batch_limit: dict[str, int] = {}

    def call(self, method: str, *params: Any) -> Any:
        """Return the result of one call; raises RpcRefused, RpcUnreachable, WrongNetwork."""
        return self.results([Request(method, params)])[0]

    def results(self, requests: Sequence[Request]) -> list[Any]:
        """Return all results of a batch; raises RpcRefused for the first refused call."""
        answers = self.batch(requests)
        for request, answer in zip(requests, answers, strict=True):
            if isinstance(answer, Refusal):
                raise refused(request, answer)
        return answers

    def batch(
        self, requests: Sequence[Request], check: Callable[[list[Any]], None] = lambda answers: None
    ) -> list[Any]:
        """Return a result or a Refusal for every request, in order, `max_batch` per POST.

        `check` may raise RpcUnreachable for the answers of one POST: the next URL is then asked.
        Raises RpcUnreachable if no URL gave an answer, WrongNetwork if all serve another chain.
        """
        answers: list[Any] = []
        for start in range(0, len(requests), self.max_batch):
            answers += self._with_failover(requests[start : start + self.max_batch], check)
        return answers

    def _with_failover(
        self, requests: Sequence[Request], check: Callable[[list[Any]], None]
    ) -> list[Any]:
        deadline = self._clock() + self.timeout
        errors: dict[str, RpcUnreachable | WrongNetwork] = {}
        for attempt in range(_ROUNDS):
            if attempt and self._clock() >= deadline:
                break
            self._sleep(attempt * _PAUSE)
            for url in self._by_preference():
                try:
                    self._verify_chain(url)
                    answers = self._ask(url, requests)
                    check(answers)
                    return answers
                except (RpcUnreachable, WrongNetwork) as error:
                    self._remember_failure(url)
                    errors[url] = error
        raise self._nobody_answered(errors)

    def _by_preference(self) -> list[str]:
        now = self._clock()
        return sorted(
            self.network.rpc_urls, key=lambda url: self._failing_until.get(url, 0.0) > now
        )

    def _remember_failure(self, url: str) -> None:
        self._failing_until[url] = self._clock() + FAILING_FOR
        self._verified.pop(url, None)

    def _verify_chain(self, url: str) -> None:
        if url in self._verified:
            return
        answer = self._single(url, Request("eth_chainId"))
        if isinstance(answer, Refusal):
            raise RpcUnreachable(f"A node of {self.network.name} does not tell its chain.")
        found = quantity(answer)
        if found != self.network.chain_id:
            raise WrongNetwork(
                f"A node of {self.network.name} serves chain {found}, not {self.network.chain_id}.",
                advice="Correct the RPC URLs of this network.",
            )
        self._verified[url] = True

    def _ask(self, url: str, requests: Sequence[Request]) -> list[Any]:
        limit = self._batch_limit.get(url, self.max_batch)
        answers: list[Any] = []
        while requests:
            part, requests = requests[:limit], requests[limit:]
            found = self._ask_once(url, part)
            if found is None:  # the node refused the batch as a whole
                limit = max(1, len(part) // 2)
                self._batch_limit[url] = limit
                requests = [*part, *requests]
                continue
            answers += found
        self._failing_until.pop(url, None)
        return answers

    def _ask_once(self, url: str, requests: Sequence[Request]) -> list[Any] | None:
        if len(requests) == 1:
            return [self._single(url, requests[0])]
        payload = [_payload(number, request) for number, request in enumerate(requests)]
        reply = self._post(url, payload, timeout=self.timeout, max_bytes=MAX_REPLY)
        if _is_batch_refused(reply):
            return None
        answers = _by_id(reply, len(requests))
        for request, answer in zip(requests, answers, strict=True):
            _require_healthy_node(request, answer)
        return answers

    def _single(self, url: str, request: Request) -> Any:
        reply = self._post(url, _payload(0, request), timeout=self.timeout, max_bytes=MAX_REPLY)
        answer = _answer(reply[0] if isinstance(reply, list) and len(reply) == 1 else reply)
        _require_healthy_node(request, answer)
        return answer

    def _nobody_answered(
        self, errors: dict[str, RpcUnreachable | WrongNetwork]
    ) -> RpcUnreachable | WrongNetwork:
        reasons = list(dict.fromkeys(str(error) for error in errors.values()))
        if errors and all(isinstance(error, WrongNetwork) for error in errors.values()):
            return next(error for error in errors.values() if isinstance(error, WrongNetwork))
        return RpcUnreachable(
            f"No RPC node of {self.network.name} answers: {' '.join(reasons) or 'none is known.'}"
        )


def refused(request: Request, refusal: Refusal) -> RpcRefused:
    """Return the error for a refusal that is not a contract's revert."""
    return RpcRefused(
        f"The RPC node refused {request.method}: {read.text(refusal.message, limit=200)}"
    )


def quantity(value: object) -> int:
    """Return a JSON-RPC quantity ("0x1f") as an int; raises RpcUnreachable if it is none."""
    if isinstance(value, str) and re.fullmatch(r"0x[0-9a-fA-F]{1,64}", value, re.ASCII):
        return int(value, 16)
    raise malformed("a number")


def malformed(what: str) -> RpcUnreachable:
    """Return the error for a node that answers, but not in the terms of JSON-RPC."""
    return RpcUnreachable(f"An RPC node answered with something that is not {what}.")


def _payload(number: int, request: Request) -> dict[str, Any]:
    return {
        "jsonrpc": "2.0",
        "id": number,
        "method": request.method,
        "params": list(request.params),
    }


def _is_batch_refused(reply: object) -> bool:
    items = reply if isinstance(reply, list) else [reply]
    refusals = [
        _refusal(item["error"]) for item in items if isinstance(item, dict) and item.get("error")
    ]
    if any(_BATCH_REFUSED.search(refusal.message) for refusal in refusals if not refusal.is_revert):
        return True
    for refusal in refusals if isinstance(reply, dict) else ():
        _require_healthy_node(Request("a batch"), refusal)
    return not isinstance(reply, list)


def _by_id(reply: object, count: int) -> list[Any]:
    items = reply if isinstance(reply, list) else []
    answers = {
        item["id"]: item
        for item in items
        if isinstance(item, dict) and isinstance(item.get("id"), int)
    }
    if any(number not in answers for number in range(count)):
        raise malformed("a complete answer to the batch")
    return [_answer(answers[number]) for number in range(count)]


def _answer(reply: object) -> Any:
    if not isinstance(reply, dict):
        raise malformed("a JSON-RPC answer")
    error = reply.get("error")
    if error is not None:
        return _refusal(error)
    if "result" not in reply:
        raise malformed("a JSON-RPC answer")
    return reply["result"]


def _refusal(error: object) -> Refusal:
    if not isinstance(error, dict):
        return Refusal(0, str(error)[:MAX_MESSAGE])
    code = error.get("code")
    return Refusal(
        code=code if isinstance(code, int) else 0,
        message=str(error.get("message", ""))[:MAX_MESSAGE],
        data=error.get("data"),
    )


def _require_healthy_node(request: Request, answer: object) -> None:
    if not isinstance(answer, Refusal) or answer.is_revert:
        return
    if request.method == "eth_getLogs":
        in_trouble = _PACE.search(answer.message) is not None
    else:
        in_trouble = answer.code == _LIMIT_EXCEEDED or bool(_NODE_TROUBLE.search(answer.message))
    if in_trouble:
        raise RpcUnreachable(f"An RPC node is in trouble: {read.text(answer.message, limit=200)}")


def _http_post(url: str, payload: object, *, timeout: float, max_bytes: int) -> object:
    from zgcompute._rpc_http import post_json

    return post_json(url, payload, timeout=timeout, max_bytes=max_bytes)
