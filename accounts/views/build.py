"""The build page: a provider's endpoint as code that runs."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from accounts import build, key_list, keys
from accounts.models import Wallet
from marketplace.access import service_or_404
from marketplace.models import NetworkState, Service
from marketplace.network import network_or_404

SHOWN = 100


@require_safe
def home(request: HttpRequest, network: str) -> HttpResponse:
    """Choose what to build with."""
    served = network_or_404(network)
    usable = Service.objects.on(served.slug).listed().filter(tee_signer_acknowledged=True)
    services = [row for row in usable.by_name()[:SHOWN] if not row.url_problem]
    context = {
        "section": "build",
        "services": services,
        "has_more": usable.count() > SHOWN,
        "network_state": NetworkState.look(served.slug),
    }
    return render(request, "accounts/build.html", context)


@require_safe
def provider(request: HttpRequest, network: str, address: str) -> HttpResponse:
    """One provider's endpoint in every language that is offered, and a key made in place."""
    served = network_or_404(network)
    service = service_or_404(served, address)
    if address != service.provider:
        return redirect("build:provider", network, service.provider, permanent=True)
    chosen = build.Choice.read(request.GET)
    guide = None if service.url_problem else build.guide(service, served, chosen)
    context: dict[str, Any] = {
        "section": "build",
        "service": service,
        "guide": guide,
        "base_url": service.as_listed.proxy_url,
        "lifetimes": keys.LIFETIMES,
        "in_build": True,
    }
    if isinstance(request.user, Wallet):
        context["keys"] = key_list.of(request.user, served.slug, service.provider)
    return render(request, "accounts/build_provider.html", context)
