"""What the network's status service reports of services (PROTOCOL §8), and how its readings went.

It is a third party's claim, kept and shown apart from what this site has measured itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import models
from django.utils import timezone

from zgcompute.status_api import HealthStatus

if TYPE_CHECKING:
    from datetime import datetime

OVERDUE = timedelta(minutes=15)  # a report read longer ago says nothing about the present


@dataclass(frozen=True, slots=True)
class Look:
    """A reported status in words; nothing that is only reported looks good."""

    word: str
    icon: str
    tone: str


class StatusReadings(models.Model):
    """The part of a network's state that says how its status service was last read.

    `status_at` and `status_models_at` are when each of its two lists was last read.
    """

    status_at = models.DateTimeField(null=True)
    status_problem = models.TextField(blank=True)
    status_problem_since = models.DateTimeField(null=True)
    status_models_at = models.DateTimeField(null=True)
    status_models_problem = models.TextField(blank=True)

    class Meta:
        abstract = True

    def record_status(self, when: datetime) -> None:
        """Its reports were read at `when`."""
        self.status_at = when
        self.status_problem, self.status_problem_since = "", None
        self.save(update_fields=["status_at", "status_problem", "status_problem_since"])

    def record_status_problem(self, problem: str) -> None:
        """Remember why its reports cannot be read, and since when; those we have stay."""
        self.status_problem = problem[:500]
        self.status_problem_since = self.status_problem_since or timezone.now()
        self.save(update_fields=["status_problem", "status_problem_since"])

    def record_status_models(self, when: datetime) -> None:
        """Its list of models was read at `when`."""
        self.status_models_at, self.status_models_problem = when, ""
        self.save(update_fields=["status_models_at", "status_models_problem"])

    def record_status_models_problem(self, problem: str) -> None:
        """Its list of models cannot be read; the cards we have of it stay."""
        self.status_models_problem = problem[:500]
        self.save(update_fields=["status_models_problem"])

    def forget_status(self) -> None:
        """The network has no status service any more."""
        for field in StatusReadings._meta.fields:
            setattr(self, field.name, field.get_default())
        self.save(update_fields=[field.name for field in StatusReadings._meta.fields])


class Reported(models.Model):
    """The report on one service: on its `model`, as of `checked_at` by the service's own clock.

    `uptime` is hundredths of a percent; the averages are milliseconds and tokens per second.
    """

    service = models.OneToOneField("Service", models.CASCADE, primary_key=True)
    model = models.CharField(max_length=300)
    status = models.CharField(max_length=10)
    uptime = models.PositiveIntegerField(null=True)
    checks_total = models.PositiveBigIntegerField(null=True)
    checks_successful = models.PositiveBigIntegerField(null=True)
    response_time_ms = models.PositiveIntegerField(null=True)
    first_token_ms = models.PositiveIntegerField(null=True)
    tokens_per_second = models.PositiveIntegerField(null=True)
    checked_at = models.DateTimeField(null=True)
    read_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"service {self.service_id} reported {self.status}"

    @property
    def look(self) -> Look:
        return _LOOKS.get(self.status, _LOOKS[HealthStatus.UNKNOWN])

    @property
    def is_old(self) -> bool:
        """It could not be read for a while and says nothing about the present any more."""
        return timezone.now() - self.read_at > OVERDUE

    @property
    def is_up_against_us(self) -> bool:
        """Reported to be working, but down for us."""
        return self._is_comparable and self.service.reachable is False and self.status in _WORKING

    @property
    def is_down_against_us(self) -> bool:
        """Reported to be failing, but it answers us."""
        is_failing = self.status == HealthStatus.CRITICAL
        return self._is_comparable and self.service.reachable is True and is_failing

    @property
    def _is_comparable(self) -> bool:
        """Both sides have looked a short while ago."""
        return not self.is_old and not self.service.is_probe_old


FIGURES = (
    "uptime",
    "checks_total",
    "checks_successful",
    "response_time_ms",
    "first_token_ms",
    "tokens_per_second",
)
_WORKING = (HealthStatus.HEALTHY, HealthStatus.WARNING)
_LOOKS: dict[str, Look] = {
    HealthStatus.HEALTHY: Look("Reported healthy", "signal", ""),
    HealthStatus.WARNING: Look("Reported with warnings", "exclamation-triangle", "warn"),
    HealthStatus.CRITICAL: Look("Reported critical", "exclamation-circle", "warn"),
    HealthStatus.UNKNOWN: Look("Reported without a status", "question-mark-circle", ""),
}
