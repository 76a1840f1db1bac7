"""Contract calls of a wallet, prepared from mirrored state; see `accounts.outcomes` for the rest.

Whatever the contracts would revert (CONTRACTS §2) is refused here first, with its remedy, so that
nobody pays a network fee for a call that cannot succeed.
"""

from __future__ import annotations

from accounts import retrievals
from accounts.models import SubAccount, Transaction, Wallet
from accounts.reserve import position
from accounts.rules import Refused as Refused
from accounts.rules import (
    available_now,
    existing_ledger,
    funded_providers,
    leaving_wallet,
    ledger_of,
    listed,
    require_positive,
    rules_of,
    sub_account_of,
)
from marketplace.models import NetworkState
from zgcompute.amounts import exact
from zgcompute.calls import Calls
from zgcompute.fees import MINIMUM_RESERVE
from zgcompute.networks import Network
from zgcompute.types import UnsignedCall

_PROVIDERS_LAG = "Once mined, the provider may take up to 10 minutes to notice."


def prepare_deposit(wallet: Wallet, network: Network, amount: int) -> Transaction:
    """Prepare `amount` neuron from the wallet into its ledger (depositFund)."""
    state, ledger = rules_of(network), ledger_of(wallet, network)
    require_positive(amount)
    minimum = state.min_account_balance or 0
    if not ledger.exists and amount < minimum:
        raise Refused(
            f"The first deposit creates your ledger and must be at least {exact(minimum)} 0G.",
            advice=f"Deposit {exact(minimum)} 0G or more.",
        )
    held = max(0, ledger.wallet_balance - leaving_wallet(wallet, network))
    if amount >= held:
        raise Refused(
            f"Your wallet holds {exact(held)} 0G, and the network fee is paid from it too.",
            advice="Choose a smaller amount, or send 0G to your wallet first.",
        )
    note = "" if ledger.exists else "It is your first deposit here: it creates your ledger."
    return _keep(wallet, network, _calls(network, state).deposit(amount), amount, note=note)


def prepare_transfer(
    wallet: Wallet, network: Network, provider: str, amount: int, *, coming: int = 0
) -> Transaction:
    """Prepare locking `amount` neuron of the ledger with `provider` (transferFund).

    `coming` neuron are deposited just before it, in the same transaction.
    """
    state = rules_of(network)
    ledger = ledger_of(wallet, network) if coming else existing_ledger(wallet, network)
    provider = listed(wallet, network, provider)
    require_positive(amount)
    found = SubAccount.objects.filter(wallet=wallet, network=network.slug, provider=provider)
    sub_account = found.first()
    if sub_account is None:
        _require_new_allowed(wallet, network, state, amount)
    cancelled = min(amount, sub_account.pending_refund if sub_account else 0)
    available = available_now(wallet, network.slug, ledger) + coming
    if amount - cancelled > available:
        raise Refused(
            f"Your ledger has {exact(available)} 0G available; this needs "
            f"{exact(amount - cancelled)} 0G.",
            advice=f"Deposit {exact(amount - cancelled - available)} 0G first, "
            "or choose a smaller amount.",
        )
    note = _transfer_note(wallet, network, provider, amount, cancelled)
    call = _calls(network, state).transfer(provider, amount)
    return _keep(wallet, network, call, amount, provider=provider, note=note)


def prepare_acknowledgement(wallet: Wallet, network: Network, provider: str) -> Transaction:
    """Prepare accepting the provider's TEE signer (acknowledgeTEESigner)."""
    state = rules_of(network)
    sub_account = sub_account_of(wallet, network, listed(wallet, network, provider))
    if sub_account.acknowledged:
        raise Refused("You have acknowledged this provider's signer already.")
    call = _calls(network, state).acknowledge(sub_account.provider)
    return _keep(wallet, network, call, 0, provider=sub_account.provider)


def prepare_retrieval(
    wallet: Wallet, network: Network, provider: str = "", *, due_only: bool = False
) -> Transaction:
    """Prepare bringing money home (retrieveFund) from `provider`, or from all that have some.

    With `due_only` from those providers only whose lock time has passed. The amount is what
    starts its lock time with this call; what is due comes home with it.
    """
    state, _ = rules_of(network), existing_ledger(wallet, network)
    if provider:
        plan = retrievals.plan_for(wallet, network, provider)
    else:
        plan = retrievals.plan_for_all(wallet, network, due_only=due_only)
    providers = [part.provider for part in plan.parts]
    call = _calls(network, state).retrieve(providers)
    only = providers[0] if len(providers) == 1 else ""
    note = retrievals.note(plan, state)
    return _keep(wallet, network, call, plan.starting, provider=only, note=note)


def prepare_withdrawal(wallet: Wallet, network: Network, amount: int) -> Transaction:
    """Prepare paying `amount` neuron of the ledger out to the wallet (refund)."""
    state, ledger = rules_of(network), existing_ledger(wallet, network)
    require_positive(amount)
    minimum = state.min_account_balance or 0
    available = available_now(wallet, network.slug, ledger)
    if amount > available:
        raise Refused(
            f"Your ledger has {exact(available)} 0G available.",
            advice="Withdraw no more than that; retrieve what is locked with providers first.",
        )
    remaining = available - amount
    if 0 < remaining < minimum:
        raise Refused(
            f"{exact(remaining)} 0G would remain, and the ledger takes either nothing or at "
            f"least {exact(minimum)} 0G.",
            advice=f"Withdraw all {exact(available)} 0G"
            + (f", or at most {exact(available - minimum)} 0G." if available > minimum else "."),
        )
    note = (
        "Nothing is left then, so the contract deletes your ledger and its sub-accounts with it."
        if amount == ledger.total
        else ""
    )
    return _keep(wallet, network, _calls(network, state).refund(amount), amount, note=note)


def prepare_deletion(wallet: Wallet, network: Network) -> Transaction:
    """Prepare deleting the ledger, which must be empty (deleteLedger)."""
    state, ledger = rules_of(network), existing_ledger(wallet, network)
    if ledger.total:
        raise Refused(
            f"Your ledger still holds {exact(ledger.total)} 0G, {exact(ledger.locked)} 0G of them "
            "with providers.",
            advice="Retrieve what is with providers, then withdraw everything: that deletes the "
            "ledger too.",
        )
    if leaving_wallet(wallet, network):
        raise Refused("A deposit into this ledger is on its way.", advice="Wait until it is mined.")
    return _keep(wallet, network, _calls(network, state).delete_ledger(), 0)


def prepare_revocation(wallet: Wallet, network: Network, provider: str, slot: int) -> Transaction:
    """Prepare revoking the API key in `slot` (revokeToken)."""
    state, sub_account = rules_of(network), sub_account_of(wallet, network, provider)
    if int(sub_account.revoked_bitmap) >> slot & 1:
        raise Refused("This key is revoked already.")
    call = _calls(network, state).revoke_token(sub_account.provider, slot)
    return _keep(wallet, network, call, 0, provider=sub_account.provider, note=_PROVIDERS_LAG)


def prepare_revocation_of_all(wallet: Wallet, network: Network, provider: str) -> Transaction:
    """Prepare revoking every API key and every session with `provider` (revokeAllTokens)."""
    state, sub_account = rules_of(network), sub_account_of(wallet, network, provider)
    call = _calls(network, state).revoke_all_tokens(sub_account.provider)
    return _keep(wallet, network, call, 0, provider=sub_account.provider, note=_PROVIDERS_LAG)


def _require_new_allowed(
    wallet: Wallet, network: Network, state: NetworkState, amount: int
) -> None:
    minimum = state.min_transfer_amount or 0
    if amount < minimum:
        raise Refused(
            f"The first transfer to a provider must be at least {exact(minimum)} 0G.",
            advice=f"Transfer {exact(minimum)} 0G or more.",
        )
    count = len(funded_providers(wallet, network))
    if count >= state.max_providers_per_user:
        raise Refused(
            f"You have sub-accounts with {count} providers, the most a ledger may have.",
            advice="Use one of them.",
        )


def _transfer_note(
    wallet: Wallet, network: Network, provider: str, amount: int, cancelled: int
) -> str:
    notes = []
    if cancelled:
        notes.append(
            f"{exact(cancelled)} 0G of it cancel refunds that were on their way back; "
            f"{exact(amount - cancelled)} 0G leave your available balance."
        )
    left = position(wallet, network.slug, provider).left + amount
    if left < MINIMUM_RESERVE:
        notes.append(
            f"The provider keeps {exact(MINIMUM_RESERVE)} 0G in reserve: with this transfer it "
            f"would still refuse requests, {exact(MINIMUM_RESERVE - left)} 0G more are needed."
        )
    return " ".join(notes)


def _keep(
    wallet: Wallet,
    network: Network,
    call: UnsignedCall,
    amount: int,
    *,
    provider: str = "",
    note: str = "",
) -> Transaction:
    return Transaction.objects.create(
        wallet=wallet,
        network=network.slug,
        function=call.function,
        provider=provider,
        amount=amount,
        to=call.to,
        data=call.data,
        value=call.value,
        note=note,
        prepared_block=NetworkState.of(network.slug).block_number,
    )


def _calls(network: Network, state: NetworkState) -> Calls:
    assert state.contracts is not None  # _rules saw to it
    return Calls(network.chain_id, state.contracts)
