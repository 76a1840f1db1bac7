"""GET /v1/models: what a provider publishes about its model (PROTOCOL §3.3)."""

from __future__ import annotations

from typing import Any

from devnet.providers.limits import LimitSettings
from devnet.providers.profiles import Profile

_CREATED = 1_760_000_000
_MODALITIES = {  # service type: (input, output)
    "chatbot": (["text"], ["text"]),
    "text-to-image": (["text"], ["image"]),
    "image-editing": (["text", "image"], ["image"]),
    "speech-to-text": (["audio"], ["text"]),
}
_PARAMETERS = {
    "chatbot": ["max_tokens", "stream", "stream_options", "temperature", "top_p", "seed"],
    "text-to-image": ["n", "size", "response_format"],
    "image-editing": ["n", "response_format"],
    "speech-to-text": ["response_format"],
}


def listing(profile: Profile, limits: LimitSettings) -> dict[str, Any]:
    """The whole reply; prices are neuron in decimal strings."""
    return {"object": "list", "data": [_model(profile, limits)]}


def _model(profile: Profile, limits: LimitSettings) -> dict[str, Any]:
    card: dict[str, Any] = {
        "id": profile.model,
        "object": "model",
        "created": _CREATED,
        "owned_by": "devnet",
        "type": profile.service_type,
        "verifiability": profile.verifiability,
        "tee_attested": False,
        "canonical_id": f"devnet/{profile.model}",
        "name": f"{profile.model} (devnet)",
        "description": f"{profile.description}. Devnet: fixed output, no model.",
        "provider_name": profile.name.capitalize(),
        "tee_type": "none (devnet)",
        "tee_verifier": "dstack",
        "architecture": _architecture(profile),
        "supported_parameters": _PARAMETERS[profile.service_type],
        "pricing": _pricing(profile),
        "rate_limits": {"requests_per_minute": limits.requests_per_minute},
    }
    if profile.reasons:
        card["supported_parameters"] = [*card["supported_parameters"], "reasoning_effort"]
    if profile.service_type == "chatbot":
        card["context_length"] = profile.context_length
        card["max_completion_tokens"] = profile.context_length // 4
    if profile.service_type == "speech-to-text":
        card["supported_formats"] = ["json", "text", "srt", "vtt", "verbose_json"]
    return card


def _architecture(profile: Profile) -> dict[str, Any]:
    inputs, outputs = _MODALITIES[profile.service_type]
    return {
        "modality": f"{'+'.join(inputs)}->{'+'.join(outputs)}",
        "input_modalities": inputs,
        "output_modalities": outputs,
        "instruct_type": None,
        "tokenizer": "devnet",
    }


def _pricing(profile: Profile) -> dict[str, Any]:
    if profile.service_type in ("text-to-image", "image-editing"):
        return {"prompt": "0", "completion": "0", "image": str(profile.output_price)}
    pricing: dict[str, Any] = {
        "prompt": str(profile.input_price),
        "completion": str(profile.output_price),
    }
    tiers = profile.pricing_info.get("tieredPricing")
    if tiers:
        pricing["tiered_pricing"] = [
            {
                "max_input_tokens": tier["maxInputTokens"],
                "input_multiplier": tier["inputMultiplier"],
                "output_multiplier": tier["outputMultiplier"],
            }
            for tier in tiers["tiers"]
        ]
    cache = profile.pricing_info.get("cacheTokenBilling")
    if cache:
        pricing["cache_token_billing"] = {"divisor": cache["divisor"]}
    return pricing
