from __future__ import annotations

import json
from typing import Any

import pytest

from zgcompute.additional_info import CacheBilling, PriceTier
from zgcompute.errors import MalformedReply
from zgcompute.model_cards import ModelCard, parse_cards


def parsed(*cards: Any) -> tuple[ModelCard, ...]:
    return parse_cards(json.dumps({"object": "list", "data": list(cards)}).encode())


def test_a_full_card_is_read() -> None:
    (card,) = parsed(
        {
            "id": "m",
            "type": "chatbot",
            "name": "Model\x07  M",
            "tee_attested": True,
            "context_length": 4096,
            "architecture": {"input_modalities": ["text", 5, ""], "output_modalities": "text"},
            "supported_parameters": ["seed"],
            "pricing": {
                "prompt": "400000000000",
                "completion": "1600000000000",
                "tiered_pricing": [{"max_input_tokens": 9, "input_multiplier": 2}, "x"],
                "cache_token_billing": {"divisor": 10, "write_multiplier_numerator": 5},
            },
            "rate_limits": {"requests_per_minute": 30},
        }
    )
    assert (card.id, card.name, card.service_type, card.tee_attested) == (
        "m",
        "Model M",
        "chatbot",
        True,
    )
    assert (card.prompt_price, card.completion_price, card.image_price) == (
        4 * 10**11,
        16 * 10**11,
        None,
    )
    assert card.input_modalities == ("text",)
    assert card.output_modalities == ()
    assert card.tiers == (PriceTier(9, 2, 1), PriceTier(0, 1, 1))
    assert card.cache_billing == CacheBilling(divisor=10, write_numerator=5)
    assert (card.context_length, card.requests_per_minute) == (4096, 30)


def test_tiers_may_stand_beside_the_pricing() -> None:
    (card,) = parsed({"id": "m", "tiered_pricing": [{"max_input_tokens": 9}]})
    assert card.tiers == (PriceTier(9, 1, 1),)


def test_ill_typed_parts_are_absent() -> None:
    odd = {
        "id": "m",
        "name": 7,
        "context_length": -1,
        "pricing": {"prompt": "1.5", "image": "9" * 79},
    }
    (card,) = parsed(odd)
    assert card == ModelCard(id="m")


def test_what_has_no_id_is_no_model() -> None:
    assert parsed({}, None, "x", {"id": 5}, {"id": "\x00"}) == ()


def test_text_and_lists_are_bounded() -> None:
    (card, *rest) = parsed(*({"id": "x" * 999, "description": "y" * 4999} for _ in range(1200)))
    assert (len(card.id), len(card.description), len(rest)) == (300, 4000, 999)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"data":{}}', b"<html>", b"[" * 100_000])
def test_a_reply_without_a_list_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedReply):
        parse_cards(body)
