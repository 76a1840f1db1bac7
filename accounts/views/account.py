"""The account page: what the signed-in wallet holds, owes and did, from our mirror only."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from accounts import attention, forms, holdings
from accounts.access import WalletRequest, signed_in
from accounts.limits import limit
from accounts.models import Ledger, Wallet
from accounts.tasks import refresh_wallet_later
from marketplace.fragments import wants_fragment
from marketplace.models import NetworkState
from marketplace.network import network_or_404
from zgcompute.networks import Network


@require_GET
def account(request: HttpRequest, network: str) -> HttpResponse:
    """The whole page; without a wallet it says what would be here."""
    served = network_or_404(network)
    context: dict[str, Any] = {"section": "account", "place": "account"}
    context["signed_out"] = request.GET.get("signed-out")
    if not isinstance(request.user, Wallet):
        return render(request, "accounts/signed_out.html", context)
    provider = request.GET.get("provider", "")
    context |= _holdings(request.user, served)
    context["deposit"] = forms.deposit(request.user, network)
    context["transfer"] = forms.transfer(request.user, network, provider)
    context["withdrawal"] = forms.withdrawal(request.user, network)
    return render(request, "accounts/account.html", context)


@require_GET
@signed_in
def balances(request: WalletRequest, network: str) -> HttpResponse:
    """Figures and providers, for the page to look again."""
    served = network_or_404(network)
    return render(request, "accounts/_balances.html", _holdings(request.user, served))


@require_GET
@signed_in
def history(request: WalletRequest, network: str) -> HttpResponse:
    """The latest activity, settlements and usage, for the page to look again."""
    served = network_or_404(network)
    return render(request, "accounts/_history.html", _holdings(request.user, served))


@require_POST
@signed_in
def refreshing(request: WalletRequest, network: str) -> HttpResponse:
    """Have a worker read the chain now."""
    served = network_or_404(network)
    limit(request, "refresh", 20)
    Ledger.objects.filter(wallet=request.user, network=network).update(asked_at=timezone.now())
    refresh_wallet_later(request.user.pk, network)
    if not wants_fragment(request):
        return redirect("accounts:account", network)
    return render(request, "accounts/_balances.html", _holdings(request.user, served))


def _holdings(wallet: Wallet, network: Network) -> dict[str, Any]:
    found = holdings.of(wallet, network)
    return {
        "holdings": found,
        "picture": found.picture,
        "notices": attention.of(wallet, network.slug, found),
        "state": NetworkState.of(network.slug),
    }
