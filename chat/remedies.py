"""Every refusal with its remedy: what to offer below an answer that failed or broke off."""

from __future__ import annotations

from dataclasses import dataclass, replace

from chat.models import Message


@dataclass(frozen=True, slots=True)
class Remedy:
    """What helps: a readiness step, sending again (after `wait` s), another provider."""

    step: str = ""
    can_send_again: bool = True
    wait: int = 0
    another_provider: bool = False
    note: str = ""


def remedy(answer: Message) -> Remedy | None:
    """Return what to offer for `answer`, or None where it needs nothing."""
    if answer.state not in Message.BROKEN:
        return None
    if answer.problem_kind in _BUSY:
        return Remedy(wait=answer.retry_after or _DEFAULT_WAIT, another_provider=True)
    known = _REMEDIES.get(answer.problem_kind, Remedy())
    if not (answer.problem_kind and _fee_is_unknown(answer)):
        return known
    return replace(known, note=_BILLED_UNSEEN + (_BILLED_ANEW if known.can_send_again else ""))


def _fee_is_unknown(answer: Message) -> bool:
    """Tell whether the provider took the request, but never said what it costs."""
    receipt = getattr(answer, "receipt", None)
    return receipt is not None and receipt.fee is None


_BUSY = {"RateLimited", "ProviderBusy"}
_DEFAULT_WAIT = 5
_BILLED_UNSEEN = "The provider may bill it all the same."
_BILLED_ANEW = " Sending it again is billed on its own."
_NEW_SESSION = Remedy(step="session", note="Sign a new session below, then send again.")
_ELSEWHERE = Remedy(another_provider=True)
_ONLY_ELSEWHERE = Remedy(can_send_again=False, another_provider=True)
_REMEDIES = {
    "ReserveTooLow": Remedy(
        step="transfer", note="A provider sees a transfer within seconds. Then send again."
    ),
    "SignerNotAcknowledged": Remedy(
        step="acknowledge",
        another_provider=True,
        note="A provider may take up to 10 minutes to see an acknowledgement.",
    ),
    "SubAccountMissing": Remedy(step="transfer"),
    "SessionExpired": _NEW_SESSION,
    "SessionRevoked": _NEW_SESSION,
    "SessionInvalid": _NEW_SESSION,
    "ProviderUnreachable": _ELSEWHERE,
    "ProviderTimeout": _ELSEWHERE,
    "UpstreamFailed": _ELSEWHERE,
    "MalformedReply": _ELSEWHERE,
    "AnswerCutShort": _ELSEWHERE,
    "DestinationRefused": _ONLY_ELSEWHERE,
    "ServiceMissing": _ONLY_ELSEWHERE,
    "ReplyTooLarge": _ONLY_ELSEWHERE,
    "AnswerTooLong": _ONLY_ELSEWHERE,
    "ModelNotServed": _ONLY_ELSEWHERE,
}
