from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from marketplace import comparison, model_names
from marketplace.models import NetworkState
from marketplace.network import network_or_404


@require_safe
def model(request: HttpRequest, network: str, key: str) -> HttpResponse:
    served = network_or_404(network)
    name = model_names.decode(key)
    page = None if name is None else comparison.model_page(served.slug, name)
    if page is None:
        raise Http404("No provider has offered a model of that name here.")
    context = {
        "section": "catalog",
        "page": page,
        "network_state": NetworkState.look(served.slug),
    }
    return render(request, "marketplace/model.html", context)


@require_safe
def compare(request: HttpRequest, network: str) -> HttpResponse:
    served = network_or_404(network)
    found = comparison.comparison(served.slug, request.GET.getlist("provider"))
    context = {
        "section": "catalog",
        "comparison": found,
        "most": comparison.MOST,
        "network_state": NetworkState.look(served.slug),
    }
    return render(request, "marketplace/compare.html", context)
