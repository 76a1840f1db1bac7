"""What the catalog lists: a service, or each model of a service that has several."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from marketplace import model_rows, prices
from marketplace.measurements import Measured
from marketplace.model_rows import ModelRow
from marketplace.models import Service

MOST = 50  # models of one service in the catalog; its page lists all that are kept


@dataclass(frozen=True)
class Offer:
    """One entry: `row` is the provider's own card of the model, where it lists one."""

    service: Service
    row: ModelRow | None
    is_one_of_many: bool = False

    @property
    def anchor(self) -> str:
        """The id of its element."""
        part = f"-{self.row.pk}" if self.is_one_of_many and self.row else ""
        return f"service-{self.service.pk}{part}"

    @property
    def name(self) -> str:
        """The model's name: of a single model the one on chain, of several the listed one."""
        return self.row.model_id if self.is_one_of_many and self.row else self.service.model

    @property
    def measured(self) -> Measured | None:
        """The service's figures, or None before the first round of measuring."""
        return getattr(self.service, "measured", None)

    @property
    def can_use(self) -> bool:
        """Whether this site can send it a request."""
        service = self.service
        is_default = not self.is_one_of_many or self.name == service.model
        return is_default and service.is_open and not service.url_problem

    @property
    def can_chat(self) -> bool:
        return self.can_use and self.service.is_chat

    @cached_property
    def price_list(self) -> prices.PriceList:
        if not self.is_one_of_many or self.row is None:
            return self.service.price_list
        return prices.price_list(self.service.as_listed, self.row.card)


def offers(service: Service, words: str = "") -> list[Offer]:
    """Return the entries of `service`, of several models those that `words` are found in."""
    if not service.as_listed.info.multi_model:
        return [Offer(service, model_rows.of_service(service))]
    rows = list(service.model_rows.all())
    matching = [row for row in rows if _matches(service, row, words)] or rows
    several = [Offer(service, row, is_one_of_many=True) for row in matching[:MOST]]
    return several or [Offer(service, None)]


def _matches(service: Service, row: ModelRow, words: str) -> bool:
    places = (row.model_id, row.name, service.provider, service.service_type, service.verifiability)
    text = "\n".join(places).lower()
    return all(word in text for word in words.lower().split())
