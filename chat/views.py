from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from marketplace.network import network_or_404


def home(request: HttpRequest, network: str) -> HttpResponse:
    network_or_404(network)
    return render(request, "base.html")
