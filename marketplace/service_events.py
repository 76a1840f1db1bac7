"""What the contracts' events say about listings: every change, also between two looks.

A look at the catalog compares it with the look before; two changes in between are one to it, and
it knows no block. The events tell each with its block. Of a change that both tell the events' row
stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from django.db import models

from marketplace import history
from marketplace.fields import AddressField
from marketplace.storable import MAX_MODEL, MAX_URL, MAX_WORD, storable
from zgcompute.types import Event

if TYPE_CHECKING:
    from marketplace.indexing import Reading
    from marketplace.models import Service

_ACKNOWLEDGED = "tee_signer_acknowledged"


class ServiceEvent(models.Model):
    """An event about one provider's service; `fields` are the listing's as the event names them.

    Kept by provider: an event may be read before the service itself.
    """

    class Kind(models.TextChoices):
        UPDATED = "updated"
        REMOVED = "removed"
        ACKNOWLEDGED = "acknowledged"

    network = models.SlugField(max_length=31)
    provider = AddressField()
    kind = models.CharField(max_length=12, choices=Kind.choices)
    fields = models.JSONField(default=dict)  # texts by the names of `history.LABELS`
    block_number = models.PositiveBigIntegerField()
    log_index = models.PositiveIntegerField()
    at = models.DateTimeField()

    class Meta:
        ordering = ("block_number", "log_index")
        constraints = [
            models.UniqueConstraint(
                fields=["network", "block_number", "log_index"], name="one_service_event_per_log"
            )
        ]
        indexes = [
            models.Index(fields=["network", "provider", "block_number"], name="events_of_service")
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.provider} in block {self.block_number}"


class ServiceReader:
    """Keeps what events tell about services (an `indexing.Reader`)."""

    def __init__(self) -> None:
        self._events: list[ServiceEvent] = []

    def prepare(self, reading: Reading) -> None:
        found = (_kept(reading, event) for event in reading.events)
        self._events = [event for event in found if event is not None]

    def record(self, reading: Reading) -> None:
        ServiceEvent.objects.bulk_create(self._events, ignore_conflicts=True, batch_size=100)
        _tell(reading.network, {event.provider for event in self._events})

    def take_back(self, network: str, above: int) -> None:
        gone = ServiceEvent.objects.filter(network=network, block_number__gt=above)
        providers = set(gone.values_list("provider", flat=True))
        gone.delete()
        _tell(network, providers)


def tell(services: Iterable[Service]) -> None:
    """Write the changes that events tell of `services`, in place of those told before."""
    for service in services:
        events = ServiceEvent.objects.filter(network=service.network, provider=service.provider)
        events = events.order_by("-block_number", "-log_index")
        if too_old := list(events.values_list("pk", flat=True)[history.MOST :]):
            events.filter(pk__in=too_old).delete()
        history.replace_told(service, list(_changes(service, list(events)[::-1])))


def _tell(network: str, providers: set[str]) -> None:
    from marketplace.models import Service

    tell(Service.objects.on(network).filter(provider__in=providers))


def _changes(service: Service, events: Iterable[ServiceEvent]) -> Iterator[history.ServiceChange]:
    listing: dict[str, str] | None = None
    is_removed = False
    for event in events:
        if event.kind == ServiceEvent.Kind.ACKNOWLEDGED:
            after = event.fields[_ACKNOWLEDGED]
            yield _change(service, event, _ACKNOWLEDGED, "no" if after == "yes" else "yes", after)
        elif event.kind == ServiceEvent.Kind.REMOVED:
            yield _change(service, event, history.LISTED, "yes", "no")
            is_removed = True
        else:
            if is_removed:
                yield _change(service, event, history.LISTED, "no", "yes")
            for name, after in event.fields.items() if listing else ():
                if listing and listing[name] != after:
                    yield _change(service, event, name, listing[name], after)
            listing, is_removed = event.fields, False


def _change(
    service: Service, event: ServiceEvent, field: str, before: str, after: str
) -> history.ServiceChange:
    return history.ServiceChange(
        service=service,
        at=event.at,
        block_number=event.block_number,
        field=field,
        before=before,
        after=after,
    )


def _kept(reading: Reading, event: Event) -> ServiceEvent | None:
    told = _told(event)
    if told is None:
        return None
    kind, fields = told
    return ServiceEvent(
        network=reading.network,
        provider=str(event.arguments.get("service", event.arguments.get("provider"))),
        kind=kind,
        fields=fields,
        block_number=event.block_number,
        log_index=event.log_index,
        at=datetime.fromtimestamp(reading.time_of(event), tz=UTC),
    )


def _told(event: Event) -> tuple[ServiceEvent.Kind, dict[str, str]] | None:
    arguments = event.arguments
    if event.name == "ServiceRemoved":
        return ServiceEvent.Kind.REMOVED, {}
    if event.name == "ProviderTEESignerAcknowledged":
        said = "yes" if arguments["acknowledged"] else "no"
        return ServiceEvent.Kind.ACKNOWLEDGED, {_ACKNOWLEDGED: said}
    if event.name != "ServiceUpdated":
        return None
    return ServiceEvent.Kind.UPDATED, {
        "input_price": str(arguments["inputPrice"]),
        "output_price": str(arguments["outputPrice"]),
        "model": storable(arguments["model"], MAX_MODEL),
        "url": storable(arguments["url"], MAX_URL),
        "service_type": storable(arguments["serviceType"], MAX_WORD),
        "verifiability": storable(arguments["verifiability"], MAX_WORD),
    }
