"""How the catalog is narrowed and ordered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Case, Count, Exists, F, IntegerField, Max, OuterRef, Q, Value, When
from django.db.models.functions import Lower
from django.utils import timezone

from marketplace import service_types

if TYPE_CHECKING:
    from marketplace.model_rows import ModelRow
    from marketplace.models import Service  # noqa: F401  (named in a base class)

_SEARCHED = ("model", "provider", "service_type", "verifiability")
_MAX_WORDS = 8


@dataclass(frozen=True, slots=True)
class Census:
    """Services by type, those without a name here together; `version` of what we found out."""

    counts: dict[str, int]
    version: str

    @property
    def total(self) -> int:
        return sum(self.counts.values())


class ServiceQuerySet(models.QuerySet["Service"]):
    """Services of one network, narrowed step by step."""

    def on(self, network: str) -> ServiceQuerySet:
        return self.filter(network=network)

    def listed(self) -> ServiceQuerySet:
        """Services that are still registered on chain."""
        return self.filter(removed_at=None)

    def with_findings(self) -> ServiceQuerySet:
        """With our own measurements and the last verification, in the same query."""
        related = self.select_related("measured", "last_verification")
        return related.defer("last_verification__result", "last_verification__evidence")

    def of_type(self, service_type: str) -> ServiceQuerySet:
        """Services of one type; `service_types.OTHER` stands for all that have no name here."""
        if service_type == service_types.OTHER:
            return self.exclude(service_type__in=service_types.LABELS)
        return self.filter(service_type=service_type)

    def matching(self, text: str) -> ServiceQuerySet:
        """Services in which every word of `text` occurs where a reader would look for it."""
        found = self
        for word in text.split()[:_MAX_WORDS]:
            here = reduce(or_, (Q(**{f"{place}__icontains": word}) for place in _SEARCHED))
            found = found.filter(here | Exists(_rows_with(word)))
        return found

    def claiming(self, verifiability: str) -> ServiceQuerySet:
        """Services that claim that kind of proof; "other" stands for all kinds without a name."""
        if verifiability == "other":
            return self.exclude(verifiability__in=("TeeML", "TeeTLS"))
        return self.filter(verifiability=verifiability)

    def reachable(self) -> ServiceQuerySet:
        """Services that answered our last probe, if that was a short while ago."""
        return self.filter(reachable=True, probed_at__gte=timezone.now() - PROBE_OVERDUE)

    def with_context(self, tokens: int) -> ServiceQuerySet:
        """Services with a model for which the provider claims room for so many tokens."""
        rows = _model_rows().filter(service=OuterRef("pk"), context_length__gte=tokens)
        return self.filter(Exists(rows))

    def costing_at_most(self, neuron: int) -> ServiceQuerySet:
        """By the price that weighs most, in the unit of the type (per 1M tokens, image, second)."""
        return self.filter(_bounded("lte", neuron, neuron // PER_MILLION))

    def costing_at_least(self, neuron: int) -> ServiceQuerySet:
        """As `costing_at_most`, the other way."""
        return self.filter(_bounded("gte", neuron, -(-neuron // PER_MILLION)))

    def by_name(self) -> ServiceQuerySet:
        return self._grouped(Lower("model"))

    def newest_first(self) -> ServiceQuerySet:
        return self._grouped(F("first_seen_at").desc(), F("pk").desc())

    def cheapest_first(self) -> ServiceQuerySet:
        """By the price that weighs most in its type, then by the other one."""
        return self._grouped(_MAIN_PRICE, "input_price")

    def fastest_first(self) -> ServiceQuerySet:
        """By the measured tokens per second, then by the time to the first token and latency."""
        return self._grouped(
            F("measured__tokens_per_second_p50").desc(nulls_last=True),
            F("measured__first_token_p50").asc(nulls_last=True),
            F("measured__latency_p50").asc(nulls_last=True),
        )

    def steadiest_first(self) -> ServiceQuerySet:
        return self._grouped(
            F("measured__uptime_day").desc(nulls_last=True),
            F("measured__uptime_month").desc(nulls_last=True),
        )

    def _grouped(self, *order: str | models.expressions.Combinable) -> ServiceQuerySet:
        """Types apart, for a token and an image don't compare; those open for use first."""
        return self.order_by(_TYPE_RANK, F("tee_signer_acknowledged").desc(), *order, "pk")

    def census(self) -> Census:
        """How many services there are of each type, and what changes when their entries may."""
        counts: dict[str, int] = {}
        moments: list[datetime] = []
        rows = self.order_by().values_list("service_type")
        for service_type, count, *newest in rows.annotate(
            Count("pk"),
            Max("probed_at"),
            Max("measured__refreshed_at"),
            Max("last_verification__finished_at"),
        ):
            key = service_types.key(service_type)
            counts[key] = counts.get(key, 0) + count
            moments += filter(None, newest)
        newest_moment = max(moments, default=None)
        return Census(counts, f"{sum(counts.values())} {newest_moment}")

    def longest_unprobed(self) -> ServiceQuerySet:
        """Those never probed first, then those probed longest ago."""
        return self.order_by(F("probed_at").asc(nulls_first=True), "pk")

    def forget_probes(self) -> int:
        """What was met at another URL says nothing about the present one."""
        return self.update(
            reachable=None, probed_at=None, latency_ms=None, down_since=None, probe_problem=""
        )


def _model_rows() -> models.QuerySet[ModelRow]:
    from marketplace.model_rows import ModelRow

    return ModelRow.objects.order_by()


def _rows_with(word: str) -> models.QuerySet[ModelRow]:
    named = Q(model_id__icontains=word) | Q(name__icontains=word)
    return _model_rows().filter(named, service=OuterRef("pk"))


def _bounded(bound: str, per_unit: int, per_token: int) -> Q:
    """The main price of each type within a bound given per unit, and per token of a million."""
    chat, speech, embedding = (
        Q(service_type=t) for t in ("chatbot", "speech-to-text", "embedding")
    )
    return (
        (chat & Q(**{f"output_price__{bound}": per_token}))
        | (embedding & Q(**{f"input_price__{bound}": per_token}))
        | (speech & Q(**{f"input_price__{bound}": per_unit}))
        | (~chat & ~speech & ~embedding & Q(**{f"output_price__{bound}": per_unit}))
    )


PER_MILLION = 10**6
PROBE_OVERDUE = timedelta(minutes=15)
_MAIN_PRICE = Case(
    When(service_type="speech-to-text", then=F("input_price")), default=F("output_price")
)
_TYPE_RANK = Case(
    *(
        When(service_type=service_type, then=Value(rank))
        for rank, service_type in enumerate(service_types.LABELS)
    ),
    default=Value(len(service_types.LABELS)),
    output_field=IntegerField(),
)
