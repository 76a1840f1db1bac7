"""Signing in and out with a wallet's signature."""

from __future__ import annotations

from django.contrib.auth import login, logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.views.decorators.http import require_POST
from django_htmx.http import HttpResponseClientRedirect

from accounts import entrance, sessions, sign_ins
from accounts.limits import limit
from accounts.signin import SignInRefused
from accounts.tasks import refresh_wallet_later
from marketplace.network import chain, network_or_404
from marketplace.problems import problem
from zgcompute.errors import InvalidAddress


@require_POST
def message(request: HttpRequest, network: str) -> HttpResponse:
    """Write the message that the connected wallet has to sign."""
    served = network_or_404(network)
    limit(request, "sign-in-message", 20)
    try:
        invitation = entrance.invite(
            request.POST.get("address", ""),
            domain=request.get_host(),
            uri=request.build_absolute_uri(reverse("accounts:account", args=[network])),
            chain_id=served.chain_id,
            now=timezone.now(),
        )
    except InvalidAddress as error:
        return problem(request, str(error), "Choose an account in your wallet.", status=422)
    context = {"invitation": invitation, "hex": "0x" + str(invitation).encode().hex()}
    return render(request, "accounts/_sign_in.html", context)


@require_POST
def sign_in(request: HttpRequest, network: str) -> HttpResponse:
    """Check the signed message and open a session for its address."""
    served = network_or_404(network)
    limit(request, "sign-in", 20)
    try:
        wallet = entrance.admit(
            _text(request.POST.get("message", "")),
            request.POST.get("signature", ""),
            domain=request.get_host(),
            scheme=request.scheme or "http",
            chain_id=served.chain_id,
            now=timezone.now(),
            chain=lambda: chain(network),
        )
    except SignInRefused as error:
        return problem(request, str(error), error.advice, title="Not signed in", status=422)
    _leave(request)
    login(request, wallet, backend="accounts.backends.SignedMessage")
    sign_ins.note(request, wallet)
    refresh_wallet_later(wallet.pk, network)
    return _go(request, _page_before(request, network))


@require_POST
def sign_out(request: HttpRequest, network: str) -> HttpResponse:
    """End the session, and with it every provider session that this wallet has here."""
    network_or_404(network)
    _leave(request)
    why = "switched" if request.POST.get("reason") == "switched" else "asked"
    page = reverse("accounts:account", args=[network])
    return _go(request, f"{page}?{urlencode({'signed-out': why})}")


def _leave(request: HttpRequest) -> None:
    if request.user.is_authenticated:
        sessions.forget_all(request.user)
    logout(request)


def _text(hexadecimal: str) -> str:
    try:
        return bytes.fromhex(hexadecimal.removeprefix("0x")).decode()
    except ValueError:
        raise SignInRefused("This is not a sign-in message (EIP-4361).") from None


def _page_before(request: HttpRequest, network: str) -> str:
    """Where the visitor was, without a query that no longer holds; only pages of this site."""
    page = (getattr(request, "htmx", None) and request.htmx.current_url_abs_path) or ""  # type: ignore[attr-defined]
    if url_has_allowed_host_and_scheme(page, allowed_hosts=None) and "signed-out=" not in page:
        return str(page)
    return reverse("accounts:account", args=[network])


def _go(request: HttpRequest, page: str) -> HttpResponse:
    return HttpResponseClientRedirect(page) if getattr(request, "htmx", None) else redirect(page)
