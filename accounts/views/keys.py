"""API keys: made in place and shown once, noted when made elsewhere, revoked by transactions."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import trigger_client_event

from accounts import build, key_list, keys, transactions
from accounts.access import WalletRequest, key_for, signed_in
from accounts.limits import limit
from accounts.models import ApiKey, Transaction, Wallet
from accounts.tasks import rehearse_later
from marketplace.access import service_or_404
from marketplace.models import Service
from marketplace.network import network_or_404
from marketplace.problems import problem
from zgcompute.errors import Error, InvalidToken


@require_GET
def page(request: HttpRequest, network: str) -> HttpResponse:
    """All keys, or with `?provider=` those of one provider; without a wallet what would be here."""
    served = network_or_404(network)
    context: dict[str, Any] = {"section": "account", "place": "keys", "lifetimes": keys.LIFETIMES}
    if not isinstance(request.user, Wallet):
        return render(request, "accounts/signed_out.html", context)
    if request.GET.get("provider"):
        service = service_or_404(served, request.GET["provider"])
        context["chosen"] = key_list.of(request.user, network, service.provider)
        context["lists"] = [context["chosen"]]
    else:
        context["lists"] = key_list.all_of(request.user, network)
    return render(request, "accounts/keys.html", context)


@require_GET
@signed_in
def listing(request: WalletRequest, network: str, address: str) -> HttpResponse:
    """The keys with one provider, for the page to look again."""
    service = service_or_404(network_or_404(network), address)
    return _list(request, network, service)


@require_POST
@signed_in
def prepare(request: WalletRequest, network: str, address: str) -> HttpResponse:
    """Reserve a slot and write what the wallet has to sign."""
    service = service_or_404(network_or_404(network), address)
    limit(request, "key", 60)
    label, chosen = request.POST.get("label", ""), request.POST.get("lifetime", "")
    try:
        if chosen not in keys.LIFETIMES:
            raise keys.KeyRefused("Choose how long the key shall live.")
        lifetime = keys.LIFETIMES[chosen][1]
        key = keys.prepare(request.user, network, service.provider, label, lifetime)
    except keys.KeyRefused as error:
        return _form(request, service, error)
    return _signing(request, service, key)


@require_POST
@signed_in
def seal(request: WalletRequest, network: str, key: int) -> HttpResponse:
    """Show the key that the wallet's signature makes: now, and never again."""
    served = network_or_404(network)
    row = key_for(request.user, network, key)
    service = service_or_404(served, row.provider)
    try:
        token = keys.seal(row, request.POST.get("signature", ""))
    except (InvalidToken, keys.KeyRefused) as error:
        return _form(request, service, error)
    except Error as error:
        return _signing(request, service, row, error)
    row.refresh_from_db()
    context = {"service": service, "key": row, "token": token, **_place(request)}
    if _place(request)["in_build"]:
        context["guide"] = build.guide(
            service, served, build.Choice.read(request.POST), api_key=token.api_key
        )
    response = render(request, "accounts/_key_made.html", context)
    return trigger_client_event(response, "keys-changed", after="settle")


@sensitive_post_parameters("key")
@require_POST
@signed_in
def elsewhere(request: WalletRequest, network: str, address: str) -> HttpResponse:
    """Note a slot that is used elsewhere, from the key itself or by its number."""
    service = service_or_404(network_or_404(network), address)
    limit(request, "key", 60)
    pasted, slot = request.POST.get("key", ""), request.POST.get("slot", "")
    error = None
    try:
        if pasted:
            keys.note_pasted(request.user, network, service.provider, pasted)
        else:
            keys.mark(request.user, network, service.provider, _slot(slot))
    except Error as refusal:
        error = refusal
    context = {"service": service, "error": error, "slot": slot if error else ""}
    status = 422 if error else 200
    response = render(request, "accounts/_key_elsewhere.html", context, status=status)
    return response if error else trigger_client_event(response, "keys-changed", after="settle")


@require_POST
@signed_in
def removal(request: WalletRequest, network: str, key: int) -> HttpResponse:
    """Take back that a slot is used elsewhere; keys made here or pasted stay listed."""
    row = key_for(request.user, network, key)
    service = service_or_404(network_or_404(network), row.provider)
    if row.origin == ApiKey.Origin.MARKED:
        row.delete()
    return _list(request, network, service)


@require_POST
@signed_in
def revocation(request: WalletRequest, network: str, key: int) -> HttpResponse:
    """Prepare revoking one key."""
    served = network_or_404(network)
    row = key_for(request.user, network, key)
    limit(request, "prepare", 60)
    try:
        if key_list.state(row, row.sub_account()) == key_list.OLDER:
            raise transactions.Refused("This key was revoked together with all others.")
        prepared = transactions.prepare_revocation(request.user, served, row.provider, row.slot)
    except transactions.Refused as error:
        return problem(request, str(error), error.advice, status=409)
    return _follow(network, prepared)


@require_POST
@signed_in
def revocation_of_all(request: WalletRequest, network: str, address: str) -> HttpResponse:
    """Prepare revoking every key and session with a provider."""
    served = network_or_404(network)
    service = service_or_404(served, address)
    limit(request, "prepare", 60)
    try:
        prepared = transactions.prepare_revocation_of_all(request.user, served, service.provider)
    except transactions.Refused as error:
        return problem(request, str(error), error.advice, status=409)
    return _follow(network, prepared)


def _follow(network: str, prepared: Transaction) -> HttpResponse:
    rehearse_later(prepared.pk)
    return redirect("accounts:transaction", network, prepared.pk)


def _list(request: WalletRequest, network: str, service: Service) -> HttpResponse:
    context = {"keys": key_list.of(request.user, network, service.provider)}
    return render(request, "accounts/_key_list.html", context)


def _form(request: WalletRequest, service: Service, error: Error) -> HttpResponse:
    context = {
        "service": service,
        "lifetimes": keys.LIFETIMES,
        "error": error,
        "label": request.POST.get("label", ""),
        "chosen_lifetime": request.POST.get("lifetime", ""),
        **_place(request),
    }
    return render(request, "accounts/_key_form.html", context, status=422)


def _signing(
    request: WalletRequest, service: Service, key: ApiKey, error: Error | None = None
) -> HttpResponse:
    prepared = keys.request_of(key)
    context = {
        "service": service,
        "key": key,
        "prepared": prepared,
        "digest": "0x" + prepared.digest.hex(),
        "error": error,
        **_place(request),
    }
    status = 422 if error else 200
    response = render(request, "accounts/_key_sign.html", context, status=status)
    return trigger_client_event(response, "keys-changed", after="settle")


def _place(request: WalletRequest) -> dict[str, bool]:
    """Whether the key is made on the build page, whose snippets then get it."""
    return {"in_build": bool(request.POST.get("in_build"))}


def _slot(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else -1
