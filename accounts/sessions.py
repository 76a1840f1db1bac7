"""Sessions with providers: prepared here, signed by the wallet, kept encrypted for a day."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from accounts import vault
from accounts.models import ProviderSession, SubAccount, Wallet
from zgcompute.errors import InvalidToken
from zgcompute.session import SessionRequest, SessionToken

LEFT_TO_USE = timedelta(seconds=60)  # a token about to expire is not worth a request
TIME_TO_SIGN = timedelta(minutes=15)

Store = MutableMapping[str, Any]  # the browser's session: it holds what waits for a signature


def prepare(store: Store, wallet: Wallet, network: str, provider: str) -> SessionRequest:
    """Describe a session for the wallet to sign, and keep it in `store` until the answer comes."""
    request = SessionRequest.new(
        wallet.address, provider, generation=_generation(wallet, network, provider)
    )
    store[_key(network, provider)] = asdict(request)
    return request


def seal(
    store: Store, wallet: Wallet, network: str, provider: str, signature: str
) -> ProviderSession:
    """Keep the session that the wallet's `signature` makes of the prepared request.

    Raises InvalidToken if nothing (any longer) waits for a signature or it is malformed, and
    SignatureMismatch if another account signed.
    """
    prepared = store.get(_key(network, provider))
    if prepared is None:
        raise InvalidToken("There is no session waiting for this signature.")
    request = SessionRequest(**prepared)
    age = timezone.now() - when(request.issued_at_ms)
    if request.user != wallet.address or age > TIME_TO_SIGN:
        raise InvalidToken("This session was prepared too long ago.")
    if request.generation != _generation(wallet, network, provider):
        raise InvalidToken("All keys were revoked while this session was waiting.")
    session = _keep(wallet, network, request.seal(signature))
    del store[_key(network, provider)]
    return session


def api_key_for(wallet: Wallet, network: str, provider: str) -> str | None:
    """The running session's key ("app-sk-…"), or None: sign a new one."""
    session = running(wallet, network, provider)
    if session is None:
        return None
    try:
        return vault.unlock(bytes(session.sealed_token))
    except vault.Unreadable:
        session.delete()
        return None


def running(wallet: Wallet, network: str, provider: str) -> ProviderSession | None:
    """The session that a provider would accept now, as far as our mirror knows."""
    return ProviderSession.objects.filter(
        wallet=wallet,
        network=network,
        provider=provider,
        generation=_generation(wallet, network, provider),
        expires_at__gt=timezone.now() + LEFT_TO_USE,
    ).first()


def forget(wallet: Wallet, network: str, provider: str) -> None:
    """Drop the session with that provider."""
    wallet.provider_sessions.filter(network=network, provider=provider).delete()


def forget_on(wallet: Wallet, network: str) -> None:
    """Drop all provider sessions of the wallet on that network."""
    wallet.provider_sessions.filter(network=network).delete()


def forget_all(wallet: Wallet) -> None:
    """Drop all provider sessions of the wallet, on every network."""
    wallet.provider_sessions.all().delete()


def forget_revoked(wallet: Wallet, network: str, generations: dict[str, int]) -> None:
    """Drop sessions that revoke-all ended, and those whose time is over.

    `generations` maps each sub-account's provider to its present generation.
    """
    over = Q(expires_at__lte=timezone.now())
    for provider, generation in generations.items():
        over |= Q(provider=provider) & ~Q(generation=generation)
    wallet.provider_sessions.filter(over, network=network).delete()


def _keep(wallet: Wallet, network: str, token: SessionToken) -> ProviderSession:
    session, _ = ProviderSession.objects.update_or_create(
        wallet=wallet,
        network=network,
        provider=token.provider,
        defaults={
            "sealed_token": vault.lock(token.api_key),
            "generation": token.generation,
            "issued_at": when(token.issued_at_ms),
            "expires_at": when(token.expires_at_ms),
        },
    )
    return session


def _generation(wallet: Wallet, network: str, provider: str) -> int:
    found = SubAccount.objects.filter(wallet=wallet, network=network, provider=provider)
    return found.values_list("generation", flat=True).first() or 0


def when(milliseconds: int) -> datetime:
    """A token's time as Django has times."""
    return datetime.fromtimestamp(milliseconds // 1000, tz=UTC)


def _key(network: str, provider: str) -> str:
    return f"provider-session:{network}:{provider}"
