"""Switchable misbehaviour of the test providers, one at a time per provider."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """What goes wrong with the next billed requests."""

    TAMPERED_ANSWER = "tampered-answer"  # the delivered bytes are not the signed ones
    WRONG_SIGNER = "wrong-signer"  # signed by a stranger's key under the right address
    NO_SIGNATURE = "no-signature"  # the answer is never signed
    LATE_SIGNATURE = "late-signature"  # the signature appears only after two seconds
    DISCONNECT = "disconnect"  # the connection is cut in the middle
    EARLY_DISCONNECT = "early-disconnect"  # the connection is cut before the first token
    STALL = "stall"  # silence in the middle
    SLOW_START = "slow-start"  # silence before the first token
    BAD_CHUNK = "bad-chunk"  # malformed JSON between good chunks
    ERROR_CHUNK = "error-chunk"  # an error in the middle of a stream
    CUT_SHORT = "cut-short"  # a stream ends in the middle as if it were whole
    EMPTY_ANSWER = "empty-answer"  # a model says nothing
    EMPTY_BODY = "empty-body"  # status 200 without a single byte
    RATE_LIMITED = "rate-limited"  # 429
    BUSY = "busy"  # 503 with Retry-After
    SERVER_ERROR = "server-error"  # 500
    HTML = "html"  # a proxy's error page instead of JSON
    XSS = "xss"  # an answer full of markup
    HUGE_ANSWER = "huge-answer"  # tens of megabytes
    NO_USAGE = "no-usage"  # the stream ends without usage (billed by words)
    NO_DONE = "no-done"  # the stream ends without [DONE]
    EXPIRED_SESSION = "expired-session"  # the session is called expired
    RESERVE = "reserve"  # the locked balance is called too small


@dataclass(slots=True)
class FaultSwitch:
    """The fault that is on, and for how many more requests (None: until switched off)."""

    fault: Fault | None = None
    times: int | None = None
    turns: int = 0  # how often somebody turned the switch

    def set(self, fault: Fault | None, times: int | None = None) -> None:
        """Switch `fault` on (for `times` requests where given) or, with None, off."""
        self.turns += 1
        self._become(fault, times)

    def take(self) -> Fault | None:
        """Return the fault for one request and count it."""
        fault = self.fault
        if fault is not None and self.times is not None:
            self._become(fault, self.times - 1)
        return fault

    def _become(self, fault: Fault | None, times: int | None) -> None:
        self.fault = None if times == 0 else fault
        self.times = times if self.fault else None
