"""What must hold before a call is prepared, as last read; a refusal carries its remedy."""

from __future__ import annotations

from accounts.models import Ledger, SubAccount, Transaction, Wallet
from marketplace.models import NetworkState, Service
from zgcompute.addresses import checksum, same
from zgcompute.errors import Error
from zgcompute.networks import Network


class Refused(Error):
    """The call would fail on chain, or cannot be judged now; `advice` says what would help."""


def rules_of(network: Network) -> NetworkState:
    """The contracts and constants of `network`, once they have been read."""
    state = NetworkState.of(network.slug)
    if state.contracts is None or state.min_account_balance is None:
        raise Refused(
            "The contracts of this network have not been read yet.", advice="Try again shortly."
        )
    return state


def ledger_of(wallet: Wallet, network: Network) -> Ledger:
    """The ledger's mirror, once it has been read; on chain it may not exist."""
    ledger = Ledger.objects.filter(wallet=wallet, network=network.slug).first()
    if ledger is None or ledger.refreshed_at is None:
        raise Refused("Your balances have not been read yet.", advice="Try again in a moment.")
    return ledger


def existing_ledger(wallet: Wallet, network: Network) -> Ledger:
    """The ledger, which exists on chain (else LedgerNotExists)."""
    ledger = ledger_of(wallet, network)
    if not ledger.exists:
        raise Refused("You have no ledger here yet.", advice="Make a first deposit: it creates it.")
    return ledger


def sub_account_of(wallet: Wallet, network: Network, provider: str) -> SubAccount:
    """The sub-account with `provider` (else AccountNotExists)."""
    found = SubAccount.objects.filter(
        wallet=wallet, network=network.slug, provider=checksum(provider)
    ).first()
    if found is None:
        raise Refused(
            "You have no sub-account with this provider.",
            advice="Transfer funds to it: the first transfer creates the sub-account.",
        )
    return found


def listed(wallet: Wallet, network: Network, provider: str) -> str:
    """The address of a provider with a service, other than the wallet (ProviderCannotBeUser)."""
    address = checksum(provider)
    if same(address, wallet.address):
        raise Refused("A provider cannot be its own customer.", advice="Use another wallet.")
    if not Service.objects.on(network.slug).listed().filter(provider=address).exists():
        raise Refused("This provider has no service on chain.", advice="Choose another provider.")
    return address


def require_positive(amount: int) -> None:
    """An amount above zero (else ZeroAmountNotAllowed)."""
    if amount <= 0:
        raise Refused("The amount must be above zero.", advice="Choose another amount.")


def available_now(wallet: Wallet, network: str, ledger: Ledger) -> int:
    """Neuron available in the ledger, less what sent and not yet mined calls take out of it."""
    on_their_way = wallet.transactions.filter(
        network=network, function__in=("transferFund", "refund"), state__in=Transaction.UNMINED
    )
    return max(0, int(ledger.available) - sum(int(row.amount) for row in on_their_way))


def funded_providers(wallet: Wallet, network: Network) -> set[str]:
    """The providers with a sub-account, and those to whom a transfer is on its way."""
    sent = wallet.transactions.filter(
        network=network.slug, function="transferFund", state__in=Transaction.UNMINED
    )
    rows = wallet.sub_accounts.filter(network=network.slug)
    return {*rows.values_list("provider", flat=True), *sent.values_list("provider", flat=True)}


def leaving_wallet(wallet: Wallet, network: Network) -> int:
    """Neuron that sent, not yet mined deposits take out of the wallet."""
    sent = wallet.transactions.filter(network=network.slug, state__in=Transaction.UNMINED)
    return sum(row.value for row in sent)
