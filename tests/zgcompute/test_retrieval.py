from __future__ import annotations

from dataclasses import replace

import pytest

from zgcompute import retrieval
from zgcompute.errors import LedgerError, RefundLocked
from zgcompute.testing import CONSTANTS
from zgcompute.types import Address, Refund, SubAccount

LOCK = CONSTANTS.lock_time
NOW = 10 * LOCK


def account(number: int, balance: int, *refunds: tuple[int, int]) -> SubAccount:
    """A sub-account with refunds of (amount, seconds ago)."""
    return SubAccount(
        user=Address("0x" + "11" * 20),
        provider=Address(f"0x{number:040x}"),
        nonce=0,
        balance=balance,
        pending_refund=sum(amount for amount, _ in refunds),
        refunds=tuple(Refund(i, a, NOW - ago) for i, (a, ago) in enumerate(refunds)),
        acknowledged=True,
        generation=0,
        revoked_bitmap=0,
    )


def test_a_refund_is_due_at_the_very_second_its_lock_time_ends() -> None:
    part = retrieval.part_of(account(1, 30, (10, LOCK), (20, LOCK - 1)), CONSTANTS, NOW)
    assert (part.due, part.starting, part.waiting, part.next_due) == (10, 0, 1, NOW + 1)


def test_what_is_due_comes_first_and_idle_providers_are_left_out() -> None:
    accounts = [account(1, 50), account(2, 0), account(3, 9, (9, LOCK)), account(4, 5, (5, 1))]
    plan = retrieval.plan(accounts, CONSTANTS, NOW)
    assert [int(part.provider, 16) for part in plan.parts] == [3, 1]
    assert (plan.due, plan.starting) == (9, 50)


def test_one_call_names_as_many_providers_as_the_chain_allows() -> None:
    small = replace(CONSTANTS, max_providers_per_batch=2)
    plan = retrieval.plan([account(n, n) for n in range(1, 6)], small, NOW)
    assert [part.starting for part in plan.parts] == [5, 4]
    assert len(plan.later) == 3


def test_a_sixth_refund_would_take_the_whole_call_down_with_it() -> None:
    full = account(1, 6, *[(1, 0)] * 5)
    plan = retrieval.plan([full, account(2, 7)], CONSTANTS, NOW)
    assert (len(plan.parts), len(plan.blocked)) == (1, 1)
    with pytest.raises(RefundLocked):
        retrieval.plan([full], CONSTANTS, NOW)


def test_nothing_to_do_is_said_in_two_ways() -> None:
    with pytest.raises(LedgerError) as waiting:
        retrieval.plan([account(1, 5, (5, 1))], CONSTANTS, NOW)
    assert "lock time" in waiting.value.advice
    with pytest.raises(LedgerError) as nothing:
        retrieval.plan([account(1, 0)], CONSTANTS, NOW)
    assert "No funds" in nothing.value.advice
