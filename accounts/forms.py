"""The money forms: what each suggests, and what it reminds of, as context for its template."""

from __future__ import annotations

from typing import Any

from accounts import deletion, retrievals
from accounts.models import Ledger, Wallet
from accounts.reserve import position, suggested_deposit, suggested_transfer
from accounts.rules import available_now
from marketplace.models import NetworkState, Service
from zgcompute.addresses import checksum
from zgcompute.amounts import exact
from zgcompute.errors import InvalidAddress
from zgcompute.fees import MINIMUM_RESERVE

Form = dict[str, Any]


def deposit(wallet: Wallet, network: str, *, provider: str = "") -> Form:
    """Putting 0G from the wallet into the ledger, where known so that `provider` can be funded."""
    ledger, state = _ledger(wallet, network), NetworkState.of(network)
    minimum = state.min_account_balance or 0
    is_first = ledger is None or not ledger.exists
    least = minimum if is_first else state.min_transfer_amount or 0
    amount, funding = least, 0
    if provider:
        funding = suggested_transfer(network, position(wallet, network, provider))
        amount = suggested_deposit(network, ledger, funding)
    return {
        "ledger": ledger,
        "is_first": is_first,
        "minimum": minimum,
        "provider": provider,
        "presets": [exact(least * times) for times in (1, 2, 5)] if least else [],
        "amount": exact(amount),
        "funding": exact(funding),  # what the provider should get of it
    }


def transfer(wallet: Wallet, network: str, provider: str = "") -> Form:
    """Locking 0G of the ledger with a provider; where none is given it is chosen in the form."""
    chosen, ledger = _address(provider), _ledger(wallet, network)
    services = Service.objects.on(network).listed().order_by("model", "provider")
    stands = position(wallet, network, chosen) if chosen else None
    amount = suggested_transfer(network, stands) if stands else MINIMUM_RESERVE * 3 // 2
    if ledger and ledger.exists:
        amount = min(amount, ledger.available) or amount
    return {
        "ledger": ledger,
        "provider": chosen,
        "position": stands,
        "services": services,
        "minimum": NetworkState.of(network).min_transfer_amount or 0,
        "reserve": MINIMUM_RESERVE,
        "amount": exact(amount),
    }


def acknowledgement(provider: str) -> Form:
    """Accepting a provider's signer."""
    return {"provider": _address(provider)}


def withdrawal(wallet: Wallet, network: str) -> Form:
    """Bringing money home from providers, and paying out of the ledger to the wallet."""
    ledger, state = _ledger(wallet, network), NetworkState.of(network)
    minimum = state.min_account_balance or 0
    available = available_now(wallet, network, ledger) if ledger else 0
    every, due = retrievals.plans(wallet, state)
    ends = ledger is not None and ledger.exists and ledger.total == available
    return {
        "ledger": ledger,
        "minimum": minimum,
        "available": available,
        "amount": exact(available),
        "presets": _withdrawals(available, minimum),
        "ends_ledger": ends,  # a withdrawal of everything, or a deletion where nothing is left
        "revivals": deletion.revivals(wallet, network) if ends else [],
        "every": every,
        "due": due,
        "lock": retrievals.lock_words(state),
    }


def withdrawal_of(wallet: Wallet, network: str, preset: str) -> int:
    """Neuron that a named preset pays out now; 0 where it is none or has nothing to pay."""
    return int(withdrawal(wallet, network)["presets"].get(preset, 0))


def _withdrawals(available: int, minimum: int) -> dict[str, int]:
    """What may remain in a ledger is nothing or the minimum (MinimumDepositRequired)."""
    presets = {"everything": available, "all but the minimum": available - minimum}
    return {name: amount for name, amount in presets.items() if amount > 0}


def _ledger(wallet: Wallet, network: str) -> Ledger | None:
    return Ledger.objects.filter(wallet=wallet, network=network).first()


def _address(text: str) -> str:
    try:
        return checksum(text)
    except InvalidAddress:
        return ""
