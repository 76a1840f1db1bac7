from __future__ import annotations

from dataclasses import replace

import pytest

from zgcompute import rules
from zgcompute.amounts import parse
from zgcompute.errors import BelowMinimum, InsufficientBalance, LedgerMissing, LimitExceeded
from zgcompute.testing import CONSTANTS
from zgcompute.types import Address, Ledger, SubAccount, WalletState

USER = Address("0x" + "11" * 20)
PROVIDER = Address("0x" + "33" * 20)
EMPTY = WalletState(USER, parse("100"), None, ())
FUNDED = replace(EMPTY, ledger=Ledger(USER, parse("10"), parse("14")))


def account(number: int = 0, *, pending: str = "0") -> SubAccount:
    return SubAccount(
        user=USER,
        provider=PROVIDER if not number else Address(f"0x{number:040x}"),
        nonce=0,
        balance=parse("4"),
        pending_refund=parse(pending),
        refunds=(),
        acknowledged=True,
        generation=0,
        revoked_bitmap=0,
    )


def test_the_chains_own_minimum_counts() -> None:
    lower = replace(CONSTANTS, min_account_balance=parse("0.1"))
    rules.require_deposit(parse("0.1"), EMPTY, lower)
    with pytest.raises(BelowMinimum, match="at least 3 0G"):
        rules.require_deposit(parse("0.1"), EMPTY, CONSTANTS)
    rules.require_deposit(1, FUNDED, CONSTANTS)


def test_a_deposit_leaves_something_for_the_network_fee() -> None:
    rules.require_deposit(parse("100") - 1, EMPTY, CONSTANTS)
    with pytest.raises(InsufficientBalance):
        rules.require_deposit(parse("100"), EMPTY, CONSTANTS)


def test_only_the_first_transfer_has_a_minimum() -> None:
    with pytest.raises(BelowMinimum, match="at least 1 0G"):
        rules.require_transfer(parse("0.5"), PROVIDER, FUNDED, CONSTANTS)
    known = replace(FUNDED, sub_accounts=(account(),))
    assert rules.require_transfer(1, PROVIDER.lower(), known, CONSTANTS) == account()


def test_what_cancels_refunds_need_not_be_available() -> None:
    back = replace(FUNDED, sub_accounts=(account(pending="4"),))
    rules.require_transfer(parse("14"), PROVIDER, back, CONSTANTS)
    with pytest.raises(InsufficientBalance, match="needs 11 0G") as refused:
        rules.require_transfer(parse("15"), PROVIDER, back, CONSTANTS)
    assert refused.value.advice.startswith("Deposit 1 0G first")


def test_a_ledger_has_no_more_providers_than_the_chain_allows() -> None:
    full = replace(FUNDED, sub_accounts=tuple(account(n) for n in range(1, 51)))
    with pytest.raises(LimitExceeded, match="with 50 providers"):
        rules.require_transfer(parse("1"), PROVIDER, full, CONSTANTS)


def test_a_refund_leaves_nothing_or_the_minimum() -> None:
    for amount in ("10", "7", "0.5"):
        assert rules.require_refund(parse(amount), FUNDED, CONSTANTS) == FUNDED.ledger
    with pytest.raises(BelowMinimum, match="2 0G would remain"):
        rules.require_refund(parse("8"), FUNDED, CONSTANTS)
    with pytest.raises(LedgerMissing):
        rules.require_refund(1, EMPTY, CONSTANTS)
