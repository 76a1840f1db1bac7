"""The money forms: what each suggests, and what it reminds of, as context for its template."""

from __future__ import annotations

from typing import Any

from accounts.models import Ledger, Wallet
from accounts.reserve import position, suggested_deposit, suggested_transfer
from marketplace.models import NetworkState, Service
from zgcompute.addresses import checksum
from zgcompute.amounts import NEURON_PER_0G, exact
from zgcompute.errors import InvalidAddress
from zgcompute.fees import MINIMUM_RESERVE

Form = dict[str, Any]


def deposit(wallet: Wallet, network: str, *, provider: str = "") -> Form:
    """Putting 0G from the wallet into the ledger, where known so that `provider` can be funded."""
    ledger, minimum = _ledger(wallet, network), NetworkState.of(network).min_account_balance or 0
    is_first = ledger is None or not ledger.exists
    least = minimum if is_first else NEURON_PER_0G
    amount = least
    if provider:
        stands = position(wallet, network, provider)
        amount = suggested_deposit(network, ledger, suggested_transfer(network, stands))
    return {
        "ledger": ledger,
        "is_first": is_first,
        "minimum": minimum,
        "provider": provider,
        "presets": [exact(least * times) for times in (1, 2, 5)] if least else [],
        "amount": exact(amount),
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
    """Paying out of the ledger to the wallet."""
    ledger = _ledger(wallet, network)
    return {
        "ledger": ledger,
        "minimum": NetworkState.of(network).min_account_balance or 0,
        "amount": exact(ledger.available) if ledger else "",
    }


def _ledger(wallet: Wallet, network: str) -> Ledger | None:
    return Ledger.objects.filter(wallet=wallet, network=network).first()


def _address(text: str) -> str:
    try:
        return checksum(text)
    except InvalidAddress:
        return ""
