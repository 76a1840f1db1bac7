"""The sessions page: with providers, and of this site's browsers; each can be ended."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from accounts import sessions, sign_ins
from accounts.access import WalletRequest, sign_in_for, signed_in
from marketplace.models import Service
from marketplace.network import network_or_404


@require_GET
@signed_in
def page(request: WalletRequest, network: str) -> HttpResponse:
    """All sessions of the wallet, those with providers on this network."""
    network_or_404(network)
    names = dict(Service.objects.on(network).values_list("provider", "model"))
    running = request.user.provider_sessions.filter(network=network, expires_at__gt=timezone.now())
    context = {
        "section": "account",
        "place": "sessions",
        "provider_sessions": [
            {"session": row, "name": names.get(row.provider, "")}
            for row in running.order_by("expires_at")
        ],
        "sign_ins": list(sign_ins.of(request.user)),
        "this_session": request.session.session_key,
    }
    return render(request, "accounts/sessions.html", context)


@require_POST
@signed_in
def end_provider_sessions(request: WalletRequest, network: str) -> HttpResponse:
    """Forget all sessions with providers of this network."""
    network_or_404(network)
    sessions.forget_on(request.user, network)
    return redirect("accounts:sessions", network)


@require_POST
@signed_in
def end(request: WalletRequest, network: str, key: int) -> HttpResponse:
    """Sign out one browser of the wallet."""
    network_or_404(network)
    sign_ins.end(sign_in_for(request.user, key))
    return redirect("accounts:sessions", network)


@require_POST
@signed_in
def end_others(request: WalletRequest, network: str) -> HttpResponse:
    """Sign out every browser of the wallet but this one."""
    network_or_404(network)
    sign_ins.end_others(request.user, str(request.session.session_key))
    return redirect("accounts:sessions", network)
