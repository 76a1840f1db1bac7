"""The models of a service that can be ordered here: one, or several with prices of their own."""

from __future__ import annotations

from marketplace.model_rows import ModelRow
from marketplace.models import Service
from marketplace.offers import Offer, offers
from zgcompute.amounts import short
from zgcompute.model_cards import ModelCard


def models_of(service: Service) -> list[Offer]:
    """The models that make what the service makes, the one that the chain names first."""
    making = [one for one in offers(service) if _kind(one) in ("", service.service_type)]
    return sorted(making, key=lambda one: one.name != service.model)


def words_of(offer: Offer) -> str:
    """The model's name and prices, for a list to choose from."""
    listed = offer.price_list
    bound = "at most " if listed.is_maximum else ""
    prices = (f"{short(one.amount, round_up=True)} 0G {one.unit}" for one in listed.prices)
    return f"{offer.name[:80]} · {bound}{', '.join(prices)}"


def card_of(network: str, provider: str, model: str) -> ModelCard | None:
    """The provider's own card of the model, where it lists one."""
    rows = ModelRow.objects.filter(service__network=network, service__provider=provider)
    row = rows.filter(model_id=model).first()
    return row.card if row else None


def _kind(offer: Offer) -> str:
    return offer.row.service_type if offer.is_one_of_many and offer.row else ""
