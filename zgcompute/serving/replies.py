"""From a provider's reply to the client's: as it came, with what is known about it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from starlette.types import Receive, Send

from zgcompute.errors import ProviderError
from zgcompute.serving.attempts import Failed, Opened
from zgcompute.serving.calls import CHAT_CALL, Call
from zgcompute.serving.dispatch import Dispatcher
from zgcompute.serving.jobs import Jobs
from zgcompute.serving.problems import Problem
from zgcompute.serving.proofs import Proof, Proofs
from zgcompute.serving.streams import Lines, Tally
from zgcompute.verification import Outcome

log = logging.getLogger(__name__)
_PASSED_ON = ("content-type", "x-ratelimit-", "retry-after")


class ClientGone(Exception):
    """The client left before it had its answer."""


class Answering:
    """Answers clients by the dispatcher's targets.

    With `must_verify` a whole answer goes out only if it was verified.
    """

    def __init__(
        self, dispatcher: Dispatcher, proofs: Proofs, jobs: Jobs, *, must_verify: bool
    ) -> None:
        self._dispatcher = dispatcher
        self._proofs = proofs
        self._jobs = jobs
        self._must_verify = must_verify
        self._proving: set[asyncio.Task[Proof]] = set()

    async def answer(self, call: Call, send: Send) -> None:
        """Get an answer and send it; raises Problem or Failed."""
        async with self._dispatcher.answered(call) as opened:
            if opened.reply.headers.get("content-type", "").startswith("text/event-stream"):
                await self._pass_on(call, opened, send)
                return
            body = await opened.read()
        await self._send_whole(call, opened, body, send)

    async def aclose(self) -> None:
        """Give up the checks that are still running."""
        for task in self._proving:
            task.cancel()
        await asyncio.gather(*self._proving, return_exceptions=True)

    async def _send_whole(self, call: Call, opened: Opened, body: bytes, send: Send) -> None:
        headers = _headers(opened)
        if call.kind.is_job:
            self._jobs.note(call, opened, body)
        else:
            proof = await self._proved(self._proofs.of_body(call, opened, body))
            if self._must_verify and proof.outcome is not Outcome.VERIFIED:
                raise _withheld(proof)
            headers |= proof.headers
            headers |= _names(proof.response_id)
        await send_reply(send, opened.reply.status, headers, body)

    async def _pass_on(self, call: Call, opened: Opened, send: Send) -> None:
        """Send a stream line by line as it comes, then what is known of it as comments."""
        lines, tally = Lines(hides_usage=_hides_usage(call)), Tally()
        await send(_start(opened.reply.status, _headers(opened) | {"cache-control": "no-cache"}))
        try:
            async for chunk in opened.chunks():
                tally.feed(chunk)
                if passed := lines.feed(chunk):
                    await send(_part(passed))
        except ProviderError as error:
            await send(last_event(Failed(opened.target, error).problem))
            raise
        await send(_part(lines.finish()))
        proof = await self._proved(self._prove_stream(call, opened, tally))
        await send(_part(proof.comment, more=False))

    async def _prove_stream(self, call: Call, opened: Opened, tally: Tally) -> Proof:
        if call.kind is CHAT_CALL:
            return await self._proofs.of_chat(opened, tally, streamed=True)
        return await self._proofs.of_body(call, opened, tally.body)

    async def _proved(self, proving: Coroutine[Any, Any, Proof]) -> Proof:
        """Wait for a check that goes on, and is remembered, even if the client leaves."""
        task = asyncio.create_task(proving)
        self._proving.add(task)
        task.add_done_callback(self._proving.discard)
        task.add_done_callback(_report)
        return await asyncio.shield(task)


async def while_connected(receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Do `work` unless the client leaves, which ends it at once; raises ClientGone then."""
    task, gone = asyncio.create_task(work), asyncio.create_task(_gone(receive))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGone
        await task
    finally:
        for one in (task, gone):
            one.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def send_reply(send: Send, status: int, headers: dict[str, str], body: bytes) -> None:
    """Send a whole reply."""
    await send(_start(status, {**headers, "content-length": str(len(body))}))
    await send(_part(body, more=False))


def last_event(problem: Problem) -> dict[str, Any]:
    """The message that ends a stream with `problem`, as OpenAI's clients understand it."""
    return _part(b"\ndata: " + problem.body + b"\n\n", more=False)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _headers(opened: Opened) -> dict[str, str]:
    passed = {
        name: value for name, value in opened.reply.headers.items() if name.startswith(_PASSED_ON)
    }
    ours = {
        "zg-provider": opened.target.name,
        "x-accel-buffering": "no",
        "x-content-type-options": "nosniff",
    }
    return passed | ours | _names(opened.key)


def _names(response_id: str) -> dict[str, str]:
    """The answer's id; OpenAI's clients show the second as `_request_id`."""
    name = response_id.encode("ascii", "replace").decode()
    return {"zg-res-key": name, "x-request-id": name} if name else {}


def _hides_usage(call: Call) -> bool:
    return call.kind is CHAT_CALL and not call.wants_usage


def _withheld(proof: Proof) -> Problem:
    return Problem(
        502,
        f"The answer was not verified ({proof.outcome.value}): {proof.words} It is withheld, as "
        "--verify-before-forward asks, and was billed.",
        "server_error",
        "verification_failed" if proof.outcome is Outcome.FAILED else "not_verified",
        may_be_billed=True,
        facts={"provider": proof.target, "zg_res_key": proof.response_id},
    )


def _report(task: asyncio.Task[Proof]) -> None:
    """Say what nobody may have waited for: an answer that is not what was signed."""
    if task.cancelled():
        return
    error = task.exception()
    if error is not None:
        log.error("An answer could not be checked: %s", error)
    elif task.result().outcome is Outcome.FAILED:
        proof = task.result()
        log.warning(
            "The answer %s of %s is not verified: %s", proof.response_id, proof.target, proof.words
        )


def _start(status: int, headers: dict[str, str]) -> dict[str, Any]:
    pairs = [
        (name.encode("latin-1"), value.encode("latin-1", "replace"))
        for name, value in headers.items()
    ]
    return {"type": "http.response.start", "status": status, "headers": pairs}


def _part(body: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}
