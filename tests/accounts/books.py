"""What tests ask of a wallet's books."""

from __future__ import annotations

import math
from collections import Counter

from accounts.models import Ledger, Movement, SubAccount, Wallet
from zgcompute.amounts import exact

Line = tuple[str, str, str]


def lines(wallet: Wallet) -> list[Line]:
    """Kind, amount in 0G and source of all movements: by block, then what has none."""
    rows = sorted(Movement.objects.filter(wallet=wallet), key=_place)
    return [(row.kind, exact(row.amount), row.source) for row in rows]


def _place(row: Movement) -> tuple[float, int]:
    return (math.inf if row.block_number is None else row.block_number), row.pk


def require_balance(wallet: Wallet, network: str = "devnet") -> None:
    """Assert that the movements add up to the mirrored balances, to the neuron."""
    rows = Movement.objects.filter(wallet=wallet, network=network)
    assert all(row.amount > 0 for row in rows)
    ledger = Ledger.objects.get(wallet=wallet, network=network)
    assert sum(row.available_change for row in rows) == ledger.available
    locked: Counter[str] = Counter()
    for row in rows:
        locked[row.provider] += row.locked_change
    accounts = SubAccount.objects.filter(wallet=wallet, network=network)
    levels = {row.provider: int(row.balance) for row in accounts}
    assert {name: amount for name, amount in locked.items() if amount and name} == {
        name: level for name, level in levels.items() if level
    }
    assert sum(locked.values()) == ledger.total - ledger.available
