"""What a check says, and what all of them together say (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

_LONGEST = 4096  # characters of an expected or found value that are kept


class CheckVerdict(StrEnum):
    """The three things a single check can say."""

    PASSED = "passed"
    FAILED = "failed"
    UNCHECKED = "could not be checked"


class Overall(StrEnum):
    """The three things that can be said of a provider."""

    VERIFIED = "verified"
    FAILED = "failed"
    UNCHECKED = "could not be checked"


@dataclass(frozen=True, slots=True)
class Check:
    """One question about a provider and its answer.

    `subject` is what was asked about ("contract", "broker", "model server"), `key` names the
    check in every report of it. A provider is verified only if every `required` check passed.
    """

    subject: str
    key: str
    title: str
    why_it_matters: str
    verdict: CheckVerdict
    expected: str = ""
    found: str = ""
    reason: str = ""
    required: bool = True

    @property
    def name(self) -> str:
        return f"{self.subject}: {self.key}"


@dataclass(frozen=True, slots=True)
class Question:
    """What a check asks; it makes the Check once the answer is known.

    A question that is not `required` is about a claim that need not be made, or a fact that may
    be out of reach; an answer that is plainly wrong still counts.
    """

    key: str
    title: str
    why_it_matters: str
    required: bool = True

    def passed(self, *, expected: str = "", found: str = "", reason: str = "") -> Check:
        return self._answer(CheckVerdict.PASSED, expected, found, reason)

    def failed(self, reason: str, *, expected: str = "", found: str = "") -> Check:
        return self._answer(CheckVerdict.FAILED, expected, found, reason)

    def unchecked(self, reason: str, *, expected: str = "", found: str = "") -> Check:
        return self._answer(CheckVerdict.UNCHECKED, expected, found, reason)

    def equal(self, *, expected: str, found: str, otherwise: str) -> Check:
        """Pass if both texts are the same, else fail with `otherwise` as the reason."""
        if expected == found:
            return self.passed(expected=expected, found=found)
        return self.failed(otherwise, expected=expected, found=found)

    def _answer(self, verdict: CheckVerdict, expected: str, found: str, reason: str) -> Check:
        return Check(
            subject="",
            key=self.key,
            title=self.title,
            why_it_matters=self.why_it_matters,
            verdict=verdict,
            expected=expected[:_LONGEST],
            found=found[:_LONGEST],
            reason=reason,
            required=self.required or verdict is CheckVerdict.FAILED,
        )


def overall(checks: Iterable[Check]) -> Overall:
    """Verified only if every required check passed; failed as soon as one of them failed."""
    required = [check.verdict for check in checks if check.required]
    if CheckVerdict.FAILED in required:
        return Overall.FAILED
    if required and all(verdict is CheckVerdict.PASSED for verdict in required):
        return Overall.VERIFIED
    return Overall.UNCHECKED
