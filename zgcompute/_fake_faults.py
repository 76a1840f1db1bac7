"""What can go wrong at a fake provider, and the refusals that it then gives."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Fault(StrEnum):
    """What goes wrong; the names are the devnet's."""

    TAMPERED_ANSWER = "tampered-answer"
    WRONG_SIGNER = "wrong-signer"
    NO_SIGNATURE = "no-signature"
    LATE_SIGNATURE = "late-signature"
    DISCONNECT = "disconnect"
    STALL = "stall"
    BAD_CHUNK = "bad-chunk"
    RATE_LIMITED = "rate-limited"
    BUSY = "busy"
    SERVER_ERROR = "server-error"
    HTML = "html"
    NO_USAGE = "no-usage"
    NO_DONE = "no-done"
    EXPIRED_SESSION = "expired-session"
    RESERVE = "reserve"
    UNREACHABLE = "unreachable"


REFUSALS: Mapping[Fault, tuple[int, bytes]] = {
    Fault.RATE_LIMITED: (
        429,
        b'{"error":{"type":"rate_limit_error","message":'
        b'"Rate limit exceeded. Please wait 5 seconds (limit: 30 requests/min)."}}',
    ),
    Fault.BUSY: (
        503,
        b'{"error":"Server is currently processing too many requests. Please try again later."}',
    ),
    Fault.SERVER_ERROR: (500, b'{"error":"Internal Server Error"}'),
    Fault.HTML: (502, b"<html><body><h1>502 Bad Gateway</h1></body></html>"),
    Fault.EXPIRED_SESSION: (400, b'{"error":"validate session: session token expired"}'),
    Fault.RESERVE: (
        400,
        b'{"error":"validate request: insufficient balance: your locked balance is 1.000000 0G, '
        b"but the required minimum is 1.001362 0G (breakdown: minimum reserve 1.000000 0G + "
        b"unsettled fees 0.001362 0G + current request fee 0.000000 0G). Please add more funds "
        b'with: 0g-compute-cli transfer-fund --provider 0x33 --amount 1"}',
    ),
}
NOT_FOUND = b'{"error":"prepare HTTP request: Chat id not found or expired, chat_id_not_found"}'
