"""What a call of retrieveFund would do, judged from the mirrored rows of a wallet.

The contract always does both: whoever brings home what is due starts the lock time of what is
still free with the same provider (CONTRACTS §2).
"""

from __future__ import annotations

from collections.abc import Iterable

from accounts.models import SubAccount, Transaction, Wallet
from accounts.rules import Refused, sub_account_of
from marketplace.models import NetworkState
from zgcompute.amounts import exact
from zgcompute.calls import arguments_of
from zgcompute.networks import Network
from zgcompute.retrieval import MAX_OPEN_REFUNDS, Part, Plan
from zgcompute.types import Address

_UNITS = ((86_400, "days"), (3600, "hours"), (60, "minutes"))
_LATER = "What is on its way back can be fetched when its lock time has passed."


def plan_for(wallet: Wallet, network: Network, provider: str) -> Plan:
    """The call for one provider; raises Refused where it would do nothing or be refused."""
    part = _part(sub_account_of(wallet, network, provider))
    if part.provider in on_their_way(wallet, network.slug):
        raise Refused(
            "A retrieval from this provider is on its way.", advice="Wait until it is mined."
        )
    if part.is_idle:
        raise Refused(
            "There is nothing to retrieve from this provider now.",
            advice=_LATER if part.waiting else "",
        )
    if part.is_blocked:
        raise Refused(
            f"{MAX_OPEN_REFUNDS} refunds of this provider are waiting, the most it may have.",
            advice="Try again when the oldest has come home.",
        )
    return Plan((part,))


def plan_for_all(wallet: Wallet, network: Network, *, due_only: bool = False) -> Plan:
    """The call for all providers, or those with something due; raises Refused where none has."""
    every, due = plans(wallet, NetworkState.of(network.slug))
    plan = due if due_only else every
    if plan.parts:
        return plan
    if plan.blocked:
        raise Refused(
            f"With {len(plan.blocked)} of your providers {MAX_OPEN_REFUNDS} refunds are waiting, "
            "the most each may have, and with the others there is nothing to retrieve.",
            advice="Try again when the oldest has come home.",
        )
    raise Refused(
        "Nothing is due to come home now." if due_only else "There is nothing to retrieve now.",
        advice=_LATER,
    )


def plans(wallet: Wallet, state: NetworkState) -> tuple[Plan, Plan]:
    """The plan for all providers, and that for those with something due, as one call may do it.

    Providers whose retrieval is on its way are left out. What is due comes first.
    """
    busy = on_their_way(wallet, state.network)
    rows = wallet.sub_accounts.filter(network=state.network).prefetch_related("refunds")
    found = [_part(row) for row in rows if row.provider not in busy]
    found.sort(key=lambda part: (part.due, part.starting), reverse=True)
    most = state.max_providers_per_batch
    every = _plan((part for part in found if not part.is_idle), most)
    return every, _plan((part for part in found if part.due), most)


def parts_of(row: Transaction) -> list[Part]:
    """What a prepared retrieval does with each provider that it names, as last read."""
    rows = SubAccount.objects.filter(wallet=row.wallet, network=row.network)
    named = rows.filter(provider__in=providers_of(row)).prefetch_related("refunds")
    return sorted(map(_part, named), key=lambda part: (part.due, part.starting), reverse=True)


def providers_of(row: Transaction) -> tuple[str, ...]:
    """The providers that a retrieval names."""
    return tuple(arguments_of(row.data)["providers"])


def on_their_way(wallet: Wallet, network: str) -> set[str]:
    """The providers named in retrievals that the wallet sent and that are not mined yet."""
    sent = wallet.transactions.filter(
        network=network, function="retrieveFund", state__in=Transaction.UNMINED
    )
    return {provider for row in sent for provider in providers_of(row)}


def note(plan: Plan, state: NetworkState) -> str:
    """What this one call does, exactly, in sentences."""
    notes, lock = [], lock_words(state)
    if plan.due:
        notes.append(f"{exact(plan.due)} 0G whose lock time has passed come home with this call.")
    if plan.due and plan.starting:
        notes.append(
            f"The contract does two things in one call: {exact(plan.starting)} 0G that are still "
            f"free start a lock time of {lock}. To go on using a provider, transfer "
            "the same amount to it afterwards: that cancels the lock and takes nothing out of "
            "what is available."
        )
    elif plan.starting:
        notes.append(f"The lock time of this network is {lock}.")
    return " ".join([*notes, *_left_out(plan)])


def lock_words(state: NetworkState) -> str:
    """The chain's lock time in words, such as "24 hours"; it is read, never assumed."""
    seconds = state.lock_time
    if seconds is None:
        return "unknown length"
    for size, unit in _UNITS:
        if seconds >= 2 * size and not seconds % size:
            return f"{seconds // size} {unit}"
    return f"{seconds} seconds"


def _part(row: SubAccount) -> Part:
    refunds = list(row.refunds.all())
    due = sum(refund.amount for refund in refunds if refund.is_payable)
    waiting = sum(not refund.is_payable for refund in refunds)
    return Part(Address(row.provider), due, row.free, waiting)


def _plan(wanted: Iterable[Part], most: int) -> Plan:
    chosen = list(wanted)
    possible = [part for part in chosen if not part.is_blocked]
    blocked = tuple(part for part in chosen if part.is_blocked)
    return Plan(tuple(possible[:most]), tuple(possible[most:]), blocked)


def _left_out(plan: Plan) -> list[str]:
    notes = []
    if plan.later:
        notes.append(
            f"One call may name {len(plan.parts)} providers: {len(plan.later)} more remain for "
            "the next call."
        )
    if plan.blocked:
        notes.append(
            f"{len(plan.blocked)} left out: {MAX_OPEN_REFUNDS} refunds wait there already, the "
            "most a provider may have."
        )
    return notes
