"""Reading the network's status service: its reports beside ours, its cards where we have none.

Nothing depends on it. A failed reading changes nothing but the recorded reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from django.db import transaction
from django.utils import timezone

from marketplace import model_rows
from marketplace.models import NetworkState, Service
from marketplace.reported import FIGURES, Reported
from zgcompute.errors import ProviderError
from zgcompute.networks import Network
from zgcompute.status_api import (
    ReportedHealth,
    ReportedModel,
    StatusApi,
    by_provider,
    health_of,
    without_prices,
)

CLOCK_SKEW = timedelta(minutes=5)  # what is checked later than that from now was not checked


class Reader(Protocol):
    """The part of `StatusApi` that is used here."""

    def health(self) -> tuple[ReportedHealth, ...]: ...
    def models(self) -> tuple[ReportedModel, ...]: ...
    def close(self) -> None: ...


def refresh(network: Network, reader: Reader | None = None) -> None:
    """Read the status service of `network`, where it has one; one list may fail without the other.

    The cards come first: a report may be found by the canonical id that a card gives.
    """
    state = NetworkState.of(network.slug)
    if not network.status_api:
        _forget(state)
        return
    reader = reader or StatusApi(network.status_api, local=network.local)
    try:
        _read_models(reader, state)
        _read_health(reader, state)
    finally:
        reader.close()


def _read_models(reader: Reader, state: NetworkState) -> None:
    try:
        listed = reader.models()
    except ProviderError as error:
        state.record_status_models_problem(str(error))
    else:
        _store_cards(by_provider(listed), state)


def _store_cards(cards: dict[str, list[ReportedModel]], state: NetworkState) -> None:
    services = Service.objects.on(state.network).listed().values_list("pk", "provider")
    listed = {pk: cards.get(provider.lower(), []) for pk, provider in services}
    unpriced = {pk: [without_prices(entry.card) for entry in of] for pk, of in listed.items()}
    now = timezone.now()
    model_rows.fill_in(unpriced, now)
    state.record_status_models(now)


def _read_health(reader: Reader, state: NetworkState) -> None:
    try:
        entries = reader.health()
    except ProviderError as error:
        state.record_status_problem(str(error))
    else:
        _store_reports(by_provider(entries), state)


def _store_reports(entries: dict[str, list[ReportedHealth]], state: NetworkState) -> None:
    now = timezone.now()
    rows = list(_rows(state.network, entries, now))
    stored = Reported.objects.filter(service__network=state.network)
    with transaction.atomic():
        stored.exclude(service__in=[row.service_id for row in rows]).delete()
        Reported.objects.bulk_create(
            rows,
            batch_size=50,
            update_conflicts=True,
            unique_fields=["service"],
            update_fields=["model", "status", *FIGURES, "checked_at", "read_at"],
        )
        state.record_status(now)


def _rows(
    network: str, entries: dict[str, list[ReportedHealth]], now: datetime
) -> Iterable[Reported]:
    for service in Service.objects.on(network).listed().prefetch_related("model_rows"):
        row = model_rows.of_service(service)
        found = health_of(
            entries.get(service.provider.lower(), ()),
            service.model,
            row.canonical_id if row else "",
            alone=not service.as_listed.info.multi_model,
        )
        if found is not None:
            yield _row(service, found, now)


def _row(service: Service, found: ReportedHealth, now: datetime) -> Reported:
    return Reported(
        service=service,
        model=found.model,
        status=found.status.value,
        checked_at=_moment(found.checked_at, now),
        read_at=now,
        **{name: getattr(found, name) for name in FIGURES},
    )


def _moment(seconds: int | None, now: datetime) -> datetime | None:
    """The time of a check, or None where it is not said or still to come."""
    if seconds is None or seconds > (now + CLOCK_SKEW).timestamp():
        return None
    return datetime.fromtimestamp(seconds, tz=UTC)


def _forget(state: NetworkState) -> None:
    """Without a status service nothing is reported: what one said earlier is of no use."""
    Reported.objects.filter(service__network=state.network).delete()
    services = Service.objects.on(state.network).values_list("pk", flat=True)
    model_rows.fill_in(dict.fromkeys(services, ()), timezone.now())
    state.forget_status()
