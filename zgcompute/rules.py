"""The contracts' rules for moving a user's money, judged before anything is sent (pure).

Whatever a contract would revert (CONTRACTS §2) is refused here with what would help, so that nobody
pays a network fee for a call that cannot succeed. Amounts are neuron; `WalletState` and `Constants`
are what the chain said just now.
"""

from __future__ import annotations

from zgcompute.addresses import same
from zgcompute.amounts import exact
from zgcompute.errors import (
    BelowMinimum,
    InsufficientBalance,
    LedgerError,
    LedgerMissing,
    LimitExceeded,
    SubAccountMissing,
)
from zgcompute.types import Constants, Ledger, SubAccount, WalletState


def require_new_ledger(amount: int, state: WalletState, constants: Constants) -> None:
    """A first deposit by addLedger: raises LedgerError, BelowMinimum, InsufficientBalance."""
    if state.ledger is not None:
        raise LedgerError("This wallet already has a ledger.", advice="Deposit into it instead.")
    require_deposit(amount, state, constants)


def require_deposit(amount: int, state: WalletState, constants: Constants) -> None:
    """A deposit (depositFund): raises BelowMinimum, InsufficientBalance."""
    require_deposit_for(amount, state, constants, has_ledger=state.ledger is not None)


def require_deposit_for(
    amount: int, state: WalletState, constants: Constants, *, has_ledger: bool
) -> None:
    """A deposit of this wallet for a recipient who has a ledger or not (depositFundFor).

    Raises BelowMinimum, InsufficientBalance.
    """
    minimum = constants.min_account_balance
    if not has_ledger and amount < minimum:
        raise BelowMinimum(
            f"The first deposit creates the ledger and must be at least {exact(minimum)} 0G.",
            advice=f"Deposit {exact(minimum)} 0G or more.",
        )
    if amount >= state.balance:
        raise InsufficientBalance(
            f"The wallet holds {exact(state.balance)} 0G, and the network fee is paid from it too.",
            advice="Choose a smaller amount, or send 0G to the wallet first.",
        )


def require_transfer(
    amount: int, provider: str, state: WalletState, constants: Constants
) -> SubAccount | None:
    """A transfer to a provider (transferFund); returns the sub-account it would top up.

    Raises LedgerMissing, LedgerError, BelowMinimum, LimitExceeded, InsufficientBalance.
    """
    ledger = required_ledger(state)
    if same(provider, state.user):
        raise LedgerError("A provider cannot be its own user.", advice="Use another wallet.")
    account = sub_account_with(provider, state)
    if account is None:
        _require_new_allowed(amount, state, constants)
    needed = amount - cancelled(amount, account)
    if needed > ledger.available:
        raise InsufficientBalance(
            f"The ledger has {exact(ledger.available)} 0G available; this needs {exact(needed)} "
            "0G.",
            advice=f"Deposit {exact(needed - ledger.available)} 0G first, or choose a smaller "
            "amount.",
        )
    return account


def cancelled(amount: int, account: SubAccount | None) -> int:
    """Neuron of a transfer that come out of pending refunds, not out of what is available."""
    return min(amount, account.pending_refund) if account else 0


def require_refund(amount: int, state: WalletState, constants: Constants) -> Ledger:
    """A refund to the wallet; returns the ledger before it.

    Raises LedgerMissing, InsufficientBalance, BelowMinimum.
    """
    ledger, minimum = required_ledger(state), constants.min_account_balance
    if amount > ledger.available or not ledger.available:
        raise InsufficientBalance(
            f"The ledger has {exact(ledger.available)} 0G available.",
            advice="Refund no more than that; retrieve what is locked with providers first.",
        )
    remaining = ledger.available - amount
    if 0 < remaining < minimum:
        at_most = ledger.available - minimum
        raise BelowMinimum(
            f"{exact(remaining)} 0G would remain, and the ledger takes either nothing or at least "
            f"{exact(minimum)} 0G.",
            advice=f"Refund all {exact(ledger.available)} 0G"
            + (f", or at most {exact(at_most)} 0G." if at_most > 0 else "."),
        )
    return ledger


def require_empty(state: WalletState) -> Ledger:
    """A deletion of the ledger (deleteLedger); raises LedgerMissing, LedgerError."""
    ledger = required_ledger(state)
    if ledger.total:
        raise LedgerError(
            f"The ledger still holds {exact(ledger.total)} 0G.",
            advice="Retrieve what is locked with providers, and refund all of it, first.",
        )
    return ledger


def required_ledger(state: WalletState) -> Ledger:
    """The wallet's ledger; raises LedgerMissing."""
    if state.ledger is None:
        raise LedgerMissing("This wallet has no ledger yet.")
    return state.ledger


def required_sub_account(provider: str, state: WalletState) -> SubAccount:
    """The wallet's sub-account with `provider`; raises SubAccountMissing."""
    found = sub_account_with(provider, state)
    if found is None:
        raise SubAccountMissing("There is no sub-account with this provider yet.")
    return found


def sub_account_with(provider: str, state: WalletState) -> SubAccount | None:
    """The wallet's sub-account with `provider`, or None."""
    return next((a for a in state.sub_accounts if same(a.provider, provider)), None)


def _require_new_allowed(amount: int, state: WalletState, constants: Constants) -> None:
    minimum, count = constants.min_transfer_amount, len(state.sub_accounts)
    if amount < minimum:
        raise BelowMinimum(
            f"The first transfer to a provider must be at least {exact(minimum)} 0G.",
            advice=f"Transfer {exact(minimum)} 0G or more.",
        )
    if count >= constants.max_providers_per_user:
        raise LimitExceeded(
            f"There are sub-accounts with {count} providers, the most a ledger may have.",
            advice="Use one of them.",
        )
