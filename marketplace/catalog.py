"""Mirroring the services of a network: all of them or none, and never deleting one.

What a provider wrote on chain is hostile text. It is stored as it is, but for what a database
cannot hold: NUL characters, broken Unicode, and what is longer than its column.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from marketplace import history, service_events
from marketplace.models import NetworkState, Service
from marketplace.storable import MAX_ADDITIONAL_INFO, MAX_MODEL, MAX_URL, MAX_WORD, storable
from zgcompute import types
from zgcompute.chain import Chain
from zgcompute.errors import Error

_MAX_SECONDS = 2**63 - 1  # the database's widest integer; the contract's is wider
_MIRRORED = (
    "service_type",
    "url",
    "model",
    "verifiability",
    "input_price",
    "output_price",
    "additional_info",
    "tee_signer",
    "tee_signer_acknowledged",
    "updated_at",
)


@dataclass(frozen=True, slots=True)
class Changes:
    """What a look at the chain changed in the catalog."""

    added: int
    updated: int
    returned: int
    removed: int


def sync(chain: Chain, network: str) -> Changes | None:
    """Bring the catalog of `network` up to date; None if the chain could not be read.

    A service that is gone is marked removed, one that comes back loses the mark. After a failed
    or partial read nothing changes but the recorded reason.
    """
    state = NetworkState.of(network)
    try:
        services = chain.services()
    except Error as error:
        state.record_services_problem(str(error))
        return None
    with transaction.atomic():
        changes = _apply(services, network, timezone.now())
        state.record_services(timezone.now())
    return changes


def _apply(services: Iterable[types.Service], network: str, now: datetime) -> Changes:
    listed = {service.provider: _columns(service) for service in services}
    known = {row.provider: row for row in Service.objects.on(network)}
    fresh = [
        Service(network=network, provider=provider, first_seen_at=now, seen_at=now, **columns)
        for provider, columns in listed.items()
        if provider not in known
    ]
    stay = [known[provider] for provider in listed if provider in known]
    gone = [
        row.pk
        for provider, row in known.items()
        if provider not in listed and row.removed_at is None
    ]
    returned = sum(row.removed_at is not None for row in stay)
    moved = [row.pk for row in stay if row.url != listed[row.provider]["url"]]
    differences = [
        change for row in stay for change in history.changes(row, listed[row.provider], now)
    ]
    changed = [row for row in stay if _update(row, listed[row.provider])]

    Service.objects.bulk_create(fresh)
    Service.objects.bulk_update(changed, [*_MIRRORED, "removed_at"], batch_size=50)
    Service.objects.filter(pk__in=moved).forget_probes()
    removed = Service.objects.listed().filter(pk__in=gone).update(removed_at=now)
    Service.objects.on(network).listed().update(seen_at=now)
    history.store(differences + history.removals(gone, now))
    service_events.tell(fresh)
    return Changes(len(fresh), len(changed), returned, removed)


def _update(row: Service, columns: dict[str, Any]) -> bool:
    """Write `columns` into `row`; tell whether that, or its return, changed it."""
    is_new = {name: value for name, value in columns.items() if getattr(row, name) != value}
    has_returned = row.removed_at is not None
    for name, value in is_new.items():
        setattr(row, name, value)
    row.removed_at = None
    return bool(is_new) or has_returned


def _columns(service: types.Service) -> dict[str, Any]:
    return {
        "service_type": storable(service.service_type, MAX_WORD),
        "url": storable(service.url, MAX_URL),
        "model": storable(service.model, MAX_MODEL),
        "verifiability": storable(service.verifiability, MAX_WORD),
        "input_price": service.input_price,
        "output_price": service.output_price,
        "additional_info": storable(service.additional_info, MAX_ADDITIONAL_INFO),
        "tee_signer": service.tee_signer,
        "tee_signer_acknowledged": service.tee_signer_acknowledged,
        "updated_at": min(service.updated_at, _MAX_SECONDS),
    }
