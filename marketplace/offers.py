"""What the catalog lists: a service, or each model of a service that has several."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlencode

from marketplace import model_rows, prices
from marketplace.measurements import Measured
from marketplace.model_rows import ModelRow
from marketplace.models import Service
from zgcompute.model_cards import ModelCard

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
    def is_default(self) -> bool:
        """Whether it is the model that the chain names."""
        return not self.is_one_of_many or self.name == self.service.model

    @property
    def can_use(self) -> bool:
        """Whether this site can send it a request."""
        service = self.service
        return self.is_own_kind and service.is_open and not service.url_problem

    @property
    def is_own_kind(self) -> bool:
        """Whether it makes what the chain says of its service; of several models some may not."""
        kind = self.row.service_type if self.is_one_of_many and self.row else ""
        return kind in ("", self.service.service_type)

    @property
    def can_chat(self) -> bool:
        return self.can_use and self.service.is_chat

    @property
    def query(self) -> str:
        """What names it in an address of the chat or the studio."""
        named = {"provider": self.service.provider}
        return urlencode(named | {"model": self.name} if self.is_one_of_many else named)

    @property
    def sees(self) -> bool:
        """Whether its card says that it takes pictures beside the words."""
        return self.row is not None and "image" in self.row.input_modalities

    @property
    def takes_effort(self) -> bool:
        """Whether its card says that a reasoning effort can be asked for."""
        return self.row is not None and "reasoning_effort" in self.row.parameters

    @property
    def card(self) -> ModelCard | None:
        """The card that decides its price, where there is one."""
        return self.row.card if self.row else None

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
    return _several(service, matching[:MOST])


def models_of(service: Service) -> list[Offer]:
    """All models that make what `service` makes, the one named on chain first."""
    is_multi = service.as_listed.info.multi_model
    every = _several(service, service.model_rows.all()) if is_multi else offers(service)
    found = [one for one in every if one.is_own_kind]
    return sorted(found, key=lambda one: not one.is_default)


def chat_offers(service: Service) -> list[Offer]:
    """The models of `service` that can be chatted with, the one named on chain first."""
    return models_of(service) if service.is_chat else []


def chat_offer(service: Service, model: str = "") -> Offer | None:
    """The chat model of that name ("": the first), or None where the service lists no such one."""
    return named(chat_offers(service), model)


def named(found: Sequence[Offer], model: str) -> Offer | None:
    """The one of `found` that has that name ("": the first), or None."""
    if not model:
        return found[0] if found else None
    return next((one for one in found if one.name == model), None)


def _several(service: Service, rows: Iterable[ModelRow]) -> list[Offer]:
    several = [Offer(service, row, is_one_of_many=True) for row in rows]
    return several or [Offer(service, None)]


def _matches(service: Service, row: ModelRow, words: str) -> bool:
    places = (row.model_id, row.name, service.provider, service.service_type, service.verifiability)
    text = "\n".join(places).lower()
    return all(word in text for word in words.lower().split())
