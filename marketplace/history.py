"""What changed in a service's listing, and when we saw it: prices, model, URL, signer and so on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import models

from zgcompute.fees import price_units

if TYPE_CHECKING:
    from marketplace.models import Service

MOST = 500  # changes kept of one service; a provider may change its listing in every block
SHOWN = 30
LISTED = "listed"
LABELS = {
    "input_price": "Input price",
    "output_price": "Output price",
    "model": "Model",
    "url": "URL",
    "service_type": "Service type",
    "verifiability": "Verifiability",
    "tee_signer": "TEE signer",
    "tee_signer_acknowledged": "Signer acknowledged",
    "additional_info": "Additional information",
    LISTED: "Registered",
}
_PRICES = ("input_price", "output_price")
_PER_MILLION = "per 1M tokens"
_LONGEST = 2_000  # characters kept of one value


class ServiceChange(models.Model):
    """One mirrored field of a service that changed; prices are neuron in decimal text."""

    service = models.ForeignKey("Service", models.CASCADE, related_name="changes", db_index=False)
    at = models.DateTimeField()
    block_number = models.PositiveBigIntegerField(null=True)  # None: seen by a look, not an event
    field = models.CharField(max_length=40)
    before = models.TextField(blank=True)
    after = models.TextField(blank=True)

    class Meta:
        ordering = ["-at", "-pk"]
        indexes = [models.Index(fields=["service", "-at"], name="changes_of_service")]

    def __str__(self) -> str:
        return f"{self.field} at {self.at:%Y-%m-%d %H:%M}"


@dataclass(frozen=True, slots=True)
class Line:
    """A change, ready to print; of a price `before` and `after` are neuron per `unit`."""

    at: datetime
    label: str
    before: int | str
    after: int | str
    unit: str = ""

    @property
    def is_price(self) -> bool:
        return bool(self.unit)


def changes(row: Service, columns: Mapping[str, Any], now: datetime) -> list[ServiceChange]:
    """Return what `columns`, as read from the chain now, change in `row`; not yet stored."""
    found = [
        _change(row, name, getattr(row, name), columns[name], now)
        for name in LABELS
        if name in columns and getattr(row, name) != columns[name]
    ]
    if row.removed_at is not None:
        found.append(_change(row, LISTED, False, True, now))
    return found


def removals(keys: Iterable[int], now: datetime) -> list[ServiceChange]:
    """Return the change of services (by key) that are registered no longer."""
    return [
        ServiceChange(service_id=key, at=now, field=LISTED, before="yes", after="no")
        for key in keys
    ]


def store(found: list[ServiceChange]) -> None:
    """Keep what looks found and no event has told, and forget the oldest of too many."""
    new = [change for change in found if not _is_told(change)]
    ServiceChange.objects.bulk_create(new, batch_size=100)
    for service in {change.service_id for change in found}:
        _forget_oldest(service)


def replace_told(service: Service, told: list[ServiceChange]) -> None:
    """Keep what events tell of a service, in place of what they told before and what looks saw."""
    of_service = ServiceChange.objects.filter(service=service)
    of_service.exclude(block_number=None).delete()
    for change in told:
        seen = of_service.filter(block_number=None, field=change.field, after=change.after)
        seen.filter(at__gte=change.at).delete()
    ServiceChange.objects.bulk_create(told, batch_size=100)
    _forget_oldest(service.pk)


def lines(service: Service) -> list[Line]:
    """Return the newest changes of `service`, prices in the unit of its present type."""
    return [_line(service, change) for change in service.changes.all()[:SHOWN]]


def _is_told(change: ServiceChange) -> bool:
    """Whether the last event about that field says what the look found."""
    rows = ServiceChange.objects.filter(service=change.service_id, field=change.field)
    last = rows.exclude(block_number=None).first()
    return last is not None and last.after == change.after


def _forget_oldest(service: int) -> None:
    of_service = ServiceChange.objects.filter(service=service)
    if too_old := list(of_service.values_list("pk", flat=True)[MOST:]):
        of_service.filter(pk__in=too_old).delete()


def _change(row: Service, field: str, before: Any, after: Any, now: datetime) -> ServiceChange:
    return ServiceChange(
        service_id=row.pk, at=now, field=field, before=_text(before), after=_text(after)
    )


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)[:_LONGEST]


def _line(service: Service, change: ServiceChange) -> Line:
    label = LABELS.get(change.field, change.field)
    if change.field not in _PRICES:
        return Line(change.at, label, change.before, change.after)
    unit = price_units(service.as_listed)[_PRICES.index(change.field)]
    times = 10**6 if unit == _PER_MILLION else 1
    return Line(
        change.at, label, int(change.before) * times, int(change.after) * times, unit or "per unit"
    )
