"""What a request costs, in neuron (PROTOCOL §5.1, §5.2). Written apart from the SDK's."""

from __future__ import annotations

from dataclasses import dataclass, replace

from devnet.providers.profiles import Model
from zgcompute.additional_info import AdditionalInfo, PriceTier
from zgcompute.amounts import Neuron
from zgcompute.types import Service, Usage

LONGEST_SPEECH = 99 * 3600  # seconds


@dataclass(frozen=True, slots=True)
class Fee:
    """Neuron for what came in and for what went out."""

    input: int
    output: int

    @property
    def total(self) -> int:
        return self.input + self.output


def priced(service: Service, model: Model) -> Service:
    """`service` with the prices of that one of its models: on chain are the highest ones."""
    if not service.info.multi_model:
        return service
    input_price, output_price = Neuron(model.input_price), Neuron(model.output_price)
    return replace(service, input_price=input_price, output_price=output_price)


def chat_fee(service: Service, usage: Usage | None, answer: str) -> Fee:
    """The fee of a chat answer; without usage the answer's words are billed as output tokens."""
    if usage is None:
        return Fee(0, len(answer.split()) * service.output_price)
    input_price, output_price = _tier_prices(service, usage.prompt_tokens)
    return Fee(_input_fee(service.info, usage, input_price), usage.completion_tokens * output_price)


def image_fee(service: Service, images: int) -> Fee:
    return Fee(0, images * service.output_price)


def speech_fee(service: Service, seconds: float) -> Fee:
    billed = min(max(1, round(seconds)), LONGEST_SPEECH)
    return Fee(billed * service.input_price, 0)


def _tier_prices(service: Service, prompt_tokens: int) -> tuple[int, int]:
    tiers = service.info.tiers
    if not tiers:
        return service.input_price, service.output_price
    tier = next((tier for tier in tiers if _holds(tier, prompt_tokens)), tiers[-1])
    return (
        service.input_price * tier.input_numerator // tier.input_denominator,
        service.output_price * tier.output_numerator // tier.output_denominator,
    )


def _holds(tier: PriceTier, prompt_tokens: int) -> bool:
    return tier.max_input_tokens == 0 or prompt_tokens <= tier.max_input_tokens


def _input_fee(info: AdditionalInfo, usage: Usage, price: int) -> int:
    billing = info.cache_billing
    if billing is None:
        return usage.prompt_tokens * price
    full = usage.prompt_tokens
    cached = min(usage.cached_tokens, full)
    full -= cached
    fee = cached * price // billing.divisor
    hour = (billing.write_1h_numerator, billing.write_1h_denominator)
    plain = (billing.write_numerator, billing.write_denominator)
    for tokens, (numerator, denominator) in (
        (usage.cache_write_tokens, plain),
        (usage.cache_write_1h_tokens, hour if hour[0] else plain),
    ):
        if numerator:
            written = min(tokens, full)
            full -= written
            fee += written * price * numerator // denominator
    return fee + full * price
