"""Who may see what: everything of a wallet is reached through these; strangers get 404."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from uuid import UUID

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_list_or_404, get_object_or_404

from accounts.models import ApiKey, SignIn, Transaction, Wallet
from marketplace.problems import problem

P = ParamSpec("P")


class WalletRequest(HttpRequest):
    """A request of a signed-in wallet."""

    user: Wallet


def signed_in(
    view: Callable[Concatenate[Any, P], HttpResponseBase],
) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """Let only signed-in wallets through; others are told to sign in (401)."""

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return problem(
                request,
                "You are signed out.",
                "Connect your wallet and sign in, then do it again.",
                title="Signed out",
                status=401,
            )
        return view(request, *args, **kwargs)

    return guarded


def transaction_for(wallet: Wallet, network: str, key: UUID) -> Transaction:
    """The wallet's own transaction on that network, or 404."""
    return get_object_or_404(Transaction, wallet=wallet, network=network, pk=key)


def batch_for(wallet: Wallet, network: str, key: UUID) -> list[Transaction]:
    """The calls of the wallet's own batch on that network, in their order, or 404."""
    rows = Transaction.objects.filter(wallet=wallet, network=network, batch=key)
    return get_list_or_404(rows.order_by("prepared_at"))


def key_for(wallet: Wallet, network: str, key: int) -> ApiKey:
    """The wallet's own API key on that network, or 404."""
    return get_object_or_404(ApiKey, wallet=wallet, network=network, pk=key)


def sign_in_for(wallet: Wallet, key: int) -> SignIn:
    """One of the browsers in which the wallet itself is signed in, or 404."""
    return get_object_or_404(SignIn, wallet=wallet, pk=key)
