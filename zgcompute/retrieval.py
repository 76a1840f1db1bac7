"""What a call of retrieveFund would do: bring home what is due, lock the free rest (pure).

The contract always does both (CONTRACTS §2): money comes home with the second call, one lock time
after the first. Amounts are neuron.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from zgcompute.errors import LedgerError, RefundLocked
from zgcompute.types import Address, Constants, Refund, SubAccount

MAX_OPEN_REFUNDS = 5  # InferenceServing's limit per sub-account; it is no public constant


@dataclass(frozen=True, slots=True)
class Part:
    """What the call does with one sub-account.

    `next_due` is when the oldest waiting refund is, in Unix seconds; None where nobody asked.
    """

    provider: Address
    due: int  # comes home to the ledger
    starting: int  # its lock time starts
    waiting: int  # how many refunds' lock time goes on
    next_due: int | None = None

    @property
    def is_idle(self) -> bool:
        """There is nothing for the call to do."""
        return not self.due and not self.starting

    @property
    def is_blocked(self) -> bool:
        """The contract would refuse one refund more (TooManyRefunds), and the whole call too."""
        return bool(self.starting) and self.waiting >= MAX_OPEN_REFUNDS


@dataclass(frozen=True, slots=True)
class Plan:
    """One call: its parts, those for a later call, and those that have to wait."""

    parts: tuple[Part, ...]
    later: tuple[Part, ...] = ()
    blocked: tuple[Part, ...] = ()

    @property
    def count(self) -> int:
        """How many providers are left, with those that need a later call."""
        return len(self.parts) + len(self.later)

    @property
    def due(self) -> int:
        return sum(part.due for part in self.parts)

    @property
    def starting(self) -> int:
        return sum(part.starting for part in self.parts)


def plan(accounts: Iterable[SubAccount], constants: Constants, now: int) -> Plan:
    """The call for `accounts` at block time `now`, what is due first.

    Raises LedgerError where it would do nothing, RefundLocked where the contract would refuse it.
    """
    found = [part_of(account, constants, now) for account in accounts]
    wanted = [part for part in found if not part.is_idle]
    wanted.sort(key=lambda part: (part.due, part.starting), reverse=True)
    possible = [part for part in wanted if not part.is_blocked]
    blocked = tuple(part for part in wanted if part.is_blocked)
    if not possible:
        raise _refusal(found, blocked)
    most = constants.max_providers_per_batch
    return Plan(tuple(possible[:most]), tuple(possible[most:]), blocked)


def part_of(account: SubAccount, constants: Constants, now: int) -> Part:
    """What the call would do with one sub-account at block time `now`."""
    waiting = [r for r in account.refunds if not is_due(r, constants, now)]
    due = sum(refund.amount for refund in account.refunds if is_due(refund, constants, now))
    next_due = min((due_at(refund, constants) for refund in waiting), default=None)
    return Part(account.provider, due, account.free, len(waiting), next_due)


def due_at(refund: Refund, constants: Constants) -> int:
    """When `refund` can come home, in Unix seconds of block time."""
    return refund.created_at + constants.lock_time


def is_due(refund: Refund, constants: Constants, now: int) -> bool:
    """Whether `refund` can come home at block time `now`."""
    return now >= due_at(refund, constants)


def _refusal(found: list[Part], blocked: tuple[Part, ...]) -> LedgerError:
    if blocked:
        return RefundLocked(
            f"{MAX_OPEN_REFUNDS} refunds of the same provider are waiting, the most it may have.",
            advice="Try again when the oldest has come home.",
        )
    if any(part.waiting for part in found):
        return LedgerError(
            "There is nothing to retrieve now.",
            advice="What is on its way back can be fetched when its lock time has passed.",
        )
    return LedgerError(
        "There is nothing to retrieve.", advice="No funds of this wallet are with providers."
    )
