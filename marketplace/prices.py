"""What a service costs, in the units that people compare.

The contract holds two integers per service; what they are a price *of* depends on the service
type (PROTOCOL: price units). All amounts are neuron and exact.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from zgcompute import amounts
from zgcompute.amounts import Neuron
from zgcompute.fees import Fee, Prices, chat_fee, image_fee, own_prices, price_units, speech_fee
from zgcompute.model_cards import ModelCard
from zgcompute.types import Service, Usage

PER_MILLION = 10**6
EXAMPLE_USAGE = Usage(prompt_tokens=1_000, completion_tokens=500)
EXAMPLE_SECONDS = 60
_BEYOND_ALL_TIERS = 2**63
_MOST_DECIMALS = 9
_LABELS = {
    "text-to-image": ("", "Image"),
    "image-editing": ("", "Image"),
    "speech-to-text": ("Audio", "Transcript"),
    "video-generation": ("", "Video"),
    "audio-generation": ("", "Audio"),
}


@dataclass(frozen=True, slots=True)
class Price:
    """One line of a price list: `amount` neuron buy one `unit`; the contract says `base`."""

    label: str
    amount: int
    unit: str
    base: int


@dataclass(frozen=True, slots=True)
class TierPrice:
    """The prices per million of a whole request with up to `max_tokens` in its prompt (0: more)."""

    max_tokens: int
    input: int
    output: int


@dataclass(frozen=True, slots=True)
class PriceList:
    """All that a service's listing says about its prices."""

    prices: tuple[Price, ...]
    tiers: tuple[TierPrice, ...] = ()
    cached_input: int | None = None
    is_maximum: bool = False
    denomination: str = ""

    @property
    def tier_decimals(self) -> int:
        return exact_decimals(amount for tier in self.tiers for amount in (tier.input, tier.output))


def price_list(service: Service, card: ModelCard | None = None) -> PriceList:
    """Return the prices of `service` as listed; an unknown type keeps the contract's bare units.

    Of a service with several models, whose prices on chain are the highest ones, `card` names one.
    """
    own = own_prices(service, card) if card else None
    if card and own:
        return _price_list_of_card(service, card, own)
    is_chat = service.service_type == "chatbot"
    return PriceList(
        prices=tuple(_prices(service)),
        tiers=_tiers(service) if is_chat else (),
        cached_input=_cached_input(service) if is_chat else None,
        is_maximum=service.info.multi_model,
        denomination=service.info.price_denomination,
    )


def decimals(shown: Iterable[int | None]) -> int:
    """Return how many decimals a column of these amounts has; a few very small ones stand out."""
    texts = (amounts.short(amount, round_up=True) for amount in shown if amount is not None)
    return min(_longest_fraction(texts), _MOST_DECIMALS)


def exact_decimals(shown: Iterable[int]) -> int:
    """Return how many decimals a column of these amounts has with every digit."""
    return _longest_fraction(amounts.exact(amount) for amount in shown)


def example(service: Service) -> tuple[str, Fee] | None:
    """Return what an everyday request costs and what it is, or None for types not sold here."""
    match service.service_type:
        case "chatbot":
            return "1,000 tokens in, 500 tokens out", chat_fee(service, EXAMPLE_USAGE, "")
        case "text-to-image" | "image-editing":
            return "One image", image_fee(service, 1)
        case "speech-to-text":
            return "One minute of audio", speech_fee(service, seconds=EXAMPLE_SECONDS)
    return None


def _price_list_of_card(service: Service, card: ModelCard, own: tuple[int, int]) -> PriceList:
    is_chat = service.service_type == "chatbot"
    listed = replace(service, input_price=Neuron(own[0]), output_price=Neuron(own[1]))
    billing = card.cache_billing
    return PriceList(
        prices=tuple(_prices(listed)),
        tiers=_tiers(service, card) if is_chat else (),
        cached_input=own[0] * PER_MILLION // billing.divisor if is_chat and billing else None,
        denomination=service.info.price_denomination,
    )


def _longest_fraction(texts: Iterable[str]) -> int:
    return max((len(text.partition(".")[2]) for text in texts), default=0)


def _prices(service: Service) -> list[Price]:
    labels = _LABELS.get(service.service_type, ("Input", "Output"))
    bases = service.input_price, service.output_price
    return [
        Price(label, base * (PER_MILLION if unit == "per 1M tokens" else 1), unit, base)
        for label, unit, base in zip(labels, price_units(service), bases, strict=True)
        if unit and not (label == "Transcript" and base == 0)
    ]


def _tiers(service: Service, card: ModelCard | None = None) -> tuple[TierPrice, ...]:
    prices = Prices.of(service, card)
    return tuple(
        TierPrice(bound, at.input * PER_MILLION, at.output * PER_MILLION)
        for bound in (tier.max_input_tokens for tier in prices.tiers)
        for at in (prices.for_prompt(bound or _BEYOND_ALL_TIERS),)
    )


def _cached_input(service: Service) -> int | None:
    billing = service.info.cache_billing
    return service.input_price * PER_MILLION // billing.divisor if billing else None
