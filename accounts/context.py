"""What the header needs to know of the signed-in wallet."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from accounts.demo_wallet import is_offered
from accounts.models import Ledger
from accounts.wallet_chain import wallet_chain
from marketplace.network import served


def wallet(request: HttpRequest) -> dict[str, Any]:
    """The wallet, its ledger on the page's network, and what its software is told of the chain."""
    user = request.user if request.user.is_authenticated else None
    match = request.resolver_match
    networks = served()
    slug = match.kwargs.get("network", "") if match else ""
    network = networks.get(slug) or networks[settings.DEFAULT_NETWORK]
    return {
        "wallet": user,
        "wallet_ledger": lambda: _ledger(user, network.slug),
        "wallet_chain": lambda: wallet_chain(network),
        "has_demo_wallet": is_offered(network),
    }


def _ledger(user: Any, network: str) -> Ledger | None:
    return user and Ledger.objects.filter(wallet=user, network=network).first()
