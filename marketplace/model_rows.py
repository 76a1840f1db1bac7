"""The models that a provider lists at its own address: claims, kept as they were last read.

Where a provider's own list could not be read, the network's status service may fill in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import models, transaction

from marketplace.fields import NeuronField
from zgcompute.additional_info import CacheBilling, PriceTier
from zgcompute.model_cards import ModelCard

if TYPE_CHECKING:
    from marketplace.models import Service

MOST = 100  # models kept of one provider


class Source(models.TextChoices):
    """Who said it."""

    PROVIDER = "provider", "The provider itself"
    STATUS = "network_status", "The network's status service"


class ModelRow(models.Model):
    """One element of GET /v1/models (PROTOCOL §3.3); prices are neuron per token or image."""

    source = models.CharField(max_length=20, choices=Source.choices, default=Source.PROVIDER)
    service = models.ForeignKey("Service", models.CASCADE, related_name="model_rows")
    position = models.PositiveIntegerField()
    model_id = models.CharField(max_length=300)
    canonical_id = models.CharField(max_length=300, blank=True)
    service_type = models.CharField(max_length=300, blank=True)
    name = models.CharField(max_length=300, blank=True)
    description = models.TextField(blank=True)
    expires = models.CharField(max_length=300, blank=True)
    context_length = models.PositiveBigIntegerField(null=True)
    max_tokens = models.PositiveBigIntegerField(null=True)
    requests_per_minute = models.PositiveBigIntegerField(null=True)
    input_modalities = models.JSONField(default=list)
    output_modalities = models.JSONField(default=list)
    parameters = models.JSONField(default=list)
    prompt_price = NeuronField(null=True)
    completion_price = NeuronField(null=True)
    image_price = NeuronField(null=True)
    tiers = models.JSONField(default=list)
    cache_billing = models.JSONField(null=True)
    read_at = models.DateTimeField()

    class Meta:
        ordering = ["position"]
        indexes = [models.Index(fields=["model_id"], name="rows_of_model")]

    def __str__(self) -> str:
        return self.model_id

    @property
    def is_reported(self) -> bool:
        """Not the provider's own words, but those of the network's status service about it."""
        return self.source == Source.STATUS

    @property
    def card(self) -> ModelCard:
        """The part of the provider's card that decides prices."""
        return ModelCard(
            id=self.model_id,
            prompt_price=self.prompt_price,
            completion_price=self.completion_price,
            image_price=self.image_price,
            tiers=tuple(PriceTier(*tier) for tier in self.tiers),
            cache_billing=CacheBilling(*self.cache_billing) if self.cache_billing else None,
        )

    @property
    def modalities(self) -> str:
        """What goes in and what comes out, such as "text, image → text"; "" where not said."""
        if not self.input_modalities and not self.output_modalities:
            return ""
        return " → ".join(
            ", ".join(names) or "?" for names in (self.input_modalities, self.output_modalities)
        )


def keep(listed: Mapping[int, Sequence[ModelCard]], now: datetime) -> int:
    """Store what each service (by key) lists itself; return for how many that was something new.

    Its own list takes the place of whatever another source has filled in.
    """
    changed = _changed(listed, Source.PROVIDER, now)
    told = [service for service, rows in changed.items() if rows]
    with transaction.atomic():
        ModelRow.objects.filter(service__in=told).delete()
        _store(changed, Source.PROVIDER)
    return len(changed)


def fill_in(listed: Mapping[int, Sequence[ModelCard]], now: datetime) -> int:
    """Store what the status service lists for each service (by key) whose own list we lack."""
    own = ModelRow.objects.filter(service__in=listed, source=Source.PROVIDER).order_by()
    told = set(own.values_list("service_id", flat=True))
    missing = {service: () if service in told else cards for service, cards in listed.items()}
    changed = _changed(missing, Source.STATUS, now)
    with transaction.atomic():
        _store(changed, Source.STATUS)
    return len(changed)


def of_service(service: Service) -> ModelRow | None:
    """Return the card of the service's own model: by id, by canonical id, or the only one."""
    rows = list(service.model_rows.all())
    for name in ("model_id", "canonical_id"):
        for row in rows:
            if getattr(row, name) == service.model:
                return row
    return rows[0] if len(rows) == 1 else None


def _changed(
    listed: Mapping[int, Sequence[ModelCard]], source: Source, now: datetime
) -> dict[int, list[ModelRow]]:
    """The rows of those services for which `source` says something else than it did."""
    known: dict[int, list[ModelRow]] = {service: [] for service in listed}
    for row in ModelRow.objects.filter(service__in=listed, source=source):
        known[row.service_id].append(row)
    fresh = {service: _rows(service, cards, source, now) for service, cards in listed.items()}
    return {key: rows for key, rows in fresh.items() if _facts(rows) != _facts(known[key])}


def _store(changed: Mapping[int, Sequence[ModelRow]], source: Source) -> None:
    ModelRow.objects.filter(service__in=changed, source=source).delete()
    ModelRow.objects.bulk_create((row for rows in changed.values() for row in rows), batch_size=50)


def _rows(
    service: int, cards: Sequence[ModelCard], source: Source, now: datetime
) -> list[ModelRow]:
    return [
        ModelRow(service_id=service, source=source, position=place, read_at=now, **_columns(card))
        for place, card in enumerate(cards[:MOST])
    ]


def _columns(card: ModelCard) -> dict[str, Any]:
    return {
        "model_id": card.id,
        "canonical_id": card.canonical_id,
        "service_type": card.service_type,
        "name": card.name,
        "description": card.description,
        "expires": card.expires,
        "context_length": card.context_length,
        "max_tokens": card.max_completion_tokens,
        "requests_per_minute": card.requests_per_minute,
        "input_modalities": list(card.input_modalities),
        "output_modalities": list(card.output_modalities),
        "parameters": list(card.supported_parameters),
        "prompt_price": card.prompt_price,
        "completion_price": card.completion_price,
        "image_price": card.image_price,
        "tiers": [list(astuple(tier)) for tier in card.tiers],
        "cache_billing": list(astuple(card.cache_billing)) if card.cache_billing else None,
    }


def _facts(rows: Iterable[ModelRow]) -> list[tuple[Any, ...]]:
    return [tuple(getattr(row, name) for name in _COMPARED) for row in rows]


_COMPARED = tuple(_columns(ModelCard(id="")))
