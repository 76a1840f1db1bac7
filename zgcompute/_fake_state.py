"""What the fake chain remembers at a block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from zgcompute.types import Address, Ledger, Service, SubAccount

Pair = tuple[Address, Address]  # user, provider
Emitted = tuple[Address, str, Mapping[str, Any]]


@dataclass
class State:
    """All that a block changes; its values are frozen, so a shallow copy is a snapshot."""

    wallets: dict[Address, int] = field(default_factory=dict)
    nonces: dict[Address, int] = field(default_factory=dict)
    ledgers: dict[Address, Ledger] = field(default_factory=dict)
    sub_accounts: dict[Pair, SubAccount] = field(default_factory=dict)
    closed: dict[Pair, SubAccount] = field(default_factory=dict)
    services: dict[Address, Service] = field(default_factory=dict)

    def copy(self) -> State:
        return State(**{name: dict(values) for name, values in vars(self).items()})


def cancelled_refunds(account: SubAccount, amount: int) -> SubAccount:
    """Return `account` with that much of the pending refunds free again, the youngest first."""
    refunds, left = list(account.refunds), amount
    while left:
        youngest = refunds.pop()
        if youngest.amount > left:
            refunds.append(replace(youngest, amount=youngest.amount - left))
        left -= min(left, youngest.amount)
    pending = account.pending_refund - amount
    return replace(account, pending_refund=pending, refunds=tuple(refunds))
