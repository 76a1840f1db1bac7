from __future__ import annotations

import json

import pytest

from marketplace.prices import TierPrice, decimals, exact_decimals, example, price_list
from zgcompute.testing import fake_service


def lines(service_type: str, given: int, made: int) -> list[tuple[str, int, str]]:
    service = fake_service(service_type=service_type, input_price=given, output_price=made)
    return [(price.label, price.amount, price.unit) for price in price_list(service).prices]


def test_chat_is_priced_per_million_tokens() -> None:
    assert lines("chatbot", 7, 11) == [
        ("Input", 7_000_000, "per 1M tokens"),
        ("Output", 11_000_000, "per 1M tokens"),
    ]


@pytest.mark.parametrize("service_type", ["text-to-image", "image-editing"])
def test_images_are_priced_each(service_type: str) -> None:
    assert lines(service_type, 0, 3 * 10**15) == [("Image", 3 * 10**15, "per image")]


def test_speech_is_priced_per_second() -> None:
    assert lines("speech-to-text", 10**13, 0) == [("Audio", 10**13, "per second")]


def test_a_transcripts_own_price_is_listed_where_there_is_one() -> None:
    assert lines("speech-to-text", 10**13, 5)[1] == ("Transcript", 5_000_000, "per 1M tokens")


def test_an_unknown_type_keeps_the_contracts_units() -> None:
    assert lines("zgStorage", 5, 6) == [("Input", 5, "per unit"), ("Output", 6, "per unit")]


def test_tiers_give_prices_for_the_whole_request() -> None:
    tiers = [
        {"maxInputTokens": 1000, "inputMultiplier": 1, "outputMultiplier": 1},
        {"maxInputTokens": 0, "inputMultiplier": 3, "inputMultiplierDenominator": 2},
    ]
    info = json.dumps({"tieredPricing": {"tiers": tiers}})
    found = price_list(fake_service(input_price=10, output_price=20, additional_info=info)).tiers
    assert found == (
        TierPrice(1000, 10_000_000, 20_000_000),
        TierPrice(0, 15_000_000, 20_000_000),
    )


def test_cached_input_is_divided() -> None:
    info = json.dumps({"cacheTokenBilling": {"divisor": 4}})
    assert price_list(fake_service(input_price=8, additional_info=info)).cached_input == 2_000_000


def test_a_service_of_several_models_lists_its_highest_prices() -> None:
    assert price_list(fake_service(additional_info='{"MultiModel": true}')).is_maximum


def test_the_example_of_a_chat_is_the_exact_fee() -> None:
    found = example(fake_service(input_price=7, output_price=11))
    assert found is not None
    assert found[1].total == 1_000 * 7 + 500 * 11


def test_examples_exist_for_the_types_sold_here_only() -> None:
    image = example(fake_service(service_type="text-to-image", output_price=9))
    speech = example(fake_service(service_type="speech-to-text", input_price=9))
    assert image is not None
    assert image[1].total == 9
    assert speech is not None
    assert speech[1].total == 60 * 9
    assert example(fake_service(service_type="zgStorage")) is None


def test_a_column_is_as_wide_as_its_longest_fraction_within_reason() -> None:
    assert decimals([10**18, 10**17, 15 * 10**15, None]) == 3
    assert decimals([7]) == 9
    assert decimals([]) == 0


def test_a_column_that_adds_up_shows_every_digit() -> None:
    assert exact_decimals([10**18, 49_000_000_123]) == 18
    assert exact_decimals([10**18]) == 0
