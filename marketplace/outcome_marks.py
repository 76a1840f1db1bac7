"""How the four outcomes of a check look: each has its own icon, and only one is green."""

from __future__ import annotations

_TONES = {"verified": "good", "failed": "bad", "not checked": "warn"}
_ICONS = {
    "verified": "shield-check",
    "failed": "shield-exclamation",
    "not verifiable": "no-symbol",
}


def tone(outcome: str) -> str:
    """The state's colour for an outcome."""
    return _TONES.get(outcome, "")


def icon(outcome: str) -> str:
    """The icon for an outcome: four outcomes, four shapes."""
    return _ICONS.get(outcome, "question-mark-circle")
