"""What goes with a ledger when it is deleted, and what comes back: revoked API keys.

Deleting a sub-account clears its revokedBitmap but keeps its generation (CONTRACTS §2): after a
new first transfer every key of that generation works again, also those revoked one by one.
Revoking all keys raises the generation, and that stays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from accounts import keys
from accounts.models import ApiKey, Ledger, SubAccount, Transaction, Wallet


@dataclass(frozen=True, slots=True)
class Revival:
    """Keys with one provider that a new sub-account would let work again, in words."""

    provider: str
    revoked: tuple[str, ...]
    active: tuple[str, ...]


def ends_ledger(row: Transaction) -> bool:
    """Whether a prepared call leaves no ledger behind, as last read."""
    if row.function == "deleteLedger":
        return True
    ledger = Ledger.objects.filter(wallet=row.wallet, network=row.network).first()
    return row.function == "refund" and ledger is not None and row.amount == ledger.total


def revivals(wallet: Wallet, network: str) -> list[Revival]:
    """The keys of `wallet` that would outlive its ledger, by provider; none is good news."""
    known: dict[str, dict[int, ApiKey]] = defaultdict(dict)
    for key in ApiKey.objects.filter(wallet=wallet, network=network).exclude(fingerprint=""):
        known[f"{key.provider} {key.generation}"][key.slot] = key
    rows = SubAccount.objects.filter(wallet=wallet, network=network).order_by("provider")
    found = [_revival(row, known[f"{row.provider} {row.generation}"]) for row in rows]
    return [revival for revival in found if revival.revoked or revival.active]


def _revival(row: SubAccount, known: dict[int, ApiKey]) -> Revival:
    revoked = tuple(_words(slot, known.get(slot)) for slot in _revoked_slots(row))
    active = tuple(
        _words(slot, key) for slot, key in sorted(known.items()) if not keys.is_revoked(row, slot)
    )
    return Revival(row.provider, revoked, active)


def _revoked_slots(row: SubAccount) -> Iterator[int]:
    return (slot for slot in range(keys.SLOTS) if keys.is_revoked(row, slot))


def _words(slot: int, key: ApiKey | None) -> str:
    return f"slot {slot}, “{key.label}”" if key else f"slot {slot}"
