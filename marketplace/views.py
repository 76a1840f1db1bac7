from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from marketplace.access import service_or_404
from marketplace.details import details
from marketplace.fragments import wants_fragment
from marketplace.listing import listing
from marketplace.models import NetworkState
from marketplace.network import network_or_404
from marketplace.search import Search


@require_safe
@vary_on_headers("HX-Request")
def catalog(request: HttpRequest, network: str) -> HttpResponse:
    served = network_or_404(network)
    template = (
        "marketplace/_catalog.html" if wants_fragment(request) else "marketplace/catalog.html"
    )
    search = Search.read(request.GET)
    context = {
        "section": "catalog",
        "listing": listing(served.slug, search),
        "network_state": NetworkState.look(served.slug),
    }
    response = render(request, template, context)
    if not _is_poll(request):
        response["HX-Push-Url"] = f"{request.path}?{search.query}" if search.query else request.path
    return response


@require_safe
def provider(request: HttpRequest, network: str, address: str) -> HttpResponse:
    served = network_or_404(network)
    service = service_or_404(served, address)
    if address != service.provider:
        return redirect(service, permanent=True)
    context = {
        "section": "catalog",
        "service": service,
        "details": details(service, served),
        "network_state": NetworkState.look(served.slug),
    }
    return render(request, "marketplace/provider.html", context)


@require_safe
def health(request: HttpRequest, network: str) -> HttpResponse:
    """How fresh our view of the network is; the footer asks for it again and again."""
    state = NetworkState.look(network_or_404(network).slug)
    return render(request, "components/_network_health.html", {"state": state})


def _is_poll(request: HttpRequest) -> bool:
    """An unread catalog asks for itself until it is read; that is no step of the reader's."""
    return request.headers.get("HX-Trigger") == "catalog"
