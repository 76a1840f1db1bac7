"""What base.html needs on every page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import ResolverMatch, reverse
from django.utils.functional import SimpleLazyObject

from marketplace.models import NetworkState
from marketplace.network import served
from zgcompute.networks import Network

_FRONT_PAGES = {
    "marketplace": "marketplace:catalog",
    "accounts": "accounts:account",
    "build": "build:home",
    "chat": "chat:home",
    "studio": "studio:images",
    "studio:speech": "studio:speech",
}


@dataclass(frozen=True, slots=True)
class Place:
    """An entry of the network switch: the same section on a network."""

    network: Network
    url: str
    is_current: bool


def site(request: HttpRequest) -> dict[str, Any]:
    """The current network, the others, and how old our data is (lazily: fragments need none)."""
    match = request.resolver_match
    slug = match.kwargs.get("network") if match else None
    networks = served()
    network = networks.get(slug or settings.DEFAULT_NETWORK, networks[settings.DEFAULT_NETWORK])
    return {
        "site_name": settings.SITE_NAME,
        "network": network,
        "networks": list(networks.values()),
        "network_switch": [
            Place(other, _same_section(match, other.slug), other == network)
            for other in networks.values()
        ],
        "network_state": SimpleLazyObject(lambda: NetworkState.look(network.slug)),
    }


def _same_section(match: ResolverMatch | None, slug: str) -> str:
    """The section's front page on another network, since what is inside belongs to one network."""
    names = (match.view_name, match.namespace) if match is not None else ()
    known = (_FRONT_PAGES[name] for name in names if name in _FRONT_PAGES)
    return reverse(next(known, _FRONT_PAGES["marketplace"]), args=(slug,))
