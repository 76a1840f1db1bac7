"""The documents of the public read API: rows of our database as plain JSON values.

Amounts are decimal text, in 0G and in neuron: a JSON number could not hold them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import Count

from marketplace.history import LABELS, ServiceChange
from marketplace.measurements import Measured
from marketplace.model_rows import ModelRow
from marketplace.models import NetworkState, Service
from marketplace.network import served
from marketplace.offers import Offer, offers
from marketplace.reported import Reported
from zgcompute import amounts
from zgcompute.networks import Network

Document = dict[str, Any]
_PRICE_KEYS = {
    "chatbot": ("prompt", "completion"),
    "embedding": ("prompt",),
    "text-to-image": ("image",),
    "image-editing": ("image",),
    "speech-to-text": ("audio_second", "completion"),
    "video-generation": ("video_second",),
    "audio-generation": ("audio_second",),
}
_UNNAMED = ("input", "output")


def networks() -> Document:
    """Every network of this site, and how fresh our view of it is (2 queries)."""
    states = {state.network: state for state in NetworkState.objects.all()}
    listed = Service.objects.listed().order_by().values_list("network")
    counts = dict(listed.annotate(Count("pk")))
    data = [
        _network(network, states.get(slug) or NetworkState(network=slug), counts.get(slug, 0))
        for slug, network in served().items()
    ]
    return {"object": "list", "data": data}


def models(network: Network, services: Iterable[Service], *, offset: int, limit: int) -> Document:
    """The models of `services` by name, each with the providers that offer it."""
    by_name: dict[str, list[Offer]] = {}
    for service in services:
        for offer in offers(service):
            by_name.setdefault(offer.name, []).append(offer)
    names = list(by_name)
    return {
        "object": "list",
        "network": network.slug,
        "as_of": _time(NetworkState.look(network.slug).services_at),
        "total": len(names),
        "offset": offset,
        "data": [model(name, by_name[name]) for name in names[offset : offset + limit]],
    }


def model(name: str, offered: list[Offer]) -> Document:
    """One model; its own prices are those of its cheapest endpoint that is open for use."""
    best = min(offered, key=_cheapest)
    row = best.row or next((offer.row for offer in offered if offer.row), None)
    return {
        "id": name,
        "name": (row.name if row else "") or name,
        "description": row.description if row else "",
        "type": best.service.service_type,
        "context_length": row.context_length if row else None,
        "max_completion_tokens": row.max_tokens if row else None,
        "architecture": _architecture(row),
        "supported_parameters": row.parameters if row else [],
        "expiration_date": row.expires if row else "",
        "details_source": row.source if row else None,
        "pricing": _pricing(best),
        "endpoints": [endpoint(offer) for offer in offered],
    }


def endpoint(offer: Offer) -> Document:
    """One provider's offer of a model."""
    service = offer.service
    safe = not service.url_problem
    return {
        "provider": service.provider,
        "url": service.as_listed.proxy_url if safe else None,
        "url_problem": service.url_problem,
        "is_open": service.is_open and safe,
        "verifiability": service.verifiability,
        "answers_verifiable": service.trust.is_verifiable,
        "signer": service.as_listed.expected_signer,
        "verification": _verification(service),
        "pricing": _pricing(offer),
        "health": _health(service),
    }


def provider(service: Service) -> Document:
    """All that is known of one provider's service."""
    return {
        "object": "provider",
        "network": service.network,
        "provider": service.provider,
        "type": service.service_type,
        "model": service.model,
        "is_registered": service.removed_at is None,
        "removed_at": _time(service.removed_at),
        "signer": service.tee_signer,
        "signer_acknowledged": service.tee_signer_acknowledged,
        "verification": _verification(service),
        "additional_info": service.additional_info,
        "input_price_neuron": str(service.input_price),
        "output_price_neuron": str(service.output_price),
        "updated_at": _time(service.updated),
        "first_seen_at": _time(service.first_seen_at),
        "as_of": _time(service.seen_at),
        "models": [model(offer.name, [offer]) for offer in offers(service)],
        "changes": [_change(change) for change in service.changes.all()[:100]],
    }


def _network(network: Network, state: NetworkState, services: int) -> Document:
    return {
        "id": network.slug,
        "name": network.name,
        "chain_id": network.chain_id,
        "is_local": network.local,
        "explorer": network.explorer,
        "services": services,
        "block_number": state.block_number,
        "block_read_at": _time(state.seen_at),
        "services_read_at": _time(state.services_at),
        "problem": state.problem or state.services_problem,
    }


def _pricing(offer: Offer) -> Document:
    listed = offer.price_list
    keys = _PRICE_KEYS.get(offer.service.service_type, _UNNAMED)
    bases = {key: price.base for key, price in zip(keys, listed.prices, strict=False)}
    return {
        **{key: amounts.exact(base) for key, base in bases.items()},
        "neuron": {key: str(base) for key, base in bases.items()},
        "currency": "0G",
        "is_maximum": listed.is_maximum,
        "tiers": [
            {
                "max_prompt_tokens": tier.max_tokens or None,
                "prompt_per_million": amounts.exact(tier.input),
                "completion_per_million": amounts.exact(tier.output),
            }
            for tier in listed.tiers
        ],
        "cached_prompt_per_million": (
            None if listed.cached_input is None else amounts.exact(listed.cached_input)
        ),
    }


def _cheapest(offer: Offer) -> tuple[bool, tuple[int, ...]]:
    usable = offer.service.is_open and not offer.service.url_problem
    return not usable, tuple(price.base for price in reversed(offer.price_list.prices))


def _architecture(row: ModelRow | None) -> Document:
    return {
        "input_modalities": row.input_modalities if row else [],
        "output_modalities": row.output_modalities if row else [],
    }


def _health(service: Service) -> Document:
    measured: Measured | None = getattr(service, "measured", None)
    return {
        "reachable": None if service.is_probe_old else service.reachable,
        "probed_at": _time(service.probed_at),
        "down_since": _time(service.down_since),
        "uptime_24h_percent": _percent(measured.uptime_day if measured else None),
        "uptime_30d_percent": _percent(measured.uptime_month if measured else None),
        "latency_ms_p50": measured.latency_p50 if measured else None,
        "latency_ms_p95": measured.latency_p95 if measured else None,
        "first_token_ms_p50": measured.first_token_p50 if measured else None,
        "tokens_per_second_p50": measured.tokens_per_second_p50 if measured else None,
        "reported": _reported(getattr(service, "reported", None)),
    }


def _reported(row: Reported | None) -> Document | None:
    if row is None:
        return None
    return {
        "model": row.model,
        "status": row.status,
        "uptime_percent": _percent(row.uptime),
        "checks_total": row.checks_total,
        "checks_successful": row.checks_successful,
        "response_time_ms": row.response_time_ms,
        "first_token_ms": row.first_token_ms,
        "tokens_per_second": row.tokens_per_second,
        "checked_at": _time(row.checked_at),
        "read_at": _time(row.read_at),
    }


def _verification(service: Service) -> Document:
    return {"verdict": service.standing.key, "checked_at": _time(service.standing.at)}


def _change(change: ServiceChange) -> Document:
    return {
        "seen_at": _time(change.at),
        "field": change.field,
        "label": LABELS.get(change.field, change.field),
        "before": change.before,
        "after": change.after,
    }


def _percent(hundredths: int | None) -> str | None:
    return None if hundredths is None else f"{hundredths // 100}.{hundredths % 100:02}"


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")
