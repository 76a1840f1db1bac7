"""Starting and ending a session with a provider."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST
from django_htmx.http import trigger_client_event

from accounts import sessions
from accounts.access import WalletRequest, signed_in
from accounts.limits import limit
from accounts.models import Wallet
from accounts.tasks import refresh_wallet_later
from marketplace.access import service_or_404
from marketplace.fragments import wants_fragment
from marketplace.models import Service
from marketplace.network import network_or_404
from zgcompute.errors import InvalidToken, SignatureMismatch


@require_POST
@signed_in
def prepare(request: WalletRequest, network: str, address: str) -> HttpResponse:
    """Write the session that the wallet has to sign, and explain the opaque prompt."""
    service = service_or_404(network_or_404(network), address)
    limit(request, "session", 60)
    return _form(request, request.user, network, service)


@require_POST
@signed_in
def start(request: WalletRequest, network: str, address: str) -> HttpResponse:
    """Keep the session that the wallet's signature makes."""
    service = service_or_404(network_or_404(network), address)
    limit(request, "session", 60)
    signature = request.POST.get("signature", "")
    try:
        session = sessions.seal(request.session, request.user, network, service.provider, signature)
    except (InvalidToken, SignatureMismatch) as error:
        return _form(request, request.user, network, service, error)
    refresh_wallet_later(request.user.pk, network)
    if not wants_fragment(request):
        return redirect("accounts:account", network)
    response = render(request, "accounts/_session_started.html", {"session": session})
    return trigger_client_event(response, "readiness-changed", after="settle")


@require_POST
@signed_in
def end(request: WalletRequest, network: str, address: str) -> HttpResponse:
    """Forget the session: this site can no longer use the provider for the wallet."""
    service = service_or_404(network_or_404(network), address)
    sessions.forget(request.user, network, service.provider)
    is_listed = request.POST.get("place") == "sessions"
    return redirect("accounts:sessions" if is_listed else "accounts:account", network)


def _form(
    request: WalletRequest,
    wallet: Wallet,
    network: str,
    service: Service,
    error: Exception | None = None,
) -> HttpResponse:
    prepared = sessions.prepare(request.session, wallet, network, service.provider)
    context = {
        "service": service,
        "prepared": prepared,
        "digest": "0x" + prepared.digest.hex(),
        "expires_at": sessions.when(prepared.expires_at_ms),
        "error": error,
    }
    return render(request, "accounts/_session_form.html", context, status=422 if error else 200)
