"""The verification page's content: a provider's checks line by line, while they run and after."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from marketplace.models import Service
from marketplace.verifications import ProviderVerification
from zgcompute.attestation import CheckVerdict

SHOWN = 36  # characters of a value that stand in a line


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
    """What the page shows of one verification: the running one, or else the last that ended."""

    running: ProviderVerification | None
    shown: ProviderVerification | None
    groups: tuple[Group, ...]
    wrong: tuple[str, ...]

    @property
    def about(self) -> str:
        """Why nothing came out, or what the checks were about."""
        if self.shown is None:
            return ""
        return str(self.shown.problem or self.shown.result.get("scope", ""))


def report(service: Service) -> Report:
    """Return the page's content: a running verification as far as it is, else the last one."""
    latest = ProviderVerification.objects.of(service).first()
    running = latest if latest is not None and latest.is_running else None
    shown = running or ProviderVerification.objects.of(service).finished().first()
    checks: list[dict[str, Any]] = shown.result.get("checks", []) if shown else []
    return Report(
        running=running,
        shown=shown,
        groups=tuple(_groups(checks)),
        wrong=tuple(_wrong(checks)),
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
