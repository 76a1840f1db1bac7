"""What a provider says of its models (GET /v1/models, PROTOCOL §3.3): claims, leniently read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zgcompute import _reading as read
from zgcompute.additional_info import CacheBilling, PriceTier
from zgcompute.amounts import Neuron
from zgcompute.errors import MalformedReply


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One model. Prices are neuron per token (or per image); what is missing is None or empty."""

    id: str
    canonical_id: str = ""
    service_type: str = ""
    name: str = ""
    description: str = ""
    owned_by: str = ""
    verifiability: str = ""
    tee_attested: bool = False
    tee_verifier: str = ""
    provider_type: str = ""
    provider_identity: str = ""
    expires: str = ""
    context_length: int | None = None
    max_completion_tokens: int | None = None
    input_modalities: tuple[str, ...] = ()
    output_modalities: tuple[str, ...] = ()
    supported_parameters: tuple[str, ...] = ()
    prompt_price: Neuron | None = None
    completion_price: Neuron | None = None
    image_price: Neuron | None = None
    tiers: tuple[PriceTier, ...] = ()
    cache_billing: CacheBilling | None = None
    requests_per_minute: int | None = None

    @classmethod
    def parse(cls, card: dict[str, Any]) -> ModelCard:
        """Read one element of the list; ill-typed parts keep their defaults."""
        architecture, pricing = read.mapping(card.get("architecture")), _pricing(card)
        return cls(
            id=read.text(card.get("id")),
            canonical_id=read.text(card.get("canonical_id")),
            service_type=read.text(card.get("type")),
            name=read.text(card.get("name")),
            description=read.text(card.get("description"), limit=4000),
            owned_by=read.text(card.get("owned_by")),
            verifiability=read.text(card.get("verifiability")),
            tee_attested=card.get("tee_attested") is True,
            tee_verifier=read.text(card.get("tee_verifier")),
            provider_type=read.text(card.get("provider_type")),
            provider_identity=read.text(card.get("provider_identity")),
            expires=read.text(card.get("expiration_date")),
            context_length=read.count(card.get("context_length")),
            max_completion_tokens=read.count(card.get("max_completion_tokens")),
            input_modalities=_names(architecture.get("input_modalities")),
            output_modalities=_names(architecture.get("output_modalities")),
            supported_parameters=_names(card.get("supported_parameters")),
            prompt_price=read.neuron(pricing.get("prompt")),
            completion_price=read.neuron(pricing.get("completion")),
            image_price=read.neuron(pricing.get("image")),
            tiers=tuple(_tier(tier) for tier in read.items(pricing.get("tiered_pricing"))),
            cache_billing=_cache_billing(pricing.get("cache_token_billing")),
            requests_per_minute=read.count(
                read.mapping(card.get("rate_limits")).get("requests_per_minute")
            ),
        )


def parse_cards(body: bytes) -> tuple[ModelCard, ...]:
    """Read a whole reply of /v1/models; raises MalformedReply if it holds no list of models."""
    reply = read.json_object(body)
    if reply is None or not isinstance(reply.get("data"), list):
        raise MalformedReply("The provider's list of models is not in the expected form.")
    cards = (ModelCard.parse(read.mapping(card)) for card in read.items(reply["data"]))
    return tuple(card for card in cards if card.id)


def _pricing(card: dict[str, Any]) -> dict[str, Any]:
    """Tiers and cache rules stand inside `pricing`, or beside it in some builds."""
    beside = {name: card.get(name) for name in ("tiered_pricing", "cache_token_billing")}
    return beside | read.mapping(card.get("pricing"))


def _names(value: object) -> tuple[str, ...]:
    names = (read.text(name, limit=80) for name in read.items(value, limit=100))
    return tuple(name for name in names if name)


def _tier(value: object) -> PriceTier:
    tier = read.mapping(value)
    return PriceTier(
        max_input_tokens=_or(tier, "max_input_tokens", 0),
        input_numerator=_or(tier, "input_multiplier", 1),
        output_numerator=_or(tier, "output_multiplier", 1),
        input_denominator=_or(tier, "input_multiplier_denominator", 1) or 1,
        output_denominator=_or(tier, "output_multiplier_denominator", 1) or 1,
    )


def _cache_billing(value: object) -> CacheBilling | None:
    if not isinstance(value, dict):
        return None
    return CacheBilling(
        divisor=_or(value, "divisor", 4) or 4,
        write_numerator=_or(value, "write_multiplier_numerator", 0),
        write_denominator=_or(value, "write_multiplier_denominator", 1) or 1,
        write_1h_numerator=_or(value, "write_1h_multiplier_numerator", 0),
        write_1h_denominator=_or(value, "write_1h_multiplier_denominator", 1) or 1,
    )


def _or(keys: dict[str, Any], name: str, default: int) -> int:
    found = read.count(keys.get(name))
    return default if found is None else found
