"""How the catalog is narrowed and ordered."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Case, Count, F, IntegerField, Q, Value, When
from django.db.models.functions import Lower

from marketplace import service_types

if TYPE_CHECKING:
    from marketplace.models import Service  # noqa: F401  (named in a base class)

_SEARCHED = ("model", "provider", "service_type", "verifiability")
_MAX_WORDS = 8


class ServiceQuerySet(models.QuerySet["Service"]):
    """Services of one network, narrowed step by step."""

    def on(self, network: str) -> ServiceQuerySet:
        return self.filter(network=network)

    def listed(self) -> ServiceQuerySet:
        """Services that are still registered on chain."""
        return self.filter(removed_at=None)

    def measured(self) -> ServiceQuerySet:
        """With the figures of our own measurements, in the same query."""
        return self.select_related("measured")

    def of_type(self, service_type: str) -> ServiceQuerySet:
        """Services of one type; `service_types.OTHER` stands for all that have no name here."""
        if service_type == service_types.OTHER:
            return self.exclude(service_type__in=service_types.LABELS)
        return self.filter(service_type=service_type)

    def matching(self, text: str) -> ServiceQuerySet:
        """Services in which every word of `text` occurs where a reader would look for it."""
        found = self
        for word in text.split()[:_MAX_WORDS]:
            found = found.filter(
                reduce(or_, (Q(**{f"{place}__icontains": word}) for place in _SEARCHED))
            )
        return found

    def by_name(self) -> ServiceQuerySet:
        return self._grouped(Lower("model"))

    def newest_first(self) -> ServiceQuerySet:
        return self._grouped(F("first_seen_at").desc(), F("pk").desc())

    def cheapest_first(self) -> ServiceQuerySet:
        """By the price that weighs most in its type, then by the other one."""
        return self._grouped(_MAIN_PRICE, "input_price")

    def _grouped(self, *order: str | models.expressions.Combinable) -> ServiceQuerySet:
        """Types apart, for a token and an image don't compare; those open for use first."""
        return self.order_by(_TYPE_RANK, F("tee_signer_acknowledged").desc(), *order, "pk")

    def count_by_type(self) -> dict[str, int]:
        """How many services there are of each named type, and of all others together."""
        counts: dict[str, int] = {}
        for service_type, count in (
            self.order_by().values_list("service_type").annotate(Count("pk"))
        ):
            key = service_types.key(service_type)
            counts[key] = counts.get(key, 0) + count
        return counts

    def longest_unprobed(self) -> ServiceQuerySet:
        """Those never probed first, then those probed longest ago."""
        return self.order_by(F("probed_at").asc(nulls_first=True), "pk")

    def forget_probes(self) -> int:
        """What was met at another URL says nothing about the present one."""
        return self.update(
            reachable=None, probed_at=None, latency_ms=None, down_since=None, probe_problem=""
        )


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
