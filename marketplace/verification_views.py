"""The verification page of a provider: look, start one, take the evidence home."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe
from django.views.decorators.vary import vary_on_headers

from marketplace import tasks
from marketplace.access import service_or_404
from marketplace.check_report import report
from marketplace.fragments import wants_fragment
from marketplace.models import NetworkState, ProviderVerification, Service
from marketplace.network import network_or_404
from marketplace.verifying import TooManyVerifications, ask


@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def verification(request: HttpRequest, network: str, address: str) -> HttpResponse:
    service = service_or_404(network_or_404(network), address)
    if request.method != "POST":
        return _page(request, service)
    try:
        ask(service)
    except TooManyVerifications as error:
        return _page(request, service, refusal=str(error))
    tasks.verify_later(network)
    if not wants_fragment(request):
        return redirect("marketplace:verification", network, service.provider)
    return _page(request, service)


@require_safe
def evidence(request: HttpRequest, network: str, address: str) -> HttpResponse:
    row = _latest(network, address)
    name = f"evidence-{row.service.provider}-{row.finished_at:%Y%m%d-%H%M%S}.json"
    return _download(row.evidence.encode(), name)


@require_safe
def report_file(request: HttpRequest, network: str, address: str, file: str) -> HttpResponse:
    body = _latest(network, address).report(file)
    if body is None:
        raise Http404("There is no such report.")
    return _download(body, file)


def _page(request: HttpRequest, service: Service, *, refusal: str = "") -> HttpResponse:
    template = "_verification.html" if wants_fragment(request) else "verification.html"
    context = {
        "section": "catalog",
        "service": service,
        "report": report(service),
        "refusal": refusal,
        "network_state": NetworkState.look(service.network),
    }
    status = 429 if refusal else 200
    return render(request, f"marketplace/{template}", context, status=status)


def _latest(network: str, address: str) -> ProviderVerification:
    service = service_or_404(network_or_404(network), address)
    rows = ProviderVerification.objects.of(service).finished().defer(None)
    row = rows.exclude(evidence="").first()
    if row is None:
        raise Http404("This provider has not been checked yet.")
    return row


def _download(body: bytes, name: str) -> HttpResponse:
    """A file to keep, never to be shown: what is in it comes from a provider."""
    response = HttpResponse(body, content_type="application/octet-stream")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response
