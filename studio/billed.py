"""What the account pages show of a billed work: its page, and how its proof came out."""

from __future__ import annotations

from collections.abc import Sequence

from accounts.models import Usage
from accounts.subjects import Subject
from marketplace.outcome_marks import icon, tone
from studio.models import Work


def subjects_of(rows: Sequence[Usage]) -> dict[int, Subject]:
    """The works that `rows` were billed for, by the usage's key."""
    works = Work.objects.filter(usage__in=[row.pk for row in rows])
    found = works.only("usage_id", "outcome", "network", "prompt")
    return {int(work.usage_id or 0): _subject(work) for work in found}


def _subject(work: Work) -> Subject:
    return Subject(
        title=str(work),
        url=work.get_absolute_url(),
        outcome=work.outcome,
        style=tone(work.outcome),
        icon=icon(work.outcome),
    )
