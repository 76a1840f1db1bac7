"""What a request costs, to the neuron, by the rules of PROTOCOL §5 (pure, integers only)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from zgcompute.additional_info import CacheBilling, PriceTier
from zgcompute.amounts import MAX_NEURON, HoldsMoney, Neuron
from zgcompute.errors import (
    DestinationRefused,
    Error,
    ProviderRefused,
    ProviderTimeout,
    ProviderUnreachable,
)
from zgcompute.types import Service, Usage

if TYPE_CHECKING:
    from zgcompute.model_cards import ModelCard

MINIMUM_RESERVE = 10**18  # neuron a provider keeps untouched in a sub-account (PROTOCOL §5.3)
MAX_SPEECH_SECONDS = 99 * 3600  # providers bill no more of one recording
# What Go's strings.Fields takes for space; Python's own idea of it is wider.
_WORD = re.compile("[^\t\n\v\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
_GATEWAY_TIMEOUT = 504
_UNITS = {
    "chatbot": ("per 1M tokens", "per 1M tokens"),
    "text-to-image": ("", "per image"),
    "image-editing": ("", "per image"),
    "speech-to-text": ("per second", "per 1M tokens"),
    "embedding": ("per 1M tokens", ""),
    "video-generation": ("", "per second"),
    "audio-generation": ("", "per second"),
}


@dataclass(frozen=True, slots=True)
class FeeLine(HoldsMoney):
    """One line of a bill; `amount` is quantity * unit_price * multiplier // divisor, in neuron."""

    label: str
    quantity: int
    unit: str
    unit_price: Neuron
    amount: Neuron
    multiplier: int = 1
    divisor: int = 1


@dataclass(frozen=True, slots=True)
class Fee(HoldsMoney):
    """The exact fee of one request in neuron, with its explanation.

    `cached` is the part of `input` for tokens read from the provider's cache. `basis` says what
    was counted: "usage", "words", "images", "seconds" or "tokens". `is_upper_bound` is set where
    the contract names only the highest price of several models. No sum exceeds a uint256,
    whatever a provider claims: no settlement can carry more.
    """

    total: Neuron
    input: Neuron
    output: Neuron
    cached: Neuron
    basis: str
    lines: tuple[FeeLine, ...]
    is_upper_bound: bool = False


@dataclass(frozen=True, slots=True)
class Prices:
    """What decides a chat fee: neuron per token, tiers and cache rules."""

    input: int
    output: int
    tiers: tuple[PriceTier, ...]
    cache_billing: CacheBilling | None
    is_upper_bound: bool = False

    @classmethod
    def of(cls, service: Service, card: ModelCard | None = None) -> Prices:
        """The prices of `service` on chain, or of the model of `card` where it has several.

        A card is only the provider's claim: where the chain names the very price, or where the
        claim is above the highest one that it names, it does not count.
        """
        info = service.info
        own = own_prices(service, card) if info.multi_model and card else None
        if card and own:
            return cls(*own, card.tiers, card.cache_billing)
        return cls(
            service.input_price,
            service.output_price,
            info.tiers,
            info.cache_billing,
            is_upper_bound=info.multi_model,
        )

    def for_prompt(self, prompt_tokens: int) -> Prices:
        """The prices of a whole request with that many prompt tokens (PROTOCOL §5.2, step 1)."""
        if not self.tiers:
            return self
        fitting = (t for t in self.tiers if prompt_tokens <= t.max_input_tokens or _is_open(t))
        tier = next(fitting, self.tiers[-1])
        return Prices(
            self.input * tier.input_numerator // tier.input_denominator,
            self.output * tier.output_numerator // tier.output_denominator,
            (),
            self.cache_billing,
            self.is_upper_bound,
        )


def chat_fee(
    service: Service,
    usage: Usage | None,
    answer_text: str,
    *,
    streamed: bool = True,
    card: ModelCard | None = None,
) -> Fee:
    """Return the fee of a chat answer in neuron (PROTOCOL §5.2).

    Without a usage (in a stream an all-zero one counts as none) the answer's words are billed.
    `card` gives the price of one model where the service has several.
    """
    prices = Prices.of(service, card)
    if usage is None or (streamed and usage.is_empty):
        words = sum(1 for _ in _WORD.finditer(answer_text))
        line = _line("Words of the answer", words, "word", prices.output)
        return _fee("words", [], [line], prices)
    prices = prices.for_prompt(usage.prompt_tokens)
    output = _line("Answer", usage.completion_tokens, "token", prices.output)
    return _fee("usage", list(_input_lines(usage, prices)), [output], prices)


def image_fee(service: Service, count: int, card: ModelCard | None = None) -> Fee:
    """Return the fee of `count` generated or edited images; size and quality do not matter.

    `card` gives the price of one model where the service has several.
    """
    prices = Prices.of(service, card)
    return _fee("images", [], [_line("Images", count, "image", prices.output)], prices)


def speech_fee(
    service: Service,
    *,
    seconds: Decimal | int | None = None,
    usage: Usage | None = None,
    card: ModelCard | None = None,
) -> Fee:
    """Return the fee of a transcription, of `usage` in tokens if given, else of `seconds`.

    Seconds are rounded to whole ones, at least 1 and at most 99 hours. `card` gives the price of
    one model where the service has several. Raises ValueError if neither is given, or if the
    seconds are not a number.
    """
    prices = Prices.of(service, card)
    if usage is not None:
        spoken = _line("Recording", usage.prompt_tokens, "token", prices.input)
        written = _line("Text", usage.completion_tokens, "token", prices.output)
        return _fee("tokens", [spoken], [written], prices)
    if seconds is None:
        raise ValueError("Give the seconds or the usage of the recording.")
    billed = _line("Recording", _billed_seconds(Decimal(seconds)), "second", prices.input)
    return _fee("seconds", [billed], [], prices)


def own_prices(service: Service, card: ModelCard) -> tuple[int, int] | None:
    """The input and output price that `card` claims, unless one is missing or above the chain's.

    The chain names the highest prices of a service with several models.
    """
    is_image = price_units(service)[1] == "per image"
    pair = (0, card.image_price) if is_image else (card.prompt_price, card.completion_price)
    highest = service.input_price, service.output_price
    if any(own is None or own > most for own, most in zip(pair, highest, strict=True)):
        return None
    return pair[0] or 0, pair[1] or 0


def is_free(error: Error) -> bool:
    """Tell whether a request that ended in `error` before any answer has surely cost nothing.

    A provider finishes and bills what it has accepted, whoever stopped waiting (PROTOCOL §4.1); it
    bills no refusal, and nothing that was never sent to it.
    """
    if isinstance(error, ProviderTimeout | ProviderUnreachable):
        return not error.was_sent
    if isinstance(error, ProviderRefused):
        return error.status != _GATEWAY_TIMEOUT  # the broker behind it may be at work still
    return isinstance(error, DestinationRefused)


def price_units(service: Service) -> tuple[str, str]:
    """What the input and the output price are for, such as "per image"; "" where unused."""
    return _UNITS.get(service.service_type, ("per unit", "per unit"))


def _billed_seconds(seconds: Decimal) -> int:
    if seconds.is_nan():
        raise ValueError("The seconds of the recording are not a number.")
    within = min(max(seconds, Decimal(1)), Decimal(MAX_SPEECH_SECONDS))
    return int(within.quantize(Decimal(1), ROUND_HALF_UP))


def _is_open(tier: PriceTier) -> bool:
    return tier.max_input_tokens == 0


def _input_lines(usage: Usage, prices: Prices) -> Iterator[FeeLine]:
    """Disjoint groups of the prompt, each clamped to what the earlier ones left over."""
    cache, left = prices.cache_billing, usage.prompt_tokens
    if cache is None:
        yield _line("Prompt", left, "token", prices.input)
        return
    groups = [(_CACHED, usage.cached_tokens, 1, cache.divisor)]
    if cache.write_numerator:
        ordinary = cache.write_numerator, cache.write_denominator
        groups.append(("Prompt, written to the cache", usage.cache_write_tokens, *ordinary))
    if cache.write_1h_numerator or cache.write_numerator:
        hourly = _hourly_write(cache)
        groups.append(("Prompt, cached for an hour", usage.cache_write_1h_tokens, *hourly))
    lines = []
    for label, claimed, multiplier, divisor in groups:
        count = min(claimed, left)
        left -= count
        lines.append(_line(label, count, "token", prices.input, multiplier, divisor))
    yield _line("Prompt", left, "token", prices.input)
    yield from (line for line in lines if line.quantity)


_CACHED = "Prompt, read from the cache"


def _hourly_write(cache: CacheBilling) -> tuple[int, int]:
    if cache.write_1h_numerator:
        return cache.write_1h_numerator, cache.write_1h_denominator
    return cache.write_numerator, cache.write_denominator


def _line(
    label: str, quantity: int, unit: str, price: int, multiplier: int = 1, divisor: int = 1
) -> FeeLine:
    amount = Neuron(quantity * price * multiplier // divisor)
    return FeeLine(label, quantity, unit, Neuron(price), amount, multiplier, divisor)


def _fee(basis: str, inputs: list[FeeLine], outputs: list[FeeLine], prices: Prices) -> Fee:
    cached = (line for line in inputs if line.label == _CACHED)
    return Fee(
        total=_sum((*inputs, *outputs)),
        input=_sum(inputs),
        output=_sum(outputs),
        cached=_sum(cached),
        basis=basis,
        lines=(*inputs, *outputs),
        is_upper_bound=prices.is_upper_bound,
    )


def _sum(lines: Iterable[FeeLine]) -> Neuron:
    return Neuron(min(sum(line.amount for line in lines), MAX_NEURON))
