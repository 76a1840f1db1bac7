from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from marketplace.models import NetworkState
from marketplace.network import network_or_404


def catalog(request: HttpRequest, network: str) -> HttpResponse:
    network_or_404(network)
    return render(request, "base.html", {"section": "catalog"})


def health(request: HttpRequest, network: str) -> HttpResponse:
    """How fresh our view of the network is; the footer asks for it again and again."""
    state = NetworkState.look(network_or_404(network).slug)
    return render(request, "components/_network_health.html", {"state": state})
