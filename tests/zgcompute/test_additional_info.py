from __future__ import annotations

import json
from typing import Any

import pytest

from zgcompute.additional_info import AdditionalInfo, CacheBilling, PriceTier

SIGNER = "0x1563915e194D8CfBA1943570603F7606A3115508"


def parsed(**keys: Any) -> AdditionalInfo:
    return AdditionalInfo.parse(json.dumps(keys))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '"x"', "1", "[" * 100_000, "\ufffd", "NaN"]
)
def test_what_is_no_object_leaves_the_defaults(text: str) -> None:
    assert AdditionalInfo.parse(text) == AdditionalInfo()
    assert not AdditionalInfo.parse(text).is_readable


def test_an_empty_object_is_readable_and_says_nothing() -> None:
    assert AdditionalInfo.parse("{}") == AdditionalInfo(is_readable=True)


def test_known_keys_are_read_and_unknown_ones_ignored() -> None:
    info = parsed(
        TEEVerifier="dstack",
        TargetSeparated=True,
        TargetTeeAddress=SIGNER.lower(),
        ProviderType="decentralized",
        ProviderIdentity="https://model.example",
        ImageName="broker",
        ImageDigest="sha256:00",
        VerifierURL="https://verifier.example",
        MultiModel=True,
        priceDenomination="USD",
        Surprise={"deep": [1]},
    )
    assert info.tee_verifier == "dstack"
    assert info.target_tee_address == SIGNER
    assert (info.image_name, info.image_digest) == ("broker", "sha256:00")
    assert (info.provider_identity, info.verifier_url) == (
        "https://model.example",
        "https://verifier.example",
    )
    assert info.multi_model
    assert info.price_denomination == "USD"
    assert info.separate_signer == SIGNER


def test_ill_typed_keys_keep_their_defaults() -> None:
    info = parsed(
        TEEVerifier=1,
        TargetSeparated="true",
        TargetTeeAddress="0x12",
        MultiModel=1,
        tieredPricing=[1],
        cacheTokenBilling="x",
    )
    assert info == AdditionalInfo(is_readable=True)


@pytest.mark.parametrize(
    "keys",
    [
        {"TargetSeparated": False, "TargetTeeAddress": SIGNER},
        {"TargetSeparated": True, "TargetTeeAddress": SIGNER, "ProviderType": "centralized"},
        {"TargetSeparated": True},
    ],
)
def test_there_is_no_separate_signer_unless_answers_are_signed_by_it(keys: dict[str, Any]) -> None:
    assert parsed(**keys).separate_signer == ""


def test_only_centralized_providers_are_centralized() -> None:
    assert parsed(ProviderType="centralized").is_centralized
    assert not parsed(ProviderType="decentralized").is_centralized


def test_price_tiers_are_read_with_sane_denominators() -> None:
    info = parsed(
        tieredPricing={
            "tiers": [
                {"maxInputTokens": 1000, "inputMultiplier": 2, "outputMultiplier": 3},
                {
                    "inputMultiplier": 3,
                    "inputMultiplierDenominator": 2,
                    "outputMultiplierDenominator": 0,
                },
                {"maxInputTokens": -1, "inputMultiplier": True, "outputMultiplier": 1.5},
                {"maxInputTokens": 2**63},
                "no tier",
            ]
        }
    )
    assert info.tiers == (
        PriceTier(1000, 2, 3),
        PriceTier(0, 3, 1, input_denominator=2),
        PriceTier(0, 1, 1),
        PriceTier(0, 1, 1),
    )


@pytest.mark.parametrize("pricing", [{}, {"tiers": {}}, {"tiers": None}, "x"])
def test_pricing_without_tiers_has_none(pricing: Any) -> None:
    assert parsed(tieredPricing=pricing).tiers == ()


def test_cache_billing_is_read_with_its_defaults() -> None:
    assert parsed(cacheTokenBilling={}).cache_billing == CacheBilling()
    assert parsed(cacheTokenBilling={"divisor": 0}).cache_billing == CacheBilling(divisor=4)
    billing = {
        "divisor": 10,
        "writeMultiplierNumerator": 5,
        "writeMultiplierDenominator": 4,
        "write1hMultiplierNumerator": 2,
        "write1hMultiplierDenominator": 0,
    }
    assert parsed(cacheTokenBilling=billing).cache_billing == CacheBilling(10, 5, 4, 2, 1)
