"""GET /v1/models: what a provider publishes about its models (PROTOCOL §3.3)."""

from __future__ import annotations

from typing import Any

from devnet.providers.limits import LimitSettings
from devnet.providers.profiles import Model, Profile

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
    return {"object": "list", "data": [_card(profile, one, limits) for one in profile.models]}


def _card(profile: Profile, model: Model, limits: LimitSettings) -> dict[str, Any]:
    card: dict[str, Any] = {
        "id": model.name,
        "object": "model",
        "created": _CREATED,
        "owned_by": "devnet",
        "type": profile.service_type,
        "verifiability": profile.verifiability,
        "tee_attested": False,
        "canonical_id": f"devnet/{model.name}",
        "name": f"{model.name} (devnet)",
        "description": f"{model.description}. Devnet: fixed output, no model.",
        "provider_name": profile.name.capitalize(),
        "tee_type": "none (devnet)",
        "tee_verifier": "dstack",
        "architecture": _architecture(profile, model),
        "supported_parameters": _PARAMETERS[profile.service_type],
        "pricing": _pricing(profile, model),
        "rate_limits": {"requests_per_minute": limits.requests_per_minute},
    }
    if model.reasons:
        card["supported_parameters"] = [*card["supported_parameters"], "reasoning_effort"]
    if profile.service_type == "chatbot":
        card["context_length"] = model.context_length
        card["max_completion_tokens"] = model.context_length // 4
    if profile.service_type == "speech-to-text":
        card["supported_formats"] = ["json", "text", "srt", "vtt", "verbose_json"]
    return card


def _architecture(profile: Profile, model: Model) -> dict[str, Any]:
    inputs, outputs = _MODALITIES[profile.service_type]
    if model.sees:
        inputs = [*inputs, "image"]
    return {
        "modality": f"{'+'.join(inputs)}->{'+'.join(outputs)}",
        "input_modalities": inputs,
        "output_modalities": outputs,
        "instruct_type": None,
        "tokenizer": "devnet",
    }


def _pricing(profile: Profile, model: Model) -> dict[str, Any]:
    if profile.service_type in ("text-to-image", "image-editing"):
        return {"prompt": "0", "completion": "0", "image": str(model.output_price)}
    pricing: dict[str, Any] = {
        "prompt": str(model.input_price),
        "completion": str(model.output_price),
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
