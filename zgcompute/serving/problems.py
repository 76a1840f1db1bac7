"""Errors as OpenAI's clients expect them: a status and `{"error": {...}}` (pure).

Providers answer nearly everything with 400 and a sentence. The SDK's errors tell what was meant,
so a client gets the status, and by it the typed error, that OpenAI would have given.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from zgcompute import _reading as read
from zgcompute.errors import (
    Error,
    InvalidBody,
    ModelNotServed,
    ProviderBusy,
    ProviderError,
    ProviderRefused,
    ProviderTimeout,
    ProviderUnreachable,
    RateLimited,
    RequestTooLarge,
    ReserveTooLow,
    RpcUnreachable,
    SessionExpired,
    SessionInvalid,
    SessionRevoked,
    SignerNotAcknowledged,
    Transient,
    UpstreamFailed,
)

_SHORTEST_WAIT = 1  # seconds in a Retry-After
# error -> status, type, code
_KINDS: tuple[tuple[type[Error], tuple[int, str, str]], ...] = (
    (SessionExpired, (401, "authentication_error", "session_expired")),
    (SessionRevoked, (401, "authentication_error", "session_revoked")),
    (SessionInvalid, (401, "authentication_error", "session_invalid")),
    (ReserveTooLow, (402, "insufficient_quota", "insufficient_balance")),
    (SignerNotAcknowledged, (403, "permission_error", "signer_not_acknowledged")),
    (ModelNotServed, (404, "invalid_request_error", "model_not_found")),
    (RateLimited, (429, "rate_limit_error", "rate_limit_exceeded")),
    (ProviderBusy, (503, "server_error", "provider_busy")),
    (ProviderTimeout, (504, "server_error", "provider_timeout")),
    (ProviderUnreachable, (502, "server_error", "provider_unreachable")),
    (RpcUnreachable, (503, "server_error", "chain_unreachable")),
    (InvalidBody, (400, "invalid_request_error", "invalid_request")),
)
_BILLED = "It may have been billed all the same; repeating it may cost again."


@dataclass(eq=False)
class Problem(Exception):
    """An error reply. `may_be_billed` tells clients not to repeat the request by themselves."""

    status: int
    message: str
    type: str
    code: str | None = None
    param: str | None = None
    retry_after: float | None = None
    may_be_billed: bool = False
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        """The JSON of the reply, in OpenAI's shape."""
        keys = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return json.dumps({"error": {**keys, **self.facts}}).encode()

    @property
    def headers(self) -> dict[str, str]:
        """What goes with it; OpenAI's clients repeat 429 and 5xx unless they are told not to."""
        headers = {"content-type": "application/json"}
        if self.retry_after is not None:
            headers["retry-after"] = str(max(_SHORTEST_WAIT, math.ceil(self.retry_after)))
        if self.may_be_billed:
            headers["x-should-retry"] = "false"
        return headers


def bad_request(message: str, *, param: str | None = None, status: int = 400) -> Problem:
    """The problem of a request that no provider needs to see."""
    return Problem(status, message, "invalid_request_error", "invalid_request", param)


def unknown_model(model: str, served: list[str]) -> Problem:
    """The problem of a model that is not served here."""
    known = ", ".join(served[:20]) or "none"
    return Problem(
        404,
        f"The model {model[:120]!r} is not served here. Served are: {known}.",
        "invalid_request_error",
        "model_not_found",
        "model",
    )


def bad_key() -> Problem:
    """The problem of a local client without the right key."""
    return Problem(
        401,
        "This server wants its own key: send it as 'Authorization: Bearer <key>'.",
        "authentication_error",
        "invalid_api_key",
    )


def problem_of(
    error: Error, *, provider: str = "", body: bytes = b"", may_be_billed: bool = False
) -> Problem:
    """The problem that `error` is for a client; `body` is the provider's own, where there is one.

    What OpenAI's shape says there (type, code, param) is kept for errors that are the request's.
    """
    status, kind, code = _kind(error)
    said = _said(body)
    is_plain = type(error) is ProviderRefused or isinstance(error, UpstreamFailed)
    message = _message(error, provider)
    return Problem(
        status,
        f"{message} {_BILLED}" if may_be_billed else message,
        _text(said.get("type")) or kind if is_plain else kind,
        _text(said.get("code")) or code if is_plain else code,
        _text(said.get("param")) or ("model" if isinstance(error, ModelNotServed) else None),
        retry_after=getattr(error, "retry_after", None),
        may_be_billed=may_be_billed,
        facts=_facts(error, provider),
    )


def _kind(error: Error) -> tuple[int, str, str | None]:
    stated = getattr(error, "status", 0)
    if isinstance(error, ProviderBusy) and stated == 429:
        return 429, "rate_limit_error", "provider_busy"
    for kind, found in _KINDS:
        if isinstance(error, kind):
            return found
    if isinstance(error, RequestTooLarge):
        code = "context_length_exceeded" if stated != 413 else "request_too_large"
        return stated if 400 <= stated < 500 else 400, "invalid_request_error", code
    if isinstance(error, UpstreamFailed):
        return stated if stated >= 500 else 502, "server_error", "provider_failed"
    if isinstance(error, ProviderRefused) and 400 <= stated < 600:
        return stated, "invalid_request_error" if stated < 500 else "server_error", None
    if isinstance(error, ProviderError):
        return 502, "server_error", "bad_gateway"
    return (503 if isinstance(error, Transient) else 500), "server_error", None


def _message(error: Error, provider: str) -> str:
    if isinstance(error, ReserveTooLow):
        return f"{error} {error.advice} {_command('transfer-fund', provider)} --amount <0G>"
    if isinstance(error, SignerNotAcknowledged) and "owner" not in str(error):
        command = _command("inference acknowledge-provider", provider)
        return f"{error} {error.advice} {command}"
    return f"{error} {error.advice}".strip()


def _command(name: str, provider: str) -> str:
    return f"Run: 0g-compute-cli {name} --provider {provider or '<address>'}"


def _facts(error: Error, provider: str) -> dict[str, str]:
    """What the provider said in its own words, beside OpenAI's names."""
    facts = {"provider": provider} if provider else {}
    detail = getattr(error, "detail", "")
    return facts | ({"detail": detail} if detail else {})


def _said(body: bytes) -> Mapping[str, Any]:
    return read.mapping(read.mapping(read.json_object(body[:65_536])).get("error"))


def _text(value: object) -> str:
    return read.without_keys(read.text(value, limit=120))  # a number there only repeats the status
