"""Services side by side: on a model's page all that offer it, on the compare page up to four."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q

from marketplace.model_rows import ModelRow
from marketplace.models import Service
from marketplace.offers import Offer, offers
from zgcompute.addresses import checksum
from zgcompute.errors import InvalidAddress

MOST = 4


@dataclass(frozen=True, slots=True)
class ModelPage:
    """All offers of one model; `former` are services that offered it and are gone."""

    name: str
    offers: list[Offer]
    former: list[Service]

    @property
    def row(self) -> ModelRow | None:
        """Some provider's own card of it, else what the network's status service lists."""
        rows = [offer.row for offer in self.offers if offer.row]
        return min(rows, key=lambda row: row.is_reported, default=None)

    @property
    def can_compare(self) -> bool:
        return len(self.offers) > 1


@dataclass(frozen=True, slots=True)
class PriceRow:
    """One kind of price: an amount in neuron per `unit` of each service, None where it has none."""

    label: str
    unit: str
    amounts: list[int | None]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Up to four services in the order asked for, and what was asked for in vain."""

    offers: list[Offer]
    unknown: int
    left_out: int

    @property
    def prices(self) -> list[PriceRow]:
        kinds = {(p.label, p.unit): None for offer in self.offers for p in offer.price_list.prices}
        return [PriceRow(label, unit, self._amounts(label, unit)) for label, unit in kinds]

    def _amounts(self, label: str, unit: str) -> list[int | None]:
        return [
            next(
                (p.amount for p in o.price_list.prices if (p.label, p.unit) == (label, unit)), None
            )
            for o in self.offers
        ]

    @property
    def can_ask_all(self) -> bool:
        """Tell whether all of them can be asked one thing in the chat."""
        return len(self.offers) > 1 and all(
            offer.can_chat and offer.is_default for offer in self.offers
        )

    @property
    def has_reports(self) -> bool:
        return any(hasattr(offer.service, "reported") for offer in self.offers)

    @property
    def has_reported_rows(self) -> bool:
        return any(offer.row and offer.row.is_reported for offer in self.offers)

    @property
    def has_cached(self) -> bool:
        return any(offer.price_list.cached_input is not None for offer in self.offers)


def model_page(network: str, name: str) -> ModelPage | None:
    """Return everything about the model called `name`, or None if nobody ever offered it."""
    rows = ModelRow.objects.filter(service=OuterRef("pk"), model_id=name).order_by()
    services = Service.objects.on(network).filter(Q(model=name) | Exists(rows))
    with_rows = services.with_findings().prefetch_related("model_rows").cheapest_first()
    found = list(with_rows)
    listed = [service for service in found if service.removed_at is None]
    offered = [offer for service in listed for offer in _named(service, name)]
    former = [service for service in found if service.removed_at and service.model == name]
    return ModelPage(name, offered, former) if offered or former else None


def comparison(network: str, wanted: Sequence[str]) -> Comparison:
    """Return the listed services of the providers `wanted`, without repetitions."""
    addresses = list(dict.fromkeys(filter(None, map(_address, wanted[:50]))))
    services = Service.objects.on(network).listed().filter(provider__in=addresses)
    whole = services.with_findings().select_related("reported").prefetch_related("model_rows")
    found = {service.provider: service for service in whole}
    known = [found[address] for address in addresses if address in found]
    return Comparison(
        offers=[_whole(service) for service in known[:MOST]],
        unknown=len(set(wanted[:50])) - len(known),
        left_out=max(0, len(known) - MOST),
    )


def _named(service: Service, name: str) -> list[Offer]:
    """The service's offers of that model; its name on chain need not be in the provider's list."""
    named = [offer for offer in offers(service) if offer.name == name]
    return named or [Offer(service, None)] * (service.model == name)


def _whole(service: Service) -> Offer:
    """The service as one column, also if it has several models."""
    own = offers(service)
    return own[0] if not own[0].is_one_of_many else Offer(service, None)


def _address(text: str) -> str | None:
    try:
        return checksum(text)
    except InvalidAddress:
        return None
