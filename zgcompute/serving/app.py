"""The ASGI application: OpenAI's routes, and those about the providers behind them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from zgcompute import _reading as read
from zgcompute._http import AsyncDoor
from zgcompute.errors import Error
from zgcompute.serving.attempts import Failed
from zgcompute.serving.calls import (
    CHAT_CALL,
    EDITS_CALL,
    EDITS_JOB,
    IMAGES_CALL,
    IMAGES_JOB,
    SPEECH_CALL,
    Kind,
    understand,
)
from zgcompute.serving.dispatch import Dispatcher, Rules
from zgcompute.serving.jobs import Jobs
from zgcompute.serving.problems import Problem, bad_request, problem_of, unknown_model
from zgcompute.serving.proofs import Proofs
from zgcompute.serving.replies import Answering, ClientGone, last_event, send_reply, while_connected
from zgcompute.serving.routing import may_be_billed
from zgcompute.serving.targets import ProviderTarget, Target, keep_renewed
from zgcompute.uploads import MAX_FORM

log = logging.getLogger(__name__)
_KINDS = {
    "/v1/chat/completions": CHAT_CALL,
    "/v1/images/generations": IMAGES_CALL,
    "/v1/images/edits": EDITS_CALL,
    "/v1/audio/transcriptions": SPEECH_CALL,
    "/v1/async/images/generations": IMAGES_JOB,
    "/v1/async/images/edits": EDITS_JOB,
}
_STOPPED = Problem(
    503,
    "The server was stopped. What was asked may have been billed.",
    "server_error",
    "server_stopped",
    may_be_billed=True,
)
_UNEXPECTED = Problem(
    500,
    "The server failed; its log says how. What was asked may have been billed.",
    "server_error",
    "internal_error",
    may_be_billed=True,
)


@dataclass(frozen=True, slots=True)
class Settings:
    """How answers are treated; seconds."""

    rules: Rules = field(default_factory=Rules)
    must_verify: bool = False
    remembered: float = 1200.0  # as long as providers keep signatures
    proof_budget: float = 3.0  # how long a signature is waited for
    renewed_every: float = 300.0  # how old what is known of prices and signers may be


@dataclass(eq=False)
class Desk:
    """What the routes work with."""

    targets: Sequence[Target]
    doors: Sequence[AsyncDoor]
    settings: Settings

    def __post_init__(self) -> None:
        self.dispatcher = Dispatcher(self.targets, self.settings.rules)
        self.proofs = Proofs(self.settings.remembered, self.settings.proof_budget)
        self.jobs = Jobs(self.targets, self.proofs)
        self.answering = Answering(
            self.dispatcher, self.proofs, self.jobs, must_verify=self.settings.must_verify
        )

    async def aclose(self) -> None:
        """End what runs beside the requests, and close the connections."""
        await self.answering.aclose()
        await self.dispatcher.aclose()
        for door in self.doors:
            await door.aclose()


def application(
    make_targets: Callable[[], tuple[Sequence[Target], Sequence[AsyncDoor]]],
    settings: Settings,
    on_start: Callable[[Sequence[Target]], None] = lambda targets: None,
    beside: Sequence[Callable[[], Coroutine[Any, Any, None]]] = (),
) -> Starlette:
    """The server for the targets and doors that `make_targets` makes in its event loop.

    What `beside` starts runs as long as the server does.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        targets, doors = make_targets()
        desk = Desk(targets, doors, settings)
        app.state.desk = desk
        tasks = [asyncio.create_task(start()) for start in beside]
        tasks.append(asyncio.create_task(keep_renewed(targets, settings.renewed_every)))
        try:
            await desk.dispatcher.start()
            on_start(targets)
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await desk.aclose()

    billed = [Route(path, Billed(kind), methods=["POST"]) for path, kind in _KINDS.items()]
    own = [
        Route("/v1/models", _models),
        Route("/v1/models/{model:path}", _model),
        Route("/v1/verify", _verify, methods=["POST"]),
        Route("/v1/async/jobs/{job_id}", _job),
        Route("/v1/providers/status", _status),
        Route("/healthz", _healthz),
    ]
    handlers: dict[Any, Any] = {Problem: _told, 404: _no_route, 405: _no_route, Exception: _failed}
    return Starlette(routes=[*billed, *own], lifespan=lifespan, exception_handlers=handlers)


class Billed:
    """A route whose calls go to a target and are paid for."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; what it still does ends when its client leaves."""
        desk: Desk = scope["app"].state.desk
        outlet, began = _Outlet(send), time.monotonic()
        try:
            request = Request(scope, receive)
            body = await _body(request)
            call = understand(self._kind, request.headers.get("content-type", ""), body)
            await while_connected(receive, desk.answering.answer(call, outlet.send))
        except (ClientGone, ClientDisconnect):
            outlet.told += ", client left"
        except asyncio.CancelledError:  # only the server's end cancels it, and waits for this
            await outlet.break_off(_STOPPED)
        except Problem as problem:
            await outlet.tell(problem)
        except Failed as failed:
            await outlet.tell(failed.problem)
        except Error as error:
            await outlet.tell(problem_of(error, may_be_billed=may_be_billed(error)))
        except Exception:
            log.exception("%s failed", scope["path"])
            await outlet.tell(_UNEXPECTED)
        finally:
            spent = (time.monotonic() - began) * 1000
            log.info("%s %s %s, %.0f ms", scope["method"], scope["path"], outlet.told, spent)


class _Outlet:
    """The way back to the client, which knows whether anything went there yet."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._has_begun = False
        self.told = "no answer"

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._has_begun, self.told = True, str(message["status"])
        await self._send(message)

    async def tell(self, problem: Problem) -> None:
        """Send `problem`, unless an answer has begun: that has told its own end."""
        if self._has_begun:
            self.told += f", broke off: {problem.code}"
            return
        await send_reply(self.send, problem.status, problem.headers, problem.body)
        self.told += f" {problem.code}"

    async def break_off(self, problem: Problem) -> None:
        """Send `problem`, also as the last event of a stream that has begun."""
        has_begun = self._has_begun
        await self.tell(problem)
        if has_begun:
            await self._send(last_event(problem))


async def _body(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        parts.append(part)
        size += len(part)
        if size > MAX_FORM:
            raise bad_request(
                f"The request is larger than {MAX_FORM >> 20} MB, the most that providers take.",
                status=413,
            )
    return b"".join(parts)


async def _models(request: Request) -> Response:
    cards = _listed(_desk(request).targets)
    return JSONResponse({"object": "list", "data": list(cards.values())})


async def _model(request: Request) -> Response:
    cards = _listed(_desk(request).targets)
    name = request.path_params["model"]
    if name not in cards:
        raise unknown_model(name, list(cards))
    return JSONResponse(cards[name])


def _listed(targets: Sequence[Target]) -> dict[str, dict[str, Any]]:
    """OpenAI's record of each model that can be asked for."""
    cards: dict[str, dict[str, Any]] = {}
    for target in targets:
        is_provider = isinstance(target, ProviderTarget)
        created = target.service.updated_at if isinstance(target, ProviderTarget) else 0
        for kind in _KINDS.values():
            for model in target.models_for(kind):
                owner = target.name if is_provider else "fallback"
                cards.setdefault(
                    model,
                    {"id": model, "object": "model", "created": created, "owned_by": owner},
                )
    return cards


async def _verify(request: Request) -> Response:
    asked = read.mapping(read.json_object(await _body(request))).get("id")
    if not isinstance(asked, str) or not asked:
        raise bad_request('Send {"id": the answer\'s ZG-Res-Key or id}.', param="id")
    proof = await _desk(request).proofs.again(asked)
    if proof is None:
        raise Problem(
            404,
            "No answer with that id is remembered: not from this server, or too long ago.",
            "invalid_request_error",
            "answer_not_found",
            "id",
        )
    return JSONResponse(proof.in_json)


async def _job(request: Request) -> Response:
    reply, headers = await _desk(request).jobs.ask(request.path_params["job_id"])
    # A browser may be led here: what a provider says must never be a page of this origin.
    own = {"content-type": "application/json", "x-content-type-options": "nosniff"}
    wait = {name: value for name, value in reply.headers.items() if name == "retry-after"}
    return Response(reply.body, reply.status, {**wait, **own, **headers})


async def _status(request: Request) -> Response:
    desk = _desk(request)
    providers = [target.describe() for target in desk.targets]
    return JSONResponse({"providers": providers, "waiting": desk.dispatcher.waiting})


async def _healthz(request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _told(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, Problem)
    return Response(problem.body, problem.status, problem.headers)


async def _no_route(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    message = f"There is no {request.method} {request.url.path} here."
    problem = Problem(status, message, "invalid_request_error", "unknown_url")
    return Response(problem.body, problem.status, problem.headers)


async def _failed(request: Request, error: Exception) -> Response:
    return Response(_UNEXPECTED.body, _UNEXPECTED.status, _UNEXPECTED.headers)


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk
