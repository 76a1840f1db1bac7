"""What this site may say of a provider's hardware and code, and the page that shows why.

Only one thing is ever called verified: a finished check of the record as it stands now, in which
every required question was answered well.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from marketplace.models import Service
from marketplace.verifications import ProviderVerification, fingerprint
from zgcompute.attestation import CheckVerdict, Overall

SHOWN = 36  # characters of a value that stand in a line


@dataclass(frozen=True, slots=True)
class Standing:
    """One line about a provider: `word` beside `icon` in the `tone` of a state."""

    word: str
    icon: str
    tone: str
    meaning: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Value:
    """Something expected or found: `lines` to look at, `full` to copy."""

    lines: tuple[str, ...]
    full: str


@dataclass(frozen=True, slots=True)
class Line:
    """One check, ready to print."""

    title: str
    why: str
    word: str
    icon: str
    tone: str
    reason: str
    expected: Value | None
    found: Value | None
    is_open: bool
    is_required: bool


@dataclass(frozen=True, slots=True)
class Group:
    """The checks of one subject, under `title`; `anchor` names them in the page."""

    title: str
    anchor: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything on the verification page."""

    standing: Standing
    running: ProviderVerification | None
    shown: ProviderVerification | None
    groups: tuple[Group, ...]
    wrong: tuple[str, ...]


def standing(service: Service) -> Standing:
    """Return what may be said of `service` now (one query)."""
    return _standing(service, ProviderVerification.objects.of(service).finished().first())


def report(service: Service) -> Report:
    """Return the page's content: a running verification as far as it is, else the last one."""
    latest = ProviderVerification.objects.of(service).first()
    running = latest if latest is not None and latest.is_running else None
    finished = ProviderVerification.objects.of(service).finished().first()
    shown = running or finished
    checks: list[dict[str, Any]] = shown.result.get("checks", []) if shown else []
    return Report(
        standing=_standing(service, finished),
        running=running,
        shown=shown,
        groups=tuple(_groups(checks)),
        wrong=tuple(_wrong(checks)),
    )


def _standing(service: Service, latest: ProviderVerification | None) -> Standing:
    if latest is None:
        return _NEVER
    if latest.record != fingerprint(service):
        return _at(_CHANGED, latest)
    if latest.overall == Overall.VERIFIED:
        return _at(_VERIFIED, latest)
    return _at(_FAILED if latest.overall == Overall.FAILED else _UNCHECKED, latest)


def _at(standing: Standing, row: ProviderVerification) -> Standing:
    scope = row.result.get("scope", "")
    meaning = f"{standing.meaning} {row.problem or scope}".strip()
    return Standing(standing.word, standing.icon, standing.tone, meaning, row.finished_at)


_NEVER = Standing(
    "Never checked",
    "question-mark-circle",
    "wait",
    "This site has not looked at this provider's attestation reports yet.",
)
_CHANGED = Standing(
    "Not checked since it changed",
    "clock",
    "wait",
    "The provider's record on chain is another than the one that was checked. What follows is "
    "about the earlier one.",
)
_VERIFIED = Standing(
    "Verified",
    "shield-check",
    "good",
    "Every required check passed. Whether the operating system is a published build is left to "
    "you: its steps are at the end of the list of checks.",
)
_FAILED = Standing(
    "Failed",
    "x-circle",
    "bad",
    "At least one required check failed. Do not rely on this provider's hardware and code.",
)
_UNCHECKED = Standing(
    "Could not be checked",
    "question-mark-circle",
    "warn",
    "Not everything that is required could be checked, so nothing is confirmed.",
)
_LOOKS = {
    CheckVerdict.PASSED: ("Passed", "check-circle", "good"),
    CheckVerdict.FAILED: ("Failed", "x-circle", "bad"),
    CheckVerdict.UNCHECKED: ("Could not be checked", "question-mark-circle", "warn"),
}
_TITLES = {
    "contract": "The record on chain",
    "broker": "The broker's report",
    "model server": "The model server's report",
}


def _groups(checks: list[dict[str, Any]]) -> Iterable[Group]:
    for subject, title in _TITLES.items():
        lines = tuple(_line(check) for check in checks if check["subject"] == subject)
        if lines:
            yield Group(title, subject.replace(" ", "-"), lines)


def _wrong(checks: list[dict[str, Any]]) -> Iterable[str]:
    """The names of required checks that failed."""
    for check in checks:
        if check["required"] and check["verdict"] == CheckVerdict.FAILED:
            yield f"{check['title']} ({check['subject']})"


def _line(check: dict[str, Any]) -> Line:
    verdict = CheckVerdict(check["verdict"])
    word, icon, tone = _LOOKS[verdict]
    is_minor = verdict is CheckVerdict.UNCHECKED and not check["required"]
    return Line(
        title=check["title"],
        why=check["why_it_matters"],
        word=word,
        icon=icon,
        tone="wait" if is_minor else tone,
        reason=check["reason"],
        expected=_value(check["expected"]),
        found=_value(check["found"]),
        is_open=verdict is CheckVerdict.FAILED,
        is_required=check["required"],
    )


def _value(text: str) -> Value | None:
    if not text:
        return None
    return Value(tuple(_middle_cut(line) for line in text.split("\n")), text)


def _middle_cut(text: str) -> str:
    half = SHOWN // 2
    return text if len(text) <= SHOWN else f"{text[:half]}…{text[-half:]}"
