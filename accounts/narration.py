"""What the page says about a transaction: before the wallet opens, and about each of its states."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from accounts.models import Transaction
from accounts.retrievals import providers_of
from zgcompute.amounts import exact
from zgcompute.calls import arguments_of

_State = Transaction.State


@dataclass(frozen=True, slots=True)
class Story:
    """A transaction in plain words: its name, what will be signed, what follows from it."""

    title: str
    signing: str
    afterwards: str
    done: str


@dataclass(frozen=True, slots=True)
class StateWords:
    """A state as a word, the style and icon it is shown with, and a sentence."""

    word: str
    style: str
    icon: str
    sentence: str


def story(transaction: Transaction) -> Story:
    """The words for `transaction`, chosen by the contract's function."""
    return _STORIES[transaction.function](transaction)


def state_words(transaction: Transaction) -> StateWords:
    """The words for the state that `transaction` is in."""
    return _STATES[_State(transaction.state)]


def _short(address: str) -> str:
    return f"{address[:6]}…{address[-4:]}"


def _deposit(transaction: Transaction) -> Story:
    amount = f"{exact(transaction.amount)} 0G"
    return Story(
        title=f"Deposit {amount}",
        signing=f"Your wallet will ask you to send {amount} to the ledger contract "
        f"{_short(transaction.to)} (depositFund).",
        afterwards="Once mined, the amount is available in your ledger. It stays yours: you can "
        "lock it with a provider, or withdraw it again.",
        done=f"{amount} are in your ledger.",
    )


def _transfer(transaction: Transaction) -> Story:
    amount, provider = f"{exact(transaction.amount)} 0G", _short(transaction.provider)
    return Story(
        title=f"Transfer {amount} to provider {provider}",
        signing=f"Your wallet will ask you to call transferFund on the ledger contract "
        f"{_short(transaction.to)}, with a value of 0: {amount} move inside your ledger, from "
        f"available to locked with {provider}.",
        afterwards="Once mined, this provider answers you and takes its fees from this amount "
        "only. The transfer also acknowledges the provider's signer. What is not used can be "
        "retrieved.",
        done=f"{amount} are locked with {provider}.",
    )


def _acknowledge(transaction: Transaction) -> Story:
    provider = _short(transaction.provider)
    return Story(
        title=f"Acknowledge the signer of {provider}",
        signing=f"Your wallet will ask you to call acknowledgeTEESigner on the serving contract "
        f"{_short(transaction.to)}. No 0G moves.",
        afterwards="Once mined, the provider may settle the fees of your requests. It can take "
        "some minutes until the provider notices.",
        done=f"You have acknowledged the signer of {provider}.",
    )


def _retrieve(transaction: Transaction) -> Story:
    amount, whom = f"{exact(transaction.amount)} 0G", _whom(transaction)
    signing = (
        f"Your wallet will ask you to call retrieveFund on the ledger contract "
        f"{_short(transaction.to)}, for {whom}, with a value of 0."
    )
    if not transaction.amount:
        return Story(
            title=f"Bring funds home from {whom}",
            signing=signing,
            afterwards="This is the second of two steps: what is due comes into your ledger and "
            "is available there. From there it can be withdrawn to your wallet.",
            done=f"What was due from {whom} is in your ledger.",
        )
    return Story(
        title=f"Retrieve funds from {whom}",
        signing=signing,
        afterwards=f"For {amount} this is the first of two steps: their lock time starts. When it "
        "has passed, the account page offers to bring them home with a second call. Until then "
        f"{_they(transaction)} your requests, and fees you still owe are taken from this amount.",
        done=f"The lock time of {amount} with {whom} has started.",
    )


def _they(transaction: Transaction) -> str:
    return "the provider refuses" if transaction.provider else "these providers refuse"


def _whom(transaction: Transaction) -> str:
    if transaction.provider:
        return _short(transaction.provider)
    return f"{len(providers_of(transaction))} providers"


def _withdraw(transaction: Transaction) -> Story:
    amount = f"{exact(transaction.amount)} 0G"
    return Story(
        title=f"Withdraw {amount}",
        signing=f"Your wallet will ask you to call refund on the ledger contract "
        f"{_short(transaction.to)}, with a value of 0.",
        afterwards=f"Once mined, {amount} are back in your wallet.",
        done=f"{amount} are back in your wallet.",
    )


def _delete(transaction: Transaction) -> Story:
    return Story(
        title="Delete the empty ledger",
        signing=f"Your wallet will ask you to call deleteLedger on the ledger contract "
        f"{_short(transaction.to)}. No 0G moves.",
        afterwards="Your ledger and all its sub-accounts are gone from the chain. A new first "
        "deposit makes a new ledger.",
        done="Your ledger is deleted.",
    )


def _revoke(transaction: Transaction) -> Story:
    provider, slot = _short(transaction.provider), arguments_of(transaction.data)["tokenId"]
    return Story(
        title=f"Revoke the API key in slot {slot} with {provider}",
        signing=f"Your wallet will ask you to call revokeToken on the serving contract "
        f"{_short(transaction.to)}, for slot {slot}. No 0G moves.",
        afterwards="This cannot be undone: whatever uses the key stops working, and the slot is "
        "not used again.",
        done=f"The key in slot {slot} is revoked.",
    )


def _revoke_all(transaction: Transaction) -> Story:
    provider = _short(transaction.provider)
    return Story(
        title=f"Revoke all API keys with {provider}",
        signing=f"Your wallet will ask you to call revokeAllTokens on the serving contract "
        f"{_short(transaction.to)}. No 0G moves.",
        afterwards="This cannot be undone: every key with this provider stops working, wherever "
        "it was made, and so does every running session, also the one of this site. All slots "
        "are free again.",
        done=f"Every key and session with {provider} is revoked.",
    )


_STORIES: dict[str, Callable[[Transaction], Story]] = {
    "depositFund": _deposit,
    "transferFund": _transfer,
    "acknowledgeTEESigner": _acknowledge,
    "retrieveFund": _retrieve,
    "refund": _withdraw,
    "deleteLedger": _delete,
    "revokeToken": _revoke,
    "revokeAllTokens": _revoke_all,
}

_STATES: dict[Transaction.State, StateWords] = {
    _State.PREPARED: StateWords("not sent", "wait", "pencil-square", "It waits for your wallet."),
    _State.REJECTED: StateWords("declined", "plain", "x-circle", "Nothing was sent."),
    _State.EXPIRED: StateWords(
        "expired",
        "plain",
        "x-circle",
        "If your wallet shows it as sent all the same, the balances will show it too.",
    ),
    _State.SUBMITTED: StateWords(
        "submitted", "wait", "clock", "Your wallet sent it; the chain has not shown it yet."
    ),
    _State.SENT: StateWords(
        "sent", "wait", "clock", "The chain has it and will mine it with one of the next blocks."
    ),
    _State.REQUEUED: StateWords(
        "back in the queue",
        "warn",
        "arrow-uturn-left",
        "It was in a block, but the chain replaced that block. It waits to be mined again; the "
        "balances are as if it had not happened.",
    ),
    _State.MINED: StateWords(
        "mined", "good", "check", "It is in a block and waits for a few more on top of it."
    ),
    _State.CONFIRMED: StateWords("confirmed", "good", "check-circle", "It is done."),
    _State.REVERTED: StateWords(
        "failed", "bad", "exclamation-circle", "The contract refused it. Only the fee was paid."
    ),
    _State.REPLACED: StateWords(
        "replaced",
        "warn",
        "exclamation-triangle",
        "Your wallet sent another transaction in its place.",
    ),
    _State.DROPPED: StateWords(
        "dropped", "warn", "exclamation-triangle", "The chain does not know it any longer."
    ),
    _State.MISMATCHED: StateWords(
        "not this call",
        "bad",
        "exclamation-circle",
        "The reported hash belongs to another transaction.",
    ),
}
