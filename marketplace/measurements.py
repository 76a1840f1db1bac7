"""What this site has measured itself: probes, real answers, and the figures made of them.

Probes are kept one by one for a day and by the hour for thirty days. `Measured` holds the figures
that pages print, so that no page has to add up a day of probes.
"""

from __future__ import annotations

from django.db import models

from marketplace import sparklines

ENOUGH_PROBES = 10
ENOUGH_ANSWERS = 3


class HealthSample(models.Model):
    """One probe of a service; `latency_ms` is None where it did not answer."""

    service = models.ForeignKey("Service", models.CASCADE, related_name="+", db_index=False)
    at = models.DateTimeField(db_index=True)
    reachable = models.BooleanField()
    latency_ms = models.PositiveIntegerField(null=True)

    class Meta:
        indexes = [models.Index(fields=["service", "at"], name="samples_of_service")]

    def __str__(self) -> str:
        return f"{self.at:%H:%M:%S} {'up' if self.reachable else 'down'}"


class HealthHour(models.Model):
    """All probes of a service in the hour that begins at `hour`."""

    service = models.ForeignKey("Service", models.CASCADE, related_name="+", db_index=False)
    hour = models.DateTimeField(db_index=True)
    probes = models.PositiveIntegerField()
    reached = models.PositiveIntegerField()
    latency_p50 = models.PositiveIntegerField(null=True)
    latency_p95 = models.PositiveIntegerField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["service", "hour"], name="one_row_per_hour")]

    def __str__(self) -> str:
        return f"{self.hour:%d %H:00} {self.reached}/{self.probes}"


class AnswerSample(models.Model):
    """One real answer that passed through this site; `tokens` is what the provider counted."""

    service = models.ForeignKey("Service", models.CASCADE, related_name="+", db_index=False)
    model = models.CharField(max_length=300)
    at = models.DateTimeField(db_index=True)
    first_token_ms = models.PositiveIntegerField()
    tokens = models.PositiveIntegerField(null=True)
    duration_ms = models.PositiveIntegerField()

    class Meta:
        indexes = [models.Index(fields=["service", "at"], name="answers_of_service")]

    def __str__(self) -> str:
        return f"{self.model} after {self.first_token_ms} ms"

    @property
    def tokens_per_second(self) -> int | None:
        """The speed after the first token, or None where the answer is too short to tell."""
        writing = self.duration_ms - self.first_token_ms
        if self.tokens is None or self.tokens < 8 or writing <= 0:
            return None
        return self.tokens * 1000 // writing


class Measured(models.Model):
    """The figures of one service. Latencies are milliseconds; None is: not enough measured.

    `hours` lists the last 24 hours, oldest first, as [probes, reached, latency p50 or null];
    `days` the last 30 days as [probes, reached]. Both end with the one that was current at
    `refreshed_at`.
    """

    service = models.OneToOneField("Service", models.CASCADE, primary_key=True)
    refreshed_at = models.DateTimeField()
    uptime_day = models.PositiveIntegerField(null=True)  # hundredths of a percent, rounded down
    uptime_month = models.PositiveIntegerField(null=True)
    probes_day = models.PositiveIntegerField(default=0)
    probes_month = models.PositiveIntegerField(default=0)
    latency_p50 = models.PositiveIntegerField(null=True)
    latency_p95 = models.PositiveIntegerField(null=True)
    answers = models.PositiveIntegerField(default=0)
    first_token_p50 = models.PositiveIntegerField(null=True)
    tokens_per_second_p50 = models.PositiveIntegerField(null=True)
    hours = models.JSONField(default=list)
    days = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"service {self.service_id} as of {self.refreshed_at:%H:%M:%S}"

    @property
    def day_bars(self) -> sparklines.Bars:
        return sparklines.bars(self.hours, "hour")

    @property
    def month_bars(self) -> sparklines.Bars:
        return sparklines.bars(self.days, "day")

    @property
    def latency_line(self) -> sparklines.Line | None:
        return sparklines.line([hour[2] for hour in self.hours])

    @property
    def is_enough(self) -> bool:
        """Whether anything of the last day can be stated at all."""
        return self.uptime_day is not None
