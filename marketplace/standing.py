"""What this site may say of a provider's hardware and code, in one line.

Only one thing is ever called verified: a finished check of the record as it stands now, in which
every required question was answered well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from marketplace.verifications import fingerprint
from zgcompute.attestation import Overall

if TYPE_CHECKING:
    from marketplace.models import Service


@dataclass(frozen=True, slots=True)
class Standing:
    """`word` beside `icon` in the `tone` of a state; `key` is its name for programs."""

    key: str
    word: str
    icon: str
    tone: str
    meaning: str
    at: datetime | None = None


def assess(service: Service) -> Standing:
    """Return what may be said of `service` now, by the last verification that ended."""
    last = service.last_verification
    if last is None:
        return _NEVER
    if last.record != fingerprint(service):
        return replace(_CHANGED, at=last.finished_at)
    return replace(_OUTCOMES.get(last.overall, _UNCHECKED), at=last.finished_at)


_NEVER = Standing(
    "never checked",
    "Never checked",
    "question-mark-circle",
    "wait",
    "This site has not looked at this provider's attestation reports yet.",
)
_CHANGED = Standing(
    "changed",
    "Not checked since it changed",
    "clock",
    "wait",
    "The provider's record on chain is another than the one that was checked. What follows is "
    "about the earlier one.",
)
_UNCHECKED = Standing(
    Overall.UNCHECKED.value,
    "Could not be checked",
    "question-mark-circle",
    "warn",
    "Not everything that is required could be checked, so nothing is confirmed.",
)
_OUTCOMES = {
    Overall.VERIFIED.value: Standing(
        Overall.VERIFIED.value,
        "Verified",
        "shield-check",
        "good",
        "Every required check passed. Whether the operating system is a published build is left "
        "to you: its steps are at the end of the list of checks.",
    ),
    Overall.FAILED.value: Standing(
        Overall.FAILED.value,
        "Failed",
        "x-circle",
        "bad",
        "At least one required check failed. Do not rely on this provider's hardware and code.",
    ),
}
KEYS = (_NEVER.key, _CHANGED.key, _UNCHECKED.key, *_OUTCOMES)
