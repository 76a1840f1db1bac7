"""Turning single probes and answers into the figures that pages print.

The work per round is bounded: the services whose figures are oldest come first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from marketplace.measurements import (
    ENOUGH_ANSWERS,
    ENOUGH_PROBES,
    AnswerSample,
    HealthHour,
    HealthSample,
    Measured,
)
from marketplace.models import Service

MOST = 100  # services in one round
PAUSE = timedelta(seconds=60)
HOURS, DAYS = 24, 30
LAST_ANSWERS = 50  # the newest ones that a median is made of
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_KEPT_FINE = timedelta(hours=HOURS + 1)
_KEPT_COARSE = timedelta(days=DAYS)
_REWRITTEN = 3  # hours that may still have changed since the last round

Probe = tuple[datetime, bool, int | None]


def refresh(network: str, now: datetime | None = None) -> int:
    """Bring the figures of the network's services up to date; return of how many."""
    now = now or timezone.now()
    due = list(_due(network, now))
    if due:
        probes = _probes(due, _hour(now) - (HOURS - 1) * _HOUR)
        _store_hours(probes, _hour(now) - (_REWRITTEN - 1) * _HOUR)
        days, answers = _days(due, now), _answers(due, now)
        rows = [_measured(pk, probes[pk], days[pk], answers[pk], now) for pk in due]
        Measured.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["service"], update_fields=_FIGURES
        )
    _forget(now)
    return len(due)


def percentile(values: Iterable[int], percent: int) -> int | None:
    """Return the value that `percent` of all `values` do not exceed; None without values."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)] if ordered else None


def share(reached: int, probes: int) -> int | None:
    """Return `reached` of `probes` in hundredths of a percent, rounded down; None if too few."""
    return reached * 10_000 // probes if probes >= ENOUGH_PROBES else None


def _due(network: str, now: datetime) -> Iterable[int]:
    listed = Service.objects.on(network).listed()
    waiting = listed.filter(
        Q(measured=None) | Q(measured__refreshed_at__lt=now - PAUSE), probed_at__isnull=False
    )
    return waiting.order_by("measured__refreshed_at", "pk").values_list("pk", flat=True)[:MOST]


def _probes(services: Sequence[int], since: datetime) -> dict[int, list[Probe]]:
    probes: dict[int, list[Probe]] = defaultdict(list)
    samples = HealthSample.objects.filter(service__in=services, at__gte=since)
    rows = samples.values_list("service_id", "at", "reachable", "latency_ms")
    for service, at, reachable, latency in rows:
        probes[service].append((at, reachable, latency))
    return probes


def _store_hours(probes: dict[int, list[Probe]], since: datetime) -> None:
    rows = [
        HealthHour(
            service_id=service,
            hour=hour,
            probes=len(met),
            reached=_reached(met),
            latency_p50=percentile(_latencies(met), 50),
            latency_p95=percentile(_latencies(met), 95),
        )
        for service, all_met in probes.items()
        for hour, met in _by_hour(probe for probe in all_met if probe[0] >= since).items()
    ]
    HealthHour.objects.bulk_create(
        rows,
        batch_size=100,
        update_conflicts=True,
        unique_fields=["service", "hour"],
        update_fields=["probes", "reached", "latency_p50", "latency_p95"],
    )


def _days(services: Sequence[int], now: datetime) -> dict[int, dict[date, tuple[int, int]]]:
    days: dict[int, dict[date, tuple[int, int]]] = defaultdict(dict)
    first = _hour(now).replace(hour=0) - (DAYS - 1) * _DAY
    rows = (
        HealthHour.objects.filter(service__in=services, hour__gte=first)
        .values_list("service_id", TruncDate("hour"))
        .annotate(Sum("probes"), Sum("reached"))
    )
    for service, day, probes, reached in rows:
        days[service][day] = probes, reached
    return days


def _answers(services: Sequence[int], now: datetime) -> dict[int, list[AnswerSample]]:
    answers: dict[int, list[AnswerSample]] = defaultdict(list)
    recent = AnswerSample.objects.filter(service__in=services, at__gte=now - _KEPT_COARSE)
    counts = recent.values("service_id").annotate(count=Count("pk")).order_by()
    for service in counts.values_list("service_id", flat=True):
        newest = recent.filter(service=service).order_by("-at")
        answers[service] = list(newest[:LAST_ANSWERS])
    return answers


def _measured(
    service: int,
    probes: list[Probe],
    days: dict[date, tuple[int, int]],
    answers: list[AnswerSample],
    now: datetime,
) -> Measured:
    enough = len(probes) >= ENOUGH_PROBES
    latencies = _latencies(probes) if enough else []
    month = [sum(counts) for counts in zip(*days.values(), strict=True)] or [0, 0]
    return Measured(
        service_id=service,
        refreshed_at=now,
        uptime_day=share(_reached(probes), len(probes)),
        uptime_month=share(month[1], month[0]),
        probes_day=len(probes),
        probes_month=month[0],
        latency_p50=percentile(latencies, 50),
        latency_p95=percentile(latencies, 95),
        answers=len(answers),
        first_token_p50=_typical(answer.first_token_ms for answer in answers),
        tokens_per_second_p50=_typical(answer.tokens_per_second for answer in answers),
        hours=_last_hours(probes, now),
        days=[list(days.get(_hour(now).date() - n * _DAY, (0, 0))) for n in range(DAYS)][::-1],
    )


def _last_hours(probes: list[Probe], now: datetime) -> list[list[int | None]]:
    by_hour = _by_hour(probes)
    hours = (_hour(now) - n * _HOUR for n in reversed(range(HOURS)))
    found = (by_hour.get(hour, []) for hour in hours)
    return [[len(met), _reached(met), percentile(_latencies(met), 50)] for met in found]


def _typical(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return percentile(known, 50) if len(known) >= ENOUGH_ANSWERS else None


def _by_hour(probes: Iterable[Probe]) -> dict[datetime, list[Probe]]:
    hours: dict[datetime, list[Probe]] = defaultdict(list)
    for probe in probes:
        hours[_hour(probe[0])].append(probe)
    return hours


def _reached(probes: Iterable[Probe]) -> int:
    return sum(reachable for _, reachable, _ in probes)


def _latencies(probes: Iterable[Probe]) -> list[int]:
    return [latency for _, _, latency in probes if latency is not None]


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _forget(now: datetime) -> None:
    HealthSample.objects.filter(at__lt=now - _KEPT_FINE).delete()
    HealthHour.objects.filter(hour__lt=now - _KEPT_COARSE).delete()
    AnswerSample.objects.filter(at__lt=now - _KEPT_COARSE).delete()


_FIGURES = [field.name for field in Measured._meta.concrete_fields if field.name != "service"]
