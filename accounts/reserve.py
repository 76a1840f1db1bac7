"""What a provider wants to see locked before it answers, and what that means for a sub-account."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from django.db.models import QuerySet

from accounts.models import Ledger, SubAccount, Usage, Wallet
from marketplace.models import NetworkState
from zgcompute.amounts import NEURON_PER_0G
from zgcompute.fees import MINIMUM_RESERVE

_TENTH = NEURON_PER_0G // 10
HEADROOM = NEURON_PER_0G // 2  # on top of the reserve, so that the second request is not refused


class Standing(StrEnum):
    READY = "ready"
    BELOW = "below reserve"
    NONE = "not funded"


@dataclass(frozen=True, slots=True)
class Position:
    """A sub-account as the provider will judge it (PROTOCOL §5.3); all in neuron.

    `unsettled` is what the provider reported last and what was used here since; where it reported
    nothing, it is what was used here and is not settled yet (`used_here`).
    """

    free: int
    unsettled: int
    used_here: int = 0
    exists: bool = True

    @property
    def left(self) -> int:
        """What remains after unsettled fees; negative where they exceed the free balance."""
        return self.free - self.unsettled

    @property
    def spendable(self) -> int:
        """What can still be spent before requests are refused."""
        return max(0, self.left - MINIMUM_RESERVE)

    @property
    def missing(self) -> int:
        """What must be added for the next request to be accepted."""
        return max(0, MINIMUM_RESERVE - self.left)

    @property
    def standing(self) -> Standing:
        if not self.exists:
            return Standing.NONE
        return Standing.BELOW if self.missing else Standing.READY

    @property
    def suggested_transfer(self) -> int:
        """An amount that passes the reserve with room for some requests.

        What a provider claims beyond the requests made here moves it by one 0G at most: nobody
        is led to lock a fortune by a claim.
        """
        credible = min(self.unsettled, self.used_here + NEURON_PER_0G)
        return max(HEADROOM, MINIMUM_RESERVE + HEADROOM - (self.free - credible))


def position(wallet: Wallet, network: str, provider: str) -> Position:
    """How `wallet` stands with `provider`, as last read."""
    found = SubAccount.objects.filter(wallet=wallet, network=network, provider=provider).first()
    if found is None:
        return Position(free=0, unsettled=0, exists=False)
    return position_of(found, list(unpaid_usage(wallet, network).filter(provider=provider)))


def position_of(sub_account: SubAccount, unpaid: Iterable[Usage]) -> Position:
    """The position of a sub-account with the `unpaid` requests made here with its provider."""
    used_here = used_since = 0
    for usage in unpaid:
        used_here += usage.unpaid
        if sub_account.unsettled_at is None or usage.happened_at > sub_account.unsettled_at:
            used_since += usage.unpaid
    reported = sub_account.unsettled
    unsettled = used_here if reported is None else reported + used_since
    return Position(sub_account.free, unsettled, used_here)


def unpaid_usage(wallet: Wallet, network: str) -> QuerySet[Usage]:
    """The requests made here that no settlement has paid (in full) yet."""
    rows = Usage.objects.filter(wallet=wallet, network=network, settlement=None)
    return rows.only("provider", "fee", "paid", "happened_at")


def least_transfer(network: str, stands: Position) -> int:
    """The contract's minimum for a transfer: it has one only for the first."""
    return 0 if stands.exists else NetworkState.of(network).min_transfer_amount or 0


def suggested_transfer(network: str, stands: Position) -> int:
    """Neuron to lock with a provider so that it answers more than once, in round numbers."""
    return _rounded_up(max(least_transfer(network, stands), stands.suggested_transfer))


def suggested_deposit(network: str, ledger: Ledger | None, transfer: int) -> int:
    """Neuron to deposit so that `transfer` can follow; at least one 0G where any is needed."""
    if ledger is None or not ledger.exists:
        return max(NetworkState.of(network).min_account_balance or 0, transfer)
    return max(NEURON_PER_0G, _rounded_up(transfer - ledger.available))


def _rounded_up(neuron: int) -> int:
    return -(-neuron // _TENTH) * _TENTH
