"""The way of every billed request to the work itself: fault, session, limits, billing gate."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

from devnet.faults import Fault
from devnet.providers import billing
from devnet.providers.profiles import Model
from devnet.providers.provider import Provider
from devnet.providers.wire import Refusal, Request
from zgcompute.types import Address, Service

_PAGE = b"""<!doctype html>
<html><head><title>502 Bad Gateway</title></head>
<body><center><h1>502 Bad Gateway</h1></center><hr><center>devnet proxy</center></body></html>
"""


@dataclass(frozen=True, slots=True)
class Admission:
    """A request that may be worked on, with the rate-limit headers for its reply."""

    user: Address
    service: Service
    headers: list[tuple[str, str]]
    fault: Fault | None


class ErrorPage(Refusal):
    """The HTML page of a proxy in front of the broker."""

    page = _PAGE


@asynccontextmanager
async def admission(provider: Provider, request: Request) -> AsyncIterator[Admission]:
    """Check a request in the broker's order and hold its concurrency slot; raises Refusal."""
    session = await provider.guard.check(request.headers.get("authorization", ""))
    fault = provider.faults.take()
    _break(provider, session.user, fault)
    older = provider.options.older_build
    headers = provider.limits.admit(session.user, older_build=older)
    with provider.limits.slot(session.user):
        provider.limits.check_block(session.user)
        service = await billing.admit(
            provider.chain,
            provider.book,
            session.user,
            minimum=provider.options.reserve,
            pretend_short=fault is Fault.RESERVE,
        )
        provider.running += 1
        try:
            yield Admission(session.user, service, headers, fault)
        finally:
            provider.running -= 1


def require_model(provider: Provider, user: str, fields: dict[str, Any]) -> Model:
    """Return the model asked for; raises Refusal where it is not served, and counts that."""
    wanted, served = fields.get("model"), provider.profile.model
    if model := provider.profile.served(wanted):
        return model
    provider.limits.note_wrong_model(user)
    if provider.profile.others:
        raise Refusal(
            "validate model allowlist: "
            f"model not supported: '{wanted}' is not available for this service"
        )
    if provider.options.older_build:
        raise Refusal(f"requested '{wanted}', only '{served}' is available for this service")
    raise Refusal(
        "prepare HTTP request: enforce configured model: "
        f'model not supported: requested "{wanted}", accepted: ["{served}"]'
    )


def upstream_refusal(message: str) -> NoReturn:
    """Refuse as the model server does: its own error shape, passed through verbatim."""
    error = {"message": message, "type": "BadRequestError", "param": None, "code": 400}
    raise Refusal({"error": error})


def _break(provider: Provider, user: str, fault: Fault | None) -> None:
    match fault:
        case Fault.EXPIRED_SESSION:
            raise Refusal("validate session: session token expired")
        case Fault.RATE_LIMITED:
            provider.limits.refuse_rate(user, older_build=provider.options.older_build)
        case Fault.BUSY:
            text = "Server is at capacity (global limit: 600 requests/min). Please try again later."
            raise Refusal(text, 503, [("retry-after", "7")])
        case Fault.SERVER_ERROR:
            raise Refusal("Internal Server Error", 500)
        case Fault.HTML:
            raise ErrorPage("Bad Gateway", 502)
