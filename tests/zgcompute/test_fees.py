from __future__ import annotations

import json
import random
from decimal import Decimal
from typing import Any

import pytest

from devnet.providers import fees as peer
from zgcompute.amounts import MAX_NEURON
from zgcompute.fees import Fee, FeeLine, chat_fee, image_fee, price_units, speech_fee
from zgcompute.model_cards import ModelCard
from zgcompute.testing_providers import fake_service
from zgcompute.types import Service, Usage


def service(**info: Any) -> Service:
    return fake_service(input_price=10, output_price=100, additional_info=json.dumps(info))


def explained(fee: Fee) -> bool:
    lines_add_up = all(
        line.amount == line.quantity * line.unit_price * line.multiplier // line.divisor
        for line in fee.lines
    )
    return lines_add_up and fee.total == sum(line.amount for line in fee.lines)


def test_a_plain_answer_costs_prompt_and_completion() -> None:
    fee = chat_fee(service(), Usage(7, 3), "")
    assert (fee.input, fee.output, fee.total, fee.cached, fee.basis) == (70, 300, 370, 0, "usage")
    assert fee.lines == (
        FeeLine("Prompt", 7, "token", 10, 70),
        FeeLine("Answer", 3, "token", 100, 300),
    )
    assert not fee.is_upper_bound


def test_without_usage_the_words_are_billed() -> None:
    fee = chat_fee(service(), None, " one two\u00a0three\u3000four\x1cstill-four \n")
    assert (fee.total, fee.input, fee.basis) == (400, 0, "words")
    assert explained(fee)


def test_an_empty_usage_counts_as_none_in_a_stream_only() -> None:
    assert chat_fee(service(), Usage(0, 0), "one two").total == 200
    assert chat_fee(service(), Usage(0, 0), "one two", streamed=False).total == 0


TIERS = {
    "tiers": [
        {"maxInputTokens": 10, "inputMultiplier": 1, "outputMultiplier": 1},
        {"maxInputTokens": 20, "inputMultiplier": 3, "outputMultiplier": 2,
         "inputMultiplierDenominator": 2},
    ]
}  # fmt: skip


@pytest.mark.parametrize(
    ("prompt", "total"), [(10, 10 * 10 + 100), (11, 11 * 15 + 200), (20, 500), (21, 21 * 15 + 200)]
)
def test_a_tier_is_for_the_whole_request_and_the_last_one_is_open(prompt: int, total: int) -> None:
    assert chat_fee(service(tieredPricing=TIERS), Usage(prompt, 1), "").total == total


def test_a_tier_of_zero_has_no_bound() -> None:
    tiers = {"tiers": [{"maxInputTokens": 0, "inputMultiplier": 2}, {"maxInputTokens": 5}]}
    assert chat_fee(service(tieredPricing=tiers), Usage(3, 0), "").total == 60


def test_cached_tokens_are_divided_once_for_the_group() -> None:
    fee = chat_fee(service(cacheTokenBilling={"divisor": 4}), Usage(10, 0, cached_tokens=7), "")
    assert (fee.input, fee.cached) == (3 * 10 + 7 * 10 // 4, 17)
    assert explained(fee)


def test_claims_of_caching_are_clamped_to_the_prompt() -> None:
    billing = {
        "divisor": 2,
        "writeMultiplierNumerator": 5,
        "writeMultiplierDenominator": 4,
        "write1hMultiplierNumerator": 2,
    }
    usage = Usage(10, 0, cached_tokens=6, cache_write_tokens=3, cache_write_1h_tokens=99)
    fee = chat_fee(service(cacheTokenBilling=billing), usage, "")
    assert fee.input == 6 * 10 // 2 + 3 * 10 * 5 // 4 + 1 * 10 * 2
    assert [line.quantity for line in fee.lines] == [0, 6, 3, 1, 0]
    assert explained(fee)


def test_hourly_writes_fall_back_to_ordinary_ones() -> None:
    billing = {"writeMultiplierNumerator": 3}
    fee = chat_fee(service(cacheTokenBilling=billing), Usage(4, 0, 0, 0, 2), "")
    assert fee.input == 2 * 10 + 2 * 10 * 3


def test_writes_without_a_multiplier_are_ordinary_tokens() -> None:
    fee = chat_fee(service(cacheTokenBilling={}), Usage(4, 0, 0, 2, 2), "")
    assert fee.input == 40
    only_hourly = {"write1hMultiplierNumerator": 2}
    assert chat_fee(service(cacheTokenBilling=only_hourly), Usage(4, 0, 0, 2, 2), "").input == 60


def test_every_fee_is_the_devnet_providers_own() -> None:
    chance = random.Random(3)
    for _ in range(500):
        market = service(tieredPricing=TIERS, cacheTokenBilling=_billing(chance))
        usage = Usage(*(chance.randrange(40) for _ in range(5)))
        ours = chat_fee(market, usage, "", streamed=False)
        theirs = peer.chat_fee(market, usage, "")
        assert (ours.input, ours.output, ours.total) == (theirs.input, theirs.output, theirs.total)
        assert explained(ours)


def _billing(chance: random.Random) -> dict[str, int]:
    names = (
        "divisor",
        "writeMultiplierNumerator",
        "writeMultiplierDenominator",
        "write1hMultiplierNumerator",
        "write1hMultiplierDenominator",
    )
    return {name: chance.randrange(5) for name in names if chance.random() < 0.7}


def test_several_models_share_only_an_upper_bound() -> None:
    market = service(MultiModel=True)
    assert chat_fee(market, Usage(1, 1), "").is_upper_bound
    card = ModelCard(id="small", prompt_price=1, completion_price=2)
    fee = chat_fee(market, Usage(1, 1), "", card=card)
    assert (fee.total, fee.is_upper_bound) == (3, False)
    assert chat_fee(market, Usage(1, 1), "", card=ModelCard(id="x", prompt_price=1)).total == 110
    assert chat_fee(market, Usage(1, 1), "", card=ModelCard(id="x")).total == 110


def test_a_providers_own_card_does_not_change_a_price_that_the_chain_names() -> None:
    cheap = ModelCard(id="small", prompt_price=1, completion_price=2)
    assert chat_fee(service(), Usage(1, 1), "", card=cheap).total == 110


def test_amounts_beyond_any_float_stay_exact() -> None:
    price = 10**30 + 1
    market = fake_service(input_price=price, output_price=price)
    assert chat_fee(market, Usage(2**62, 1), "").total == price * 2**62 + price


def test_images_cost_their_number() -> None:
    fee = image_fee(service(), 3)
    assert (fee.total, fee.output, fee.basis) == (300, 300, "images")


@pytest.mark.parametrize(
    ("seconds", "billed"),
    [(0, 1), (Decimal("0.4"), 1), (Decimal("2.5"), 3), (Decimal("2.49"), 2), (10**9, 99 * 3600)]
    + [(Decimal("Infinity"), 99 * 3600), (Decimal("1E+400"), 99 * 3600), (Decimal("-5"), 1)],
)
def test_speech_costs_whole_seconds(seconds: Decimal | int, billed: int) -> None:
    fee = speech_fee(service(), seconds=seconds)
    assert (fee.total, fee.input, fee.basis) == (billed * 10, billed * 10, "seconds")


def test_speech_in_tokens_costs_both_ways() -> None:
    fee = speech_fee(service(), usage=Usage(2, 3))
    assert (fee.total, fee.basis) == (320, "tokens")
    assert explained(fee)


def test_speech_of_unknown_length_has_no_fee() -> None:
    with pytest.raises(ValueError, match="seconds or the usage"):
        speech_fee(service())


@pytest.mark.parametrize("claimed", ["NaN", "-NaN", "sNaN"])
def test_speech_of_a_length_that_is_no_number_has_no_fee(claimed: str) -> None:
    with pytest.raises(ValueError, match="not a number"):
        speech_fee(service(), seconds=Decimal(claimed))


def test_no_claimed_usage_makes_a_fee_that_no_settlement_could_carry() -> None:
    dear = fake_service(input_price=MAX_NEURON, output_price=MAX_NEURON)
    usage = Usage(2**63 - 1, 2**63 - 1)
    for fee in (chat_fee(dear, usage, ""), speech_fee(dear, usage=usage), image_fee(dear, 99)):
        assert fee.total == fee.output == MAX_NEURON
        assert fee.input in (0, MAX_NEURON)


def test_units_are_named_for_every_kind_of_service() -> None:
    assert price_units(fake_service()) == ("per 1M tokens", "per 1M tokens")
    assert price_units(fake_service(service_type="text-to-image")) == ("", "per image")
    assert price_units(fake_service(service_type="telepathy")) == ("per unit", "per unit")
