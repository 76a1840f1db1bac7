"""The keys of a wallet as its page lists them: one list per provider, each key with its state."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone

from accounts import keys, slots
from accounts.models import ApiKey, SubAccount, Wallet
from marketplace.models import Service


@dataclass(frozen=True, slots=True)
class State:
    """What is known of a key, as a word with its style and icon, and a sentence."""

    word: str
    style: str
    icon: str
    sentence: str
    is_live: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    key: ApiKey
    state: State


@dataclass(frozen=True, slots=True)
class KeyList:
    """The keys with one provider; `account` is None before the first transfer to it."""

    provider: str
    service: Service | None
    account: SubAccount | None
    rows: list[Row]
    slots: slots.Slots | None
    free: int


UNSIGNED = State("not signed", "wait", "pencil-square", "Its slot is held for 15 minutes.")
OLDER = State(
    "of an older generation", "plain", "x-circle", "It was revoked together with all others."
)
REVOKED = State(
    "revoked", "plain", "x-circle", "A provider may take up to 10 minutes to refuse it."
)
EXPIRED = State("expired", "plain", "clock", "Providers refuse it.")
ELSEWHERE = State(
    "used elsewhere",
    "wait",
    "arrow-top-right-on-square",
    "Not made here; no new key gets its slot.",
    is_live=True,
)
ACTIVE = State(
    "active", "good", "check-circle", "As far as this site and the chain know.", is_live=True
)


def of(wallet: Wallet, network: str, provider: str) -> KeyList:
    """The keys of `wallet` with `provider`."""
    accounts = SubAccount.objects.filter(wallet=wallet, network=network, provider=provider)
    account = accounts.first()
    known = list(keys.known(wallet, network, provider))
    return KeyList(
        provider=provider,
        service=Service.objects.on(network).filter(provider=provider).first(),
        account=account,
        rows=[Row(key, state(key, account)) for key in known],
        slots=slots.slots(account, known) if account else None,
        free=len(keys.free_slots(account)) if account else 0,
    )


def all_of(wallet: Wallet, network: str) -> list[KeyList]:
    """One list for every provider with which the wallet has a sub-account."""
    found = SubAccount.objects.filter(wallet=wallet, network=network).order_by("provider")
    return [of(wallet, network, account.provider) for account in found]


def state(key: ApiKey, account: SubAccount | None) -> State:
    """Where `key` stands by the sub-account as last read; expiry by our own clock."""
    if key.is_waiting:
        return UNSIGNED
    if account is not None and key.generation != account.generation:
        return OLDER
    if account is not None and keys.is_revoked(account, key.slot):
        return REVOKED
    if key.expires_at is not None and key.expires_at <= timezone.now():
        return EXPIRED
    return ACTIVE if key.origin == ApiKey.Origin.MADE else ELSEWHERE
