"""Statements: what was used, settled and moved, page by page, and as files."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts import activity, downloads, settlement_report, usage_report
from accounts.access import WalletRequest, signed_in
from accounts.limits import limit
from accounts.models import Ledger
from accounts.periods import Excerpt
from marketplace.network import network_or_404


@require_GET
@signed_in
def usage(request: WalletRequest, network: str) -> HttpResponse:
    """Every request made here, with the totals of the time asked for."""
    network_or_404(network)
    report = usage_report.report(request.user, network, Excerpt.read(request.GET))
    context = {"section": "account", "place": "usage", "report": report}
    return render(request, "accounts/usage.html", context)


@require_GET
@signed_in
def usage_csv(request: WalletRequest, network: str) -> StreamingHttpResponse:
    """The same requests as a file."""
    network_or_404(network)
    limit(request, "download", 30)
    rows = usage_report.csv_rows(
        request.user, network, Excerpt.read(request.GET), site=_site(request)
    )
    return downloads.respond(request, f"usage-{network}.csv", usage_report.HEADS, rows)


@require_GET
@signed_in
def settlements(request: WalletRequest, network: str) -> HttpResponse:
    """Every settlement with the requests that it paid."""
    served = network_or_404(network)
    report = settlement_report.report(request.user, served, Excerpt.read(request.GET))
    context = {"section": "account", "place": "settlements", "report": report}
    return render(request, "accounts/settlements.html", context)


@require_GET
@signed_in
def movements(request: WalletRequest, network: str) -> HttpResponse:
    """Every movement of money, and the calls that moved none."""
    served = network_or_404(network)
    report = activity.report(request.user, served, Excerpt.read(request.GET))
    ledger = Ledger.objects.filter(wallet=request.user, network=network).first()
    context = {"section": "account", "place": "activity", "report": report, "ledger": ledger}
    return render(request, "accounts/activity.html", context)


@require_GET
@signed_in
def movements_csv(request: WalletRequest, network: str) -> StreamingHttpResponse:
    """The same movements as a file; all of them sum to the ledger."""
    network_or_404(network)
    limit(request, "download", 30)
    rows = activity.csv_rows(request.user, network, Excerpt.read(request.GET))
    return downloads.respond(request, f"activity-{network}.csv", activity.HEADS, rows)


def _site(request: HttpRequest) -> str:
    return f"{request.scheme}://{request.get_host()}"
