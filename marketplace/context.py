"""What base.html needs on every page."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from marketplace.models import NetworkState
from marketplace.network import served


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
        "network_state": lambda: NetworkState.of(network.slug),
    }
