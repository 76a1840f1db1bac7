"""What tests ask of a wallet's books."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from accounts.models import (
    AccountEvent,
    Ledger,
    Movement,
    Payment,
    Refund,
    Settlement,
    SubAccount,
    Usage,
    Wallet,
)
from marketplace.models import NetworkState, ReadBlock
from zgcompute.amounts import exact

Line = tuple[str, str, str]
Rows = dict[str, list[tuple[object, ...]]]


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


def dump() -> Rows:
    """Everything that the database says of accounts, but for the times of our own reading."""
    return {
        model.__name__: sorted(model.objects.values_list(*columns), key=repr)
        for model, columns in _COMPARED.items()
    }


def differences(one: Rows, other: Rows) -> dict[str, tuple[list[Any], list[Any]]]:
    """The rows of each table that only one of two dumps has."""
    return {
        name: ([r for r in one[name] if r not in other[name]], only)
        for name in one
        if (only := [r for r in other[name] if r not in one[name]]) or one[name] != other[name]
    }


def forget_everything() -> None:
    """Make the database that of a new site."""
    for model in (*reversed(_COMPARED), ReadBlock):
        model.objects.all().delete()


_COMPARED: dict[Any, tuple[str, ...]] = {
    Wallet: ("address",),
    NetworkState: ("network", "events_block", "events_hash", "history_block", "history_start"),
    Ledger: ("wallet__address", "wallet_balance", "exists", "available", "total"),
    SubAccount: (
        "wallet__address",
        "provider",
        "balance",
        "pending_refund",
        "nonce",
        "acknowledged",
        "generation",
    ),
    Refund: ("sub_account__provider", "index", "amount", "created_at", "payable_at"),
    AccountEvent: (
        "network",
        "user",
        "provider",
        "kind",
        "balance",
        "status",
        "amount",
        "unsettled_amount",
        "transaction_hash",
        "log_index",
        "block_number",
        "block_hash",
        "happened_at",
        "is_booked",
    ),
    Settlement: (
        "wallet__address",
        "provider",
        "transaction_hash",
        "log_index",
        "block_number",
        "block_hash",
        "status",
        "amount",
        "unsettled_amount",
        "matched",
        "balance_after",
        "settled_at",
    ),
    Usage: ("wallet__address", "provider", "fee", "paid", "settlement__transaction_hash"),
    Payment: ("settlement__transaction_hash", "usage__fee", "amount"),
    Movement: (
        "wallet__address",
        "provider",
        "kind",
        "source",
        "amount",
        "transaction_hash",
        "block_number",
        "event__log_index",
        "settlement__log_index",
    ),
}
