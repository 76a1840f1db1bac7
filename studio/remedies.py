"""Every refusal with its remedy: what to offer beside a work that failed or was interrupted."""

from __future__ import annotations

from dataclasses import dataclass

from studio.models import Work

_STEPS = {  # of accounts.readiness, by the SDK's error class
    "ReserveTooLow": "transfer",
    "SubAccountMissing": "transfer",
    "SignerNotAcknowledged": "acknowledge",
    "SessionExpired": "session",
    "SessionRevoked": "session",
    "SessionInvalid": "session",
}
_ELSEWHERE = {"DestinationRefused", "ServiceMissing", "ReplyTooLarge", "ModelNotServed"}
_BUSY = {"RateLimited", "ProviderBusy"}
_DEFAULT_WAIT = 5


@dataclass(frozen=True, slots=True)
class Remedy:
    """What helps: a readiness step, ordering again (after `wait` s), another provider."""

    step: str = ""
    can_order_again: bool = True
    wait: int = 0

    @property
    def button(self) -> str:
        """What leads to the step, in words; "" where none helps."""
        return _BUTTONS.get(self.step, "")


_BUTTONS = {
    "transfer": "Transfer funds",
    "acknowledge": "Acknowledge its signer",
    "session": "Start a session",
}


def remedy(work: Work) -> Remedy | None:
    """Return what to offer for `work`, or None where it needs nothing."""
    if work.state not in Work.BROKEN:
        return None
    kind = work.problem_kind
    wait = (work.retry_after or _DEFAULT_WAIT) if kind in _BUSY else 0
    return Remedy(_STEPS.get(kind, ""), kind not in _ELSEWHERE, wait)
