"""Contract calls of a wallet, prepared from mirrored state; see `accounts.outcomes` for the rest.

Whatever the contracts would revert (CONTRACTS §2) is refused here first, with its remedy, so that
nobody pays a network fee for a call that cannot succeed.
"""

from __future__ import annotations

from accounts.models import Ledger, SubAccount, Transaction, Wallet
from accounts.reserve import position
from marketplace.models import NetworkState, Service
from zgcompute.addresses import checksum, same
from zgcompute.amounts import exact
from zgcompute.calls import Calls
from zgcompute.errors import Error
from zgcompute.fees import MINIMUM_RESERVE
from zgcompute.networks import Network
from zgcompute.types import UnsignedCall

MAX_OPEN_REFUNDS = 5  # InferenceServing's limit per sub-account
_PROVIDERS_LAG = "Once mined, the provider may take up to 10 minutes to notice."
_State = Transaction.State


class Refused(Error):
    """The call would fail on chain, or cannot be judged now; `advice` says what would help."""


def prepare_deposit(wallet: Wallet, network: Network, amount: int) -> Transaction:
    """Prepare `amount` neuron from the wallet into its ledger (depositFund)."""
    state, ledger = _rules(network), _ledger(wallet, network)
    _require_positive(amount)
    minimum = state.min_account_balance or 0
    if not ledger.exists and amount < minimum:
        raise Refused(
            f"The first deposit creates your ledger and must be at least {exact(minimum)} 0G.",
            advice=f"Deposit {exact(minimum)} 0G or more.",
        )
    if amount >= ledger.wallet_balance:
        raise Refused(
            f"Your wallet holds {exact(ledger.wallet_balance)} 0G, and the network fee is paid "
            "from it too.",
            advice="Choose a smaller amount, or send 0G to your wallet first.",
        )
    note = "" if ledger.exists else "It is your first deposit here: it creates your ledger."
    return _keep(wallet, network, _calls(network, state).deposit(amount), amount, note=note)


def prepare_transfer(wallet: Wallet, network: Network, provider: str, amount: int) -> Transaction:
    """Prepare locking `amount` neuron of the ledger with `provider` (transferFund)."""
    state, ledger = _rules(network), _existing_ledger(wallet, network)
    provider = _listed(wallet, network, provider)
    _require_positive(amount)
    found = SubAccount.objects.filter(wallet=wallet, network=network.slug, provider=provider)
    sub_account = found.first()
    if sub_account is None:
        _require_new_allowed(wallet, network, state, amount)
    cancelled = min(amount, sub_account.pending_refund if sub_account else 0)
    available = max(0, ledger.available - _leaving(wallet, network))
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
    state = _rules(network)
    sub_account = _sub_account(wallet, network, _listed(wallet, network, provider))
    if sub_account.acknowledged:
        raise Refused("You have acknowledged this provider's signer already.")
    call = _calls(network, state).acknowledge(sub_account.provider)
    return _keep(wallet, network, call, 0, provider=sub_account.provider)


def prepare_retrieval(wallet: Wallet, network: Network, provider: str) -> Transaction:
    """Prepare bringing money home from `provider` (retrieveFund): both of its two steps.

    The amount is what this call requests back; refunds whose lock has passed come home with it.
    """
    state, sub_account = _rules(network), _sub_account(wallet, network, provider)
    refunds = list(sub_account.refunds.all())
    due = sum(refund.amount for refund in refunds if refund.is_payable)
    waiting = [refund for refund in refunds if not refund.is_payable]
    if not sub_account.free and not due:
        raise Refused(
            "There is nothing to retrieve from this provider now.",
            advice="What is on its way back can be fetched when its lock time has passed."
            if waiting
            else "",
        )
    if sub_account.free and len(waiting) >= MAX_OPEN_REFUNDS:
        raise Refused(
            f"{MAX_OPEN_REFUNDS} refunds of this provider are waiting, the most it may have.",
            advice="Try again when the oldest has come home.",
        )
    note = f"{exact(due)} 0G whose lock time has passed come home with this call." if due else ""
    call = _calls(network, state).retrieve([sub_account.provider])
    return _keep(wallet, network, call, sub_account.free, provider=sub_account.provider, note=note)


def prepare_withdrawal(wallet: Wallet, network: Network, amount: int) -> Transaction:
    """Prepare paying `amount` neuron of the ledger out to the wallet (refund)."""
    state, ledger = _rules(network), _existing_ledger(wallet, network)
    _require_positive(amount)
    minimum = state.min_account_balance or 0
    available = max(0, ledger.available - _leaving(wallet, network))
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
    note = "Your ledger will be empty and is deleted with this." if amount == ledger.total else ""
    return _keep(wallet, network, _calls(network, state).refund(amount), amount, note=note)


def prepare_revocation(wallet: Wallet, network: Network, provider: str, slot: int) -> Transaction:
    """Prepare revoking the API key in `slot` (revokeToken)."""
    state, sub_account = _rules(network), _sub_account(wallet, network, provider)
    if int(sub_account.revoked_bitmap) >> slot & 1:
        raise Refused("This key is revoked already.")
    call = _calls(network, state).revoke_token(sub_account.provider, slot)
    return _keep(wallet, network, call, 0, provider=sub_account.provider, note=_PROVIDERS_LAG)


def prepare_revocation_of_all(wallet: Wallet, network: Network, provider: str) -> Transaction:
    """Prepare revoking every API key and every session with `provider` (revokeAllTokens)."""
    state, sub_account = _rules(network), _sub_account(wallet, network, provider)
    call = _calls(network, state).revoke_all_tokens(sub_account.provider)
    return _keep(wallet, network, call, 0, provider=sub_account.provider, note=_PROVIDERS_LAG)


def _rules(network: Network) -> NetworkState:
    state = NetworkState.of(network.slug)
    if state.contracts is None or state.min_account_balance is None:
        raise Refused(
            "The contracts of this network have not been read yet.", advice="Try again shortly."
        )
    return state


def _calls(network: Network, state: NetworkState) -> Calls:
    assert state.contracts is not None  # _rules saw to it
    return Calls(network.chain_id, state.contracts)


def _ledger(wallet: Wallet, network: Network) -> Ledger:
    ledger = Ledger.objects.filter(wallet=wallet, network=network.slug).first()
    if ledger is None or ledger.refreshed_at is None:
        raise Refused("Your balances have not been read yet.", advice="Try again in a moment.")
    return ledger


def _existing_ledger(wallet: Wallet, network: Network) -> Ledger:
    ledger = _ledger(wallet, network)
    if not ledger.exists:
        raise Refused("You have no ledger here yet.", advice="Make a first deposit: it creates it.")
    return ledger


def _sub_account(wallet: Wallet, network: Network, provider: str) -> SubAccount:
    found = SubAccount.objects.filter(
        wallet=wallet, network=network.slug, provider=checksum(provider)
    ).first()
    if found is None:
        raise Refused(
            "You have no sub-account with this provider.",
            advice="Transfer funds to it: the first transfer creates the sub-account.",
        )
    return found


def _listed(wallet: Wallet, network: Network, provider: str) -> str:
    address = checksum(provider)
    if same(address, wallet.address):
        raise Refused("A provider cannot be its own customer.", advice="Use another wallet.")
    if not Service.objects.on(network.slug).listed().filter(provider=address).exists():
        raise Refused("This provider has no service on chain.", advice="Choose another provider.")
    return address


def _require_positive(amount: int) -> None:
    if amount <= 0:
        raise Refused("The amount must be above zero.", advice="Choose another amount.")


def _require_new_allowed(
    wallet: Wallet, network: Network, state: NetworkState, amount: int
) -> None:
    minimum = state.min_transfer_amount or 0
    if amount < minimum:
        raise Refused(
            f"The first transfer to a provider must be at least {exact(minimum)} 0G.",
            advice=f"Transfer {exact(minimum)} 0G or more.",
        )
    count = SubAccount.objects.filter(wallet=wallet, network=network.slug).count()
    if count >= state.max_providers_per_user:
        raise Refused(
            f"You have sub-accounts with {count} providers, the most a ledger may have.",
            advice="Use one of them.",
        )


def _leaving(wallet: Wallet, network: Network) -> int:
    """Neuron that sent, not yet mined calls will take out of the ledger's available balance."""
    on_their_way = wallet.transactions.filter(
        network=network.slug,
        function__in=("transferFund", "refund"),
        state__in=(_State.SUBMITTED, _State.SENT),
    )
    return sum(transaction.amount for transaction in on_their_way)


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
    )
