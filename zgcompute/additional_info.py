"""The JSON text that a provider attaches to its service: untrusted, optional, often incomplete."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from zgcompute._keccak import checksummed
from zgcompute._reading import loads

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)


@dataclass(frozen=True, slots=True)
class PriceTier:
    """Multipliers for a whole request whose prompt has at most `max_input_tokens` (0: no bound)."""

    max_input_tokens: int
    input_numerator: int
    output_numerator: int
    input_denominator: int = 1
    output_denominator: int = 1


@dataclass(frozen=True, slots=True)
class CacheBilling:
    """How prompt tokens found in, or written to, the provider's cache are priced."""

    divisor: int = 4
    write_numerator: int = 0
    write_denominator: int = 1
    write_1h_numerator: int = 0
    write_1h_denominator: int = 1


@dataclass(frozen=True, slots=True)
class AdditionalInfo:
    """The keys of PROTOCOL §6 that this SDK understands."""

    is_readable: bool = False
    tee_verifier: str = ""
    target_separated: bool = False
    target_tee_address: str = ""
    provider_type: str = ""
    provider_identity: str = ""
    image_name: str = ""
    image_digest: str = ""
    verifier_url: str = ""
    tiers: tuple[PriceTier, ...] = ()
    cache_billing: CacheBilling | None = None
    multi_model: bool = False
    price_denomination: str = ""

    @classmethod
    def parse(cls, text: str) -> AdditionalInfo:
        """Read `text`; never raises. Unreadable or ill-typed parts keep their defaults."""
        try:
            keys = loads(text)
        except ValueError:
            return cls()
        if not isinstance(keys, dict):
            return cls()
        return cls(
            is_readable=True,
            tee_verifier=_text(keys, "TEEVerifier"),
            target_separated=keys.get("TargetSeparated") is True,
            target_tee_address=_address(keys, "TargetTeeAddress"),
            provider_type=_text(keys, "ProviderType"),
            provider_identity=_text(keys, "ProviderIdentity"),
            image_name=_text(keys, "ImageName"),
            image_digest=_text(keys, "ImageDigest"),
            verifier_url=_text(keys, "VerifierURL"),
            tiers=_tiers(keys.get("tieredPricing")),
            cache_billing=_cache_billing(keys.get("cacheTokenBilling")),
            multi_model=keys.get("MultiModel") is True,
            price_denomination=_text(keys, "priceDenomination"),
        )

    @property
    def is_centralized(self) -> bool:
        return self.provider_type == "centralized"

    @property
    def separate_signer(self) -> str:
        """The model server's own signer where answers are signed by it, else empty."""
        if self.target_separated and not self.is_centralized:
            return self.target_tee_address
        return ""


def _text(keys: dict[str, Any], name: str) -> str:
    value = keys.get(name)
    return value if isinstance(value, str) else ""


def _address(keys: dict[str, Any], name: str) -> str:
    value = _text(keys, name)
    if not _ADDRESS.fullmatch(value):
        return ""
    return checksummed(value)


def _count(value: Any, default: int) -> int:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
    return value if is_count else default


def _tiers(value: Any) -> tuple[PriceTier, ...]:
    tiers = value.get("tiers") if isinstance(value, dict) else None
    if not isinstance(tiers, list):
        return ()
    return tuple(
        PriceTier(
            max_input_tokens=_count(tier.get("maxInputTokens"), 0),
            input_numerator=_count(tier.get("inputMultiplier"), 1),
            output_numerator=_count(tier.get("outputMultiplier"), 1),
            input_denominator=_count(tier.get("inputMultiplierDenominator"), 1) or 1,
            output_denominator=_count(tier.get("outputMultiplierDenominator"), 1) or 1,
        )
        for tier in tiers
        if isinstance(tier, dict)
    )


def _cache_billing(value: Any) -> CacheBilling | None:
    if not isinstance(value, dict):
        return None
    return CacheBilling(
        divisor=_count(value.get("divisor"), 4) or 4,
        write_numerator=_count(value.get("writeMultiplierNumerator"), 0),
        write_denominator=_count(value.get("writeMultiplierDenominator"), 1) or 1,
        write_1h_numerator=_count(value.get("write1hMultiplierNumerator"), 0),
        write_1h_denominator=_count(value.get("write1hMultiplierDenominator"), 1) or 1,
    )
