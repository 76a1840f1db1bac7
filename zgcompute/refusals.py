"""A provider's error in its own words -> an error of ours with the remedy (PROTOCOL §1.4-2, pure).

Providers answer nearly everything with status 400 and a sentence, so the sentence decides and the
status only where no sentence is known. Prefixes differ between builds and are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from zgcompute import _reading as read
from zgcompute import amounts
from zgcompute._waiting import seconds_to_wait
from zgcompute.errors import (
    AmountError,
    ModelNotServed,
    ProviderBusy,
    ProviderRefused,
    RateLimited,
    RequestTooLarge,
    ReserveTooLow,
    SessionExpired,
    SessionInvalid,
    SessionRevoked,
    SignatureNotFound,
    SignerNotAcknowledged,
    UpstreamFailed,
)

MAX_DETAIL = 500  # characters of a provider's own words that are ever shown
_TEN_MINUTES = "If you just did, the provider notices within ten minutes."


@dataclass(frozen=True, slots=True)
class _Words:
    """What a provider said: its whole text and machine code, and the reply's frame."""

    status: int
    text: str
    code: str
    retry_after: float | None


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: re.Pattern[str]
    kind: type[ProviderRefused]
    message: str
    advice: str = ""


def _rule(pattern: str, kind: type[ProviderRefused], message: str, advice: str = "") -> _Rule:
    return _Rule(re.compile(pattern, re.IGNORECASE), kind, message, advice)


_RULES = (
    _rule("session token expired", SessionExpired, "Your session with this provider is over."),
    _rule(
        "session token has been revoked",
        SessionRevoked,
        "This session or API key was revoked on chain.",
    ),
    _rule(
        "future generation",
        SessionInvalid,
        "The provider does not see your latest revocation yet.",
        "Wait up to ten minutes, or start a new session then.",
    ),
    _rule(
        "session token is for different provider",
        SessionInvalid,
        "This session or API key is for another provider.",
    ),
    _rule(
        r"(missing or )?invalid Authorization|invalid base64 in Authorization"
        r"|invalid session token|authentication (required|failed)"
        r"|ephemeral token (must|duration)",
        SessionInvalid,
        "The provider does not accept the form of this session or API key.",
    ),
    _rule(
        r"invalid signature (format|length)|failed to recover public key"
        r"|signature verification failed|address mismatch",
        SessionInvalid,
        "The provider does not accept the signature of this session or API key.",
    ),
    _rule(
        "account not exist",
        ReserveTooLow,
        "You have no sub-account with this provider yet.",
        f"Transfer funds to this provider: that creates the sub-account. {_TEN_MINUTES}",
    ),
    _rule(
        "user not acknowledge",
        SignerNotAcknowledged,
        "You have not acknowledged this provider's TEE signer.",
        f"Acknowledge the provider. {_TEN_MINUTES}",
    ),
    _rule(
        "service not acknowledge the tee signer",
        SignerNotAcknowledged,
        "The network's owner has not acknowledged this provider's TEE signer.",
        "Choose another provider: this one refuses everybody until the owner does.",
    ),
    _rule(
        "chat_id_not_found|chat id not found",
        SignatureNotFound,
        "The provider has no signature for this answer: not yet, or no longer (20 minutes).",
        "Try again in a moment.",
    ),
    _rule(
        "too many invalid model requests",
        RateLimited,
        "The provider blocks you for an hour after too many requests for wrong models.",
        "Choose another provider, or wait.",
    ),
    _rule(
        "token_budget_exceeded|remaining KV cache budget",
        ProviderBusy,
        "The provider has no room for a conversation of this length right now.",
    ),
    _rule(
        "PRICING_UNAVAILABLE",
        ProviderBusy,
        "The provider has no current price of 0G and takes no requests until it has.",
    ),
    _rule(
        "model .{0,300}is no longer available|model not supported|only .{0,300} is available for",
        ModelNotServed,
        "The provider does not serve this model.",
    ),
    _rule(
        "token count exceeds|maximum context length|context_length_exceeded",
        RequestTooLarge,
        "The conversation is longer than this model can take.",
        "Start a new conversation, or shorten this one.",
    ),
    _rule("body size exceeds", RequestTooLarge, "The request is larger than the provider takes."),
    _rule(
        "too many concurrent requests",
        RateLimited,
        "You have too many requests running with this provider.",
        "Wait for one of them to finish.",
    ),
)
_BY_STATUS: dict[int, tuple[type[ProviderRefused], str]] = {
    404: (ProviderRefused, "The provider does not know this address."),
    410: (ModelNotServed, "The provider no longer serves this model."),
    413: (RequestTooLarge, "The request is larger than the provider takes."),
    429: (RateLimited, "You have sent this provider too many requests in a short time."),
    501: (ProviderRefused, "The provider does not offer this."),
    503: (ProviderBusy, "The provider is at capacity."),
    504: (UpstreamFailed, "The provider's model server took too long."),
}
_BALANCE = re.compile(
    r"locked balance is ([\d.]{1,60}) 0G, but the required minimum is ([\d.]{1,60}) 0G", re.ASCII
)


def refusal(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> ProviderRefused:
    """Return the error for a reply with `status`; `headers` have lower-case names."""
    reply = read.json_object(body)
    error: object = body.decode("utf-8", "replace") if reply is None else _error_of(reply)
    text, code = _sentence(error)
    return _judge(_Words(status, text, code, seconds_to_wait(headers or {}, text)))


def refusal_in_stream(error: object) -> ProviderRefused:
    """Return the error for an `error` that arrived in the middle of an answer."""
    text, code = _sentence(error)
    status = read.count(read.mapping(error).get("code"))
    known = status if status is not None and 400 <= status < 600 else 502
    return _judge(_Words(known, text, code, seconds_to_wait({}, text)))


def _error_of(reply: dict[str, Any]) -> object:
    """`error` as text or object; the Anthropic and the bare form carry `message` beside it."""
    return reply["error"] if reply.get("error") else reply


def _sentence(error: object) -> tuple[str, str]:
    keys = read.mapping(error)
    text = error if isinstance(error, str) else keys.get("message") or keys.get("detail") or ""
    if isinstance(text, str) and "<html" in text[:500].lower():
        text = ""
    codes = (read.text(keys.get(name), limit=80) for name in ("code", "type"))
    words = read.without_keys(read.text(text, limit=MAX_DETAIL))  # it knows the one it was sent
    return words, " ".join(code for code in codes if code)


def _judge(words: _Words) -> ProviderRefused:
    if match := _BALANCE.search(words.text):
        return _reserve_too_low(words, match)
    for rule in _RULES:
        if rule.pattern.search(words.text) or rule.pattern.search(words.code):
            return _made(rule.kind, rule.message, words, rule.advice)
    return _by_status(words)


def _by_status(words: _Words) -> ProviderRefused:
    if words.status in _BY_STATUS:
        kind, message = _BY_STATUS[words.status]
    elif words.status >= 500:
        kind, message = UpstreamFailed, "The provider's model server failed."
    else:
        kind, message = ProviderRefused, "The provider refused the request."
    if words.text and kind in (ProviderRefused, UpstreamFailed):
        message = f"{message[:-1]}: {words.text}"
    return _made(kind, message, words, _wait_advice(words))


def _wait_advice(words: _Words) -> str:
    if words.retry_after is None or words.status not in (429, 503):
        return ""
    seconds = max(1, round(words.retry_after))
    return f"Try again in {seconds} second{'s' if seconds > 1 else ''}."


def _made(
    kind: Callable[..., ProviderRefused], message: str, words: _Words, advice: str
) -> ProviderRefused:
    error = kind(message, advice=advice, status=words.status, detail=words.text)
    error.retry_after = words.retry_after
    return error


def _reserve_too_low(words: _Words, match: re.Match[str]) -> ReserveTooLow:
    locked, required = _neuron(match[1]), _neuron(match[2])
    missing = None if locked is None or required is None else required - locked
    advice = "Transfer more funds to this provider."
    if missing is not None and missing > 0:
        more = amounts.short(missing, round_up=True)
        advice = f"Transfer at least {more} 0G more to this provider; a little extra lasts longer."
    return ReserveTooLow(
        "Your sub-account does not cover this provider's reserve and its unsettled fees: it "
        f"holds {match[1]} 0G of the {match[2]} 0G required.",
        advice=advice,
        status=words.status,
        detail=words.text,
        locked=locked,
        required=required,
    )


def _neuron(text: str) -> int | None:
    try:
        return amounts.parse(text)
    except AmountError:
        return None
