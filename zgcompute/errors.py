"""Every error this SDK raises, in one tree.

    Error
    ├─ ConfigurationError · AmountError · InvalidAddress · InvalidToken · InvalidBody
    │  UnknownNetwork
    ├─ ChainError
    │  ├─ RpcUnreachable (Transient) · RpcRefused · WrongNetwork · TransactionUncertain
    │  └─ TransactionReverted
    │     └─ LedgerError
    │        LedgerMissing · SubAccountMissing · ServiceMissing · InsufficientBalance
    │        BelowMinimum · NotAcknowledged · RefundLocked · LimitExceeded
    ├─ ProviderError
    │  ├─ ProviderUnreachable (Transient) · ProviderTimeout (Transient)
    │  ├─ DestinationRefused · MalformedReply · ReplyTooLarge
    │  └─ ProviderRefused
    │     SessionExpired · SessionRevoked · SessionInvalid · SignerNotAcknowledged
    │     ReserveTooLow · ModelNotServed · RequestTooLarge
    │     RateLimited (Transient) · ProviderBusy (Transient) · UpstreamFailed (Transient)
    │     SignatureNotFound (Transient)
    └─ VerificationError
       SignatureMismatch · QuoteInvalid

The class says who failed; `Transient` says that the same call may succeed later; `advice` says
what the user can do. One `except zgcompute.Error` is enough to catch all of them.
"""

from __future__ import annotations


class Error(Exception):
    """Base of all errors; `str()` is one sentence for a person, `advice` the remedy."""

    default_advice = ""

    def __init__(self, message: str, *, advice: str = "") -> None:
        super().__init__(message)
        self.advice = advice or self.default_advice


class Transient(Exception):
    """Mixin: the same call may succeed later, unchanged."""


class ConfigurationError(Error):
    """A setting or a networks file is wrong; the message names it."""

    default_advice = "Correct what is named."


class AmountError(Error, ValueError):
    """The text is not an exact amount of 0G."""

    default_advice = "Write it in plain digits, such as 1.5."


class InvalidAddress(Error, ValueError):
    """The text is not an EVM address (or its checksum is wrong)."""

    default_advice = "Copy the whole address again: 0x and 40 hexadecimal digits."


class InvalidToken(Error, ValueError):
    """A session token or API key, or its id, is malformed or outside the protocol's rules."""

    default_advice = "Make a new session or API key."


class InvalidBody(Error, ValueError):
    """A request holds something that JSON, or its provider, cannot take."""

    default_advice = "Change the request."


class UnknownNetwork(Error, LookupError):
    """No network has that slug."""

    default_advice = "Choose a network that is built in or in the networks file."


class ChainError(Error):
    """The chain, or the way to it, said no."""

    default_advice = "Check the contract addresses and RPC URLs of this network."


class RpcUnreachable(ChainError, Transient):
    """No RPC URL of the network gave an answer."""

    default_advice = "Nothing was changed. Try again in a moment."


class RpcRefused(ChainError):
    """An RPC node answered with an error that is not a contract's revert."""


class WrongNetwork(ChainError):
    """The node, wallet or transaction belongs to another chain id."""

    default_advice = "Switch to the network that is meant."


class TransactionUncertain(ChainError):
    """A transaction was sent, or may have been, and nobody knows yet how it ends.

    Not `Transient`: to send the same once more could pay twice. `transaction_hash` is its hash.
    """

    default_advice = "Look the transaction up before you send it again."

    def __init__(self, message: str, *, advice: str = "", transaction_hash: str = "") -> None:
        super().__init__(message, advice=advice)
        self.transaction_hash = transaction_hash


class TransactionReverted(ChainError):
    """A contract refused the call.

    `name` is the contract's error (for instance "LedgerLocked") or "" where it gave none,
    `arguments` its parameters by ABI name.
    """

    default_advice = "Nothing was changed. Correct what the contract objects to, then try again."

    def __init__(
        self,
        message: str,
        *,
        advice: str = "",
        name: str = "",
        arguments: dict[str, object] | None = None,
    ) -> None:
        super().__init__(message, advice=advice)
        self.name = name
        self.arguments = arguments or {}


class LedgerError(TransactionReverted):
    """A rule about the user's ledger, sub-accounts or a service stands in the way."""


class LedgerMissing(LedgerError):
    """The user has no ledger yet (LedgerNotExists)."""

    default_advice = "Make a first deposit: it creates the ledger."


class SubAccountMissing(LedgerError):
    """The user has no sub-account with that provider (AccountNotExists)."""

    default_advice = "Transfer funds to this provider: the first transfer creates the sub-account."


class ServiceMissing(LedgerError):
    """That provider has no service on chain (ServiceNotExist)."""

    default_advice = "Choose another provider."


class InsufficientBalance(LedgerError):
    """The ledger's available balance, or the wallet's, is too small for the move."""

    default_advice = "Deposit more, or choose a smaller amount."


class BelowMinimum(LedgerError):
    """The amount, or what would remain, is under the contract's minimum."""

    default_advice = "Choose a larger amount."


class NotAcknowledged(LedgerError):
    """The user or the contract owner has not acknowledged the provider's TEE signer."""

    default_advice = "Acknowledge the provider's TEE signer."


class RefundLocked(LedgerError):
    """A refund still waits for its lock time, or too many of them wait."""

    default_advice = "Wait for the lock time to pass, then try again."


class LimitExceeded(LedgerError):
    """One of the contract's limits on counts or lengths is reached."""

    default_advice = "Ask for less at once."


class ProviderError(Error):
    """A provider, or the way to it, said no."""

    default_advice = "Try again, or choose another provider."


class ProviderUnreachable(ProviderError, Transient):
    """The provider's address cannot be resolved or connected to, or the connection broke.

    `was_sent` is False only where the request cannot have reached it, and so is not billed.
    """

    was_sent = True


class ProviderTimeout(ProviderError, Transient):
    """The provider took longer than allowed; `was_sent` as for ProviderUnreachable."""

    was_sent = True


class DestinationRefused(ProviderError):
    """The URL points where a provider must not be: not https, or not a public address."""

    default_advice = "Choose another provider: this one's address on chain is not safe to call."


class MalformedReply(ProviderError):
    """The provider answered something that its protocol does not allow."""

    default_advice = "Choose another provider if it happens again."


class ReplyTooLarge(ProviderError):
    """The provider sent more than the limit for that kind of reply."""

    default_advice = "Choose another provider if it happens again."


class ProviderRefused(ProviderError):
    """The provider answered with an error; `status` is its HTTP status, `detail` its own words."""

    default_advice = "Change the request, or choose another provider."

    def __init__(
        self,
        message: str,
        *,
        advice: str = "",
        status: int = 0,
        detail: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, advice=advice)
        self.status = status
        self.detail = detail
        self.retry_after = retry_after


class SessionExpired(ProviderRefused):
    """The session token's time is over."""

    default_advice = "Start a new session: one signature in your wallet."


class SessionRevoked(ProviderRefused):
    """The token, or its whole generation, was revoked on chain."""

    default_advice = "Start a new session: one signature in your wallet."


class SessionInvalid(ProviderRefused):
    """The provider cannot accept the token: wrong provider, wrong signer, wrong form."""

    default_advice = "Start a new session: one signature in your wallet."


class SignerNotAcknowledged(ProviderRefused):
    """The provider sees no acknowledgement of its TEE signer, by the user or the owner."""

    default_advice = "Acknowledge the provider's TEE signer."


class ReserveTooLow(ProviderRefused):
    """The sub-account does not cover the provider's reserve plus unsettled fees.

    `locked` and `required` are neuron as the provider stated them (6 decimals of 0G), or None.
    """

    default_advice = "Transfer more funds to this provider."

    def __init__(
        self,
        message: str,
        *,
        advice: str = "",
        status: int = 0,
        detail: str = "",
        locked: int | None = None,
        required: int | None = None,
    ) -> None:
        super().__init__(message, advice=advice, status=status, detail=detail)
        self.locked = locked
        self.required = required


class ModelNotServed(ProviderRefused):
    """The provider does not serve the requested model (or has retired it)."""

    default_advice = "Choose a model that the provider lists."


class RequestTooLarge(ProviderRefused):
    """The prompt or body is longer than the provider or its model takes."""

    default_advice = "Shorten the conversation or the upload."


class RateLimited(ProviderRefused, Transient):
    """Too many requests of this user; `retry_after` seconds where known."""

    default_advice = "Wait a few seconds and try again."


class ProviderBusy(ProviderRefused, Transient):
    """The provider is at capacity for everybody; `retry_after` seconds where known."""

    default_advice = "Wait a few seconds and try again, or choose another provider."


class UpstreamFailed(ProviderRefused, Transient):
    """The provider's model server failed."""

    default_advice = "Try again, or choose another provider."


class SignatureNotFound(ProviderRefused, Transient):
    """The provider has no signature under that id: not yet, or no longer (20 minutes)."""

    default_advice = "Try again in a moment."


class VerificationError(Error):
    """A proof does not prove what it should; the message names expected and found."""

    default_advice = "Do not rely on what it was to prove."


class SignatureMismatch(VerificationError):
    """A signature was made by another key, or over other bytes."""


class QuoteInvalid(VerificationError):
    """An attestation quote does not verify."""

    default_advice = "Do not rely on the attestation of this provider."
