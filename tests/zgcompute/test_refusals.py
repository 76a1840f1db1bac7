from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from zgcompute import errors
from zgcompute.errors import (
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
    Transient,
    UpstreamFailed,
)
from zgcompute.refusals import refusal, refusal_in_stream

BALANCE = (
    "insufficient balance: your locked balance is 1.000000 0G, but the required minimum is "
    "1.001362 0G (breakdown: minimum reserve 1.000000 0G + unsettled fees 0.001362 0G + current "
    "request fee 0.000000 0G). Please add more funds with: 0g-compute-cli transfer-fund"
)
SENTENCES = [
    ("missing or invalid Authorization header, must be Bearer app-sk-<base64(…)>", SessionInvalid),
    ("invalid base64 in Authorization header: illegal base64 data at input byte 4", SessionInvalid),
    ("invalid Authorization payload, expect base64(rawMessage:signature)", SessionInvalid),
    ("invalid session token format in Authorization: unexpected end", SessionInvalid),
    ("session token is for different provider", SessionInvalid),
    ("ephemeral token must have an expiration time", SessionInvalid),
    ("ephemeral token duration cannot exceed 24 hours", SessionInvalid),
    ("session token expired", SessionExpired),
    ("session token has been revoked (generation expired)", SessionRevoked),
    ("session token has been revoked", SessionRevoked),
    ("invalid session token (future generation)", SessionInvalid),
    ("invalid signature format: encoding/hex", SessionInvalid),
    ("invalid signature length", SessionInvalid),
    ("failed to recover public key from signature: x", SessionInvalid),
    ("signature verification failed: address mismatch", SessionInvalid),
    ("get account from contract, account not exist: 0x", ReserveTooLow),
    (
        "user not acknowledge the provider, please use acknowledgeProviderSigner",
        SignerNotAcknowledged,
    ),
    ("service not acknowledge the tee signer", SignerNotAcknowledged),
    (BALANCE, ReserveTooLow),
    ('model not supported: requested "x", accepted: ["y"]', ModelNotServed),
    ("validate model allowlist: model not supported: 'x' is not available", ModelNotServed),
    ("requested 'x', only 'y' is available for this service", ModelNotServed),
    ('model "x" is no longer available (expired at 2026-01-01T00:00:00Z)', ModelNotServed),
    ("Chat id not found or expired, chat_id_not_found", SignatureNotFound),
    ("This model's maximum context length is 4096 tokens", RequestTooLarge),
    ("Request body size exceeds the maximum allowed size of 32MB", RequestTooLarge),
    ("unsupported endpoint: endpoint not supported", ProviderRefused),
]


@pytest.mark.parametrize(
    "prefix", ["", "validate session: ", "Provider proxy: handle proxied service, "]
)
@pytest.mark.parametrize(("sentence", "kind"), SENTENCES)
@pytest.mark.parametrize("wrap", [str, lambda text: {"message": text, "type": "x", "code": None}])
def test_the_sentence_decides(sentence: str, kind: type, prefix: str, wrap: object) -> None:
    body = json.dumps({"error": wrap(prefix + sentence)}).encode()  # type: ignore[operator]
    error = refusal(400, body)
    assert type(error) is kind
    assert error.status == 400
    assert sentence[:20] in error.detail


def test_every_known_sentence_but_the_plain_one_has_a_remedy() -> None:
    for sentence, kind in SENTENCES:
        error = refusal(400, json.dumps({"error": sentence}).encode())
        assert error.advice or kind is ProviderRefused


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, b'{"error":"something else"}', ProviderRefused),
        (401, b'{"error":"authentication required: x"}', SessionInvalid),
        (404, b"404 page not found", ProviderRefused),
        (410, b"", ModelNotServed),
        (413, b"", RequestTooLarge),
        (418, b"", ProviderRefused),
        (429, b"", RateLimited),
        (500, b'{"error":"Internal Server Error"}', UpstreamFailed),
        (501, b'{"error":"not available"}', ProviderRefused),
        (502, b"<html><h1>Bad Gateway</h1></html>", UpstreamFailed),
        (503, b'{"error":"Server is at capacity (global limit: 9 requests/min)."}', ProviderBusy),
        (504, b"", UpstreamFailed),
        (599, b"[]", UpstreamFailed),
    ],
)
def test_without_a_known_sentence_the_status_decides(status: int, body: bytes, kind: type) -> None:
    assert type(refusal(status, body)) is kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (
            "Rate limit exceeded: too many invalid model requests. Please try again in 1h0m0s",
            RateLimited,
        ),
        ("Too many concurrent requests. You have 5 active requests (limit: 5).", RateLimited),
        ({"message": "Server is at capacity", "code": "token_budget_exceeded"}, ProviderBusy),
        ({"message": "no price", "code": "PRICING_UNAVAILABLE"}, ProviderBusy),
    ],
)
def test_codes_and_sentences_tell_whom_the_limit_concerns(error: object, kind: type) -> None:
    refused = refusal(429, json.dumps({"error": error}).encode())
    assert type(refused) is kind
    assert isinstance(refused, Transient)


def test_a_key_that_a_provider_repeats_is_left_out() -> None:
    said = {"error": "session token expired: app-sk-c2VjcmV0fGtleQ=="}
    error = refusal(400, json.dumps(said).encode())
    assert isinstance(error, SessionExpired)
    assert error.detail == "session token expired: app-sk-…"


def test_the_anthropic_form_is_understood() -> None:
    body = b'{"type":"error","error":{"type":"rate_limit_error","message":"Rate limit exceeded."}}'
    assert type(refusal(429, body)) is RateLimited


def test_an_error_beside_its_message_is_understood() -> None:
    assert refusal(400, b'{"message":"session token expired"}').detail == "session token expired"
    assert refusal(422, b'{"detail":"bad field"}').detail == "bad field"


def test_a_reserve_too_low_states_exact_amounts() -> None:
    error = refusal(400, json.dumps({"error": f"validate request: {BALANCE}"}).encode())
    assert isinstance(error, ReserveTooLow)
    assert (error.locked, error.required) == (10**18, 1_001_362 * 10**12)
    assert "0.001362 0G more" in error.advice


@pytest.mark.parametrize(
    ("locked", "required", "amounts"),
    [
        ("2.0", "1.0", (2 * 10**18, 10**18)),
        ("1.2.3", "1", (None, 10**18)),
        ("9" * 60, "1", (None, 10**18)),
    ],
)
def test_odd_balances_promise_no_sum(
    locked: str, required: str, amounts: tuple[int | None, int | None]
) -> None:
    text = f"locked balance is {locked} 0G, but the required minimum is {required} 0G"
    error = refusal(400, json.dumps({"error": text}).encode())
    assert isinstance(error, ReserveTooLow)
    assert (error.locked, error.required) == amounts
    assert error.advice == "Transfer more funds to this provider."


@pytest.mark.parametrize(
    ("headers", "text", "seconds"),
    [
        ({"retry-after": "7"}, "", 7),
        ({"retry-after": "1.5"}, "", 1.5),
        ({"retry-after": "999999999"}, "", 86_400),
        ({"retry-after": "soon"}, "Please wait 5 seconds (limit: 30 requests/min).", 5),
        ({}, "Please try again in 1h0m0s", 3600),
        ({}, "Please wait 1 second.", 1),
        ({}, "wait 1.5s", 1.5),
        ({}, "wait 250ms", 0.25),
        ({}, "wait ..s", None),
        ({}, "Please wait for some to complete.", None),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "2s"}, "", 2),
        ({"x-ratelimit-remaining-requests": "4", "x-ratelimit-reset-requests": "2s"}, "", None),
        (
            {
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "2s",
                "x-ratelimit-remaining-tokens": "-12",
                "x-ratelimit-reset-tokens": "1m1s",
                "x-ratelimit-remaining-images": "0",
            },
            "",
            61,
        ),
    ],
)
def test_the_time_to_wait_is_found(
    headers: dict[str, str], text: str, seconds: float | None
) -> None:
    error = refusal(429, json.dumps({"error": text}).encode(), headers)
    assert error.retry_after == seconds
    if seconds == 1:
        assert error.advice == "Try again in 1 second."
    if seconds == 7:
        assert error.advice == "Try again in 7 seconds."


@pytest.mark.parametrize("form", ["%a, %d %b %Y %H:%M:%S GMT", "%a, %d %b %Y %H:%M:%S -0000"])
def test_a_date_to_wait_for_is_understood(form: str) -> None:
    later = datetime.now(UTC) + timedelta(seconds=90)
    error = refusal(503, b"", {"retry-after": later.strftime(form)})
    assert error.retry_after is not None
    assert 80 < error.retry_after <= 90
    past = format_datetime(datetime.now(UTC) - timedelta(days=1))
    assert refusal(503, b"", {"retry-after": past}).retry_after == 0


def test_a_providers_words_are_bounded_and_on_one_line() -> None:
    error = refusal(400, json.dumps({"error": "a\x1b[31m\n\u202eb" + "c" * 99_999}).encode())
    assert len(error.detail) == 500
    assert error.detail.startswith("a [31m bc")
    assert len(str(error)) < 600


@pytest.mark.parametrize(
    "body",
    [b"\xff\xfe", b"[" * 99_999, b'{"error":[]}', b'{"error":{"message":5}}', b"null", b"{}"],
)
def test_nonsense_is_a_plain_refusal(body: bytes) -> None:
    assert type(refusal(400, body)) is ProviderRefused


def test_a_page_of_markup_is_not_quoted() -> None:
    assert "<" not in str(refusal(502, b"<!DOCTYPE html><html>x</html>"))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("x", UpstreamFailed),
        ({"code": 429}, RateLimited),
        ({"code": 7}, UpstreamFailed),
        (5, UpstreamFailed),
    ],
)
def test_errors_within_a_stream_are_the_model_servers_unless_they_say_so(
    error: object, kind: type
) -> None:
    assert type(refusal_in_stream(error)) is kind


def test_all_kinds_of_refusal_are_reached_by_these_tests() -> None:
    known = {value for value in vars(errors).values() if _is_refusal(value)}
    reached = {kind for _, kind in SENTENCES} | {RateLimited, ProviderBusy, UpstreamFailed}
    assert reached == known


def _is_refusal(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, ProviderRefused)
