"""What the studio says of a model that can be ordered, and the card that tells its price."""

from __future__ import annotations

from marketplace.model_rows import ModelRow
from marketplace.offers import Offer
from zgcompute.amounts import short
from zgcompute.model_cards import ModelCard


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
