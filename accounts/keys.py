"""API keys of a wallet with a provider: slots that are never shared, keys that are never kept.

A key lives in one of 255 slots (token ids, PROTOCOL §1.3), and what revokes a slot revokes every
key in it. A slot is taken when the chain's bitmap says it is revoked, when a key of this site is
in it, or when its owner says that it is used elsewhere.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import ApiKey, SubAccount, Wallet
from zgcompute.addresses import same
from zgcompute.errors import Error, InvalidToken
from zgcompute.session import SessionRequest, SessionToken

SLOTS = 255  # token ids 0..254; 255 is the session
TIME_TO_SIGN = timedelta(minutes=15)
TIME_TO_RECLAIM = timedelta(days=1)  # after its expiry, whatever a provider's clock says
LIFETIMES: dict[str, tuple[str, timedelta | None]] = {
    "1h": ("1 hour", timedelta(hours=1)),
    "1d": ("1 day", timedelta(days=1)),
    "7d": ("7 days", timedelta(days=7)),
    "30d": ("30 days", timedelta(days=30)),
    "never": ("never", None),
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MOMENT = datetime(9999, 12, 31, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class KeyRefused(Error):
    """A key that cannot be made or noted; `advice` says what would help."""


def prepare(
    wallet: Wallet, network: str, provider: str, label: str, lifetime: timedelta | None
) -> ApiKey:
    """Reserve a free slot for a key that the wallet is about to sign; None lives for ever.

    Raises KeyRefused where there is no sub-account (the key's generation is unknown then), no
    label, or no free slot.
    """
    account = _account(wallet, network, provider)
    name = _label(label)
    _drop_unsigned(account)
    request = SessionRequest.new(
        wallet.address, provider, generation=account.generation, token_id=0, lifetime=lifetime
    )
    for slot in free_slots(account) or _reclaimed(account):
        key = _reserved(account, request, slot, name)
        if key is not None:
            return key
    raise KeyRefused(
        f"All {SLOTS} slots of this provider are taken.",
        advice="Revoke all keys: that frees every slot.",
    )


def request_of(key: ApiKey) -> SessionRequest:
    """What the wallet signs for `key`, which is still unsigned."""
    return SessionRequest(
        user=key.wallet.address,
        provider=key.provider,
        issued_at_ms=_milliseconds(key.issued_at),
        expires_at_ms=_milliseconds(key.expires_at) if key.expires_at else 0,
        nonce=key.nonce,
        generation=key.generation,
        token_id=key.slot,
    )


def seal(key: ApiKey, signature: str) -> SessionToken:
    """Return the key that the wallet's `signature` makes: once, for only its fingerprint is kept.

    Raises InvalidToken if nothing (any longer) waits for a signature or it is malformed, and
    SignatureMismatch if another account signed.
    """
    if not key.is_waiting or timezone.now() - key.issued_at > TIME_TO_SIGN:
        raise InvalidToken("No key is waiting for this signature.", advice="Create a new one.")
    account = _account(key.wallet, key.network, key.provider)
    if key.generation != account.generation or is_revoked(account, key.slot):
        key.delete()
        raise InvalidToken("Its slot was revoked while it was waiting.", advice="Create a new one.")
    token = request_of(key).seal(signature)
    unsigned = ApiKey.objects.filter(pk=key.pk, fingerprint="")
    if not unsigned.update(fingerprint=fingerprint(token), nonce=""):
        raise InvalidToken("This key has been signed already.", advice="Create a new one.")
    return token


def note_pasted(wallet: Wallet, network: str, provider: str, text: str) -> ApiKey:
    """Note the slot of a key made elsewhere; of the key itself only its fingerprint stays.

    Raises KeyRefused where it takes no slot here, InvalidToken and SignatureMismatch for no key.
    """
    account = _account(wallet, network, provider)
    token = SessionToken.parse(text.strip())
    _require_live(account, token)
    with transaction.atomic():
        _make_room(account, token)
        return ApiKey.objects.create(
            **_place(account, token.token_id),
            label="Pasted key",
            origin=ApiKey.Origin.PASTED,
            issued_at=_moment(token.issued_at_ms),
            expires_at=_moment(token.expires_at_ms) if token.expires_at_ms else None,
            fingerprint=fingerprint(token),
        )


def mark(wallet: Wallet, network: str, provider: str, slot: int) -> ApiKey:
    """Note that `slot` is used elsewhere; raises KeyRefused where it is not free."""
    account = _account(wallet, network, provider)
    _drop_unsigned(account)
    if slot not in range(SLOTS):
        raise KeyRefused(f"A slot is a number from 0 to {SLOTS - 1}.")
    place = _place(account, slot)
    if is_revoked(account, slot) or ApiKey.objects.filter(**place).exists():
        raise KeyRefused(f"Slot {slot} is taken already: no new key will get it.")
    key, _ = ApiKey.objects.get_or_create(
        **place, defaults={"label": "Used elsewhere", "origin": ApiKey.Origin.MARKED}
    )
    return key


def fingerprint(token: SessionToken) -> str:
    """How a key is told from another without knowing it: the start of its SHA-256."""
    return hashlib.sha256(token.api_key.encode()).hexdigest()[:12]


def free_slots(account: SubAccount) -> list[int]:
    """The slots of the present generation that no key is known to be in, in order."""
    taken = set(_present(account).values_list("slot", flat=True))
    return [slot for slot in range(SLOTS) if slot not in taken and not is_revoked(account, slot)]


def is_revoked(account: SubAccount, slot: int) -> bool:
    """Whether the chain's bitmap, as last read, has `slot` as revoked."""
    return bool(int(account.revoked_bitmap) >> slot & 1)


def known(wallet: Wallet, network: str, provider: str) -> QuerySet[ApiKey]:
    """All keys with a provider that are known here, of every generation, the newest first."""
    rows = ApiKey.objects.filter(wallet=wallet, network=network, provider=provider)
    return rows.exclude(_abandoned())


def _account(wallet: Wallet, network: str, provider: str) -> SubAccount:
    found = SubAccount.objects.filter(wallet=wallet, network=network, provider=provider).first()
    if found is None:
        raise KeyRefused(
            "You have no sub-account with this provider, so it would refuse the key.",
            advice="Transfer funds to it first: the first transfer creates the sub-account.",
        )
    return found


def _label(text: str) -> str:
    name = " ".join(text.split())
    if not name or len(name) > 60:
        raise KeyRefused("A label has 1 to 60 characters.", advice="Name what will use the key.")
    return name


def _drop_unsigned(account: SubAccount) -> None:
    """Give back the slots of keys that nobody signed in time; `seal` refuses those."""
    _present(account).filter(_abandoned()).delete()


def _abandoned() -> Q:
    too_old = timezone.now() - TIME_TO_SIGN
    return Q(origin=ApiKey.Origin.MADE, fingerprint="", issued_at__lt=too_old)


def _reclaimed(account: SubAccount) -> list[int]:
    """With every slot taken, those of keys that expired long ago are free again."""
    _present(account).filter(expires_at__lt=timezone.now() - TIME_TO_RECLAIM).delete()
    return free_slots(account)


def _reserved(account: SubAccount, request: SessionRequest, slot: int, label: str) -> ApiKey | None:
    """The waiting key in `slot`, or None where somebody was faster."""
    try:
        with transaction.atomic():
            return ApiKey.objects.create(
                **_place(account, slot),
                label=label,
                origin=ApiKey.Origin.MADE,
                nonce=request.nonce,
                issued_at=_moment(request.issued_at_ms),
                expires_at=_moment(request.expires_at_ms) if request.expires_at_ms else None,
            )
    except IntegrityError:
        return None


def _require_live(account: SubAccount, token: SessionToken) -> None:
    """Refuse what is no key of this wallet and provider, and what takes no slot any more."""
    if not same(token.user, account.wallet.address):
        raise KeyRefused(f"This key is of another wallet: {token.user}.")
    if not same(token.provider, account.provider):
        raise KeyRefused(
            f"This key is for another provider: {token.provider}.", advice="Note it there."
        )
    if token.is_ephemeral:
        raise KeyRefused("This is a session, not an API key: it takes no slot.")
    if token.is_expired(_milliseconds(timezone.now())):
        raise KeyRefused("This key has expired: it takes no slot.")
    if token.generation != account.generation or is_revoked(account, token.token_id):
        raise KeyRefused("This key is revoked: it takes no slot.")


def _make_room(account: SubAccount, token: SessionToken) -> None:
    """A pasted key takes the place of a mark or of an unsigned key, never of another key."""
    there = ApiKey.objects.filter(**_place(account, token.token_id)).first()
    if there is None:
        return
    if there.fingerprint == fingerprint(token):
        raise KeyRefused(f"This key is noted already: slot {there.slot}, “{there.label}”.")
    if there.fingerprint:
        raise KeyRefused(
            f"Slot {there.slot} holds another key too, “{there.label}”: what revokes the one "
            "revokes the other.",
            advice="Make a new key for one of the two, then revoke this slot.",
        )
    there.delete()


def _present(account: SubAccount) -> QuerySet[ApiKey]:
    """The keys of the present generation: those that share its slots."""
    rows = ApiKey.objects.filter(wallet=account.wallet, network=account.network)
    return rows.filter(provider=account.provider, generation=account.generation)


def _place(account: SubAccount, slot: int) -> dict[str, Any]:
    return {
        "wallet": account.wallet,
        "network": account.network,
        "provider": account.provider,
        "generation": account.generation,
        "slot": slot,
    }


def _moment(milliseconds: int) -> datetime:
    """A token's time to the millisecond; what lies beyond all calendars is cut."""
    if milliseconds >= _milliseconds(_LAST_MOMENT):
        return _LAST_MOMENT
    return _EPOCH + timedelta(milliseconds=milliseconds)


def _milliseconds(when: datetime) -> int:
    return (when - _EPOCH) // _MILLISECOND
