"""The wallet's money in the contracts: what `broker.ledger` is. Amounts are neuron.

    broker.ledger.deposit(amounts.parse("5"))
    broker.ledger.transfer(provider, amounts.parse("1.5"))

Each move is one transaction of the broker's signer: it is judged by the contracts' rules first
(`rules`), so that what they would refuse is refused here and costs no network fee; then it is
tried, signed, sent, and waited for. Moves of one broker happen one after the other. All of them
raise ConfigurationError without a signer, RpcUnreachable where nothing was sent,
TransactionReverted subclasses with the contract's reason, and TransactionUncertain, with the hash,
where it is not known how a transaction ends: look it up before you send it again.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from zgcompute import retrieval, rules
from zgcompute.addresses import checksum
from zgcompute.errors import LedgerMissing, LimitExceeded, RefundLocked
from zgcompute.types import (
    Address,
    Constants,
    Ledger,
    Receipt,
    SubAccount,
    UnsignedCall,
    WalletState,
)

if TYPE_CHECKING:
    from zgcompute.broker import Broker

Rule: TypeAlias = Callable[[WalletState, Constants], object]  # raises what the contract would


class LedgerAccess:
    """The wallet's ledger and its sub-accounts with providers."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._moving = threading.Lock()

    def get(self, user: str | None = None) -> Ledger:
        """The ledger of `user` or the signer (getLedger); raises LedgerMissing."""
        return self._broker.chain.ledger(self._broker.address(user))

    def sub_account(self, provider: str, user: str | None = None) -> SubAccount:
        """What is locked with `provider` (getAccount); raises SubAccountMissing."""
        return self._broker.chain.sub_account(self._broker.address(user), provider)

    def sub_accounts(self, user: str | None = None) -> tuple[SubAccount, ...]:
        """Everything that is locked with providers (getAccountsByUser)."""
        return self._broker.chain.sub_accounts(self._broker.address(user))

    def deposit(self, amount: int) -> Receipt:
        """Move `amount` from the wallet into its ledger (LedgerManager.depositFund).

        The first deposit creates the ledger and has a minimum. Raises AmountError, BelowMinimum,
        InsufficientBalance.
        """
        return self._move(
            self._broker.calls.deposit(amount),
            lambda state, constants: rules.require_deposit(amount, state, constants),
        )

    def deposit_for(self, recipient: str, amount: int) -> Receipt:
        """Move `amount` from the wallet into the ledger of `recipient` (depositFundFor).

        It belongs to the recipient then. Raises like `deposit`, by the recipient's ledger.
        """
        call, owner = self._broker.calls.deposit_for(recipient, amount), checksum(recipient)

        def rule(state: WalletState, constants: Constants) -> None:
            has_ledger = self._has_ledger(owner)
            rules.require_deposit_for(amount, state, constants, has_ledger=has_ledger)

        return self._move(call, rule)

    def transfer(self, provider: str, amount: int) -> Receipt:
        """Lock `amount` of the ledger with `provider` (LedgerManager.transferFund).

        This also acknowledges its TEE signer, and cancels pending refunds first. The first transfer
        has a minimum. Raises AmountError, ServiceMissing, LedgerMissing, BelowMinimum,
        LimitExceeded, InsufficientBalance.
        """
        listed = self._broker.services.get(provider).provider
        return self._move(
            self._broker.calls.transfer(listed, amount),
            lambda state, constants: rules.require_transfer(amount, listed, state, constants),
        )

    def retrieve(self, providers: Sequence[str] | None = None) -> Receipt:
        """Bring home what is unlocked at `providers`, request the rest (retrieveFund); call twice.

        None means every provider, as many as one call takes: call again for the rest. Money comes
        home with the second call, one lock time after the first. Raises LedgerMissing,
        SubAccountMissing, LimitExceeded for too many providers, RefundLocked for too many waiting
        refunds, LedgerError where there is nothing to do.
        """
        if isinstance(providers, str):
            providers = [providers]
        with self._moving:
            state, constants = self._state()
            chosen = self._retrievable(providers, state, constants)
            return self._broker.send(self._broker.calls.retrieve(chosen))

    def refund(self, amount: int) -> Receipt:
        """Pay `amount` out of the ledger to the wallet (LedgerManager.refund).

        What remains is nothing, or at least the minimum; the last refund deletes the ledger. Raises
        AmountError, LedgerMissing, InsufficientBalance, BelowMinimum.
        """
        return self._move(
            self._broker.calls.refund(amount),
            lambda state, constants: rules.require_refund(amount, state, constants),
        )

    def delete(self) -> Receipt:
        """Delete the empty ledger and its sub-accounts (LedgerManager.deleteLedger).

        Raises LedgerMissing, and LedgerError where it still holds funds.
        """
        return self._move(
            self._broker.calls.delete_ledger(), lambda state, _: rules.require_empty(state)
        )

    def acknowledge(self, provider: str) -> Receipt:
        """Accept the provider's TEE signer (InferenceServing.acknowledgeTEESigner).

        A transfer does it too. Raises SubAccountMissing.
        """
        return self._move(
            self._broker.calls.acknowledge(provider),
            lambda state, _: rules.required_sub_account(provider, state),
        )

    def _move(self, call: UnsignedCall, rule: Rule) -> Receipt:
        with self._moving:
            rule(*self._state())
            return self._broker.send(call)

    def _state(self) -> tuple[WalletState, Constants]:
        chain, address = self._broker.chain, self._broker.required_signer().address
        return chain.wallets([address])[address], chain.constants()

    def _has_ledger(self, owner: Address) -> bool:
        try:
            self._broker.chain.ledger(owner)
        except LedgerMissing:
            return False
        return True

    def _retrievable(
        self, providers: Sequence[str] | None, state: WalletState, constants: Constants
    ) -> list[Address]:
        rules.required_ledger(state)
        accounts = state.sub_accounts
        if providers is not None:
            named = (rules.required_sub_account(provider, state) for provider in providers)
            accounts = tuple({account.provider: account for account in named}.values())
        now = self._broker.chain.block().timestamp
        plan = retrieval.plan(accounts, constants, now)
        if providers is not None and plan.later:
            raise LimitExceeded(
                f"One call takes {constants.max_providers_per_batch} providers at most.",
                advice="Name fewer, or none: then as many are taken as there may be.",
            )
        if providers is not None and plan.blocked:
            raise RefundLocked(
                f"Too many refunds of {plan.blocked[0].provider} are waiting already.",
                advice="Leave it out, or try again when the oldest has come home.",
            )
        return [part.provider for part in plan.parts]


class AsyncLedgerAccess:
    """`LedgerAccess` in an event loop; its blocking calls to the chain run in threads.

    A move that is cancelled while it runs may be sent all the same.
    """

    def __init__(self, ledger: LedgerAccess) -> None:
        self._ledger = ledger

    async def get(self, user: str | None = None) -> Ledger:
        """The ledger of `user` or the signer (getLedger); raises LedgerMissing."""
        return await asyncio.to_thread(self._ledger.get, user)

    async def sub_account(self, provider: str, user: str | None = None) -> SubAccount:
        """What is locked with `provider` (getAccount); raises SubAccountMissing."""
        return await asyncio.to_thread(self._ledger.sub_account, provider, user)

    async def sub_accounts(self, user: str | None = None) -> tuple[SubAccount, ...]:
        """Everything that is locked with providers (getAccountsByUser)."""
        return await asyncio.to_thread(self._ledger.sub_accounts, user)

    async def deposit(self, amount: int) -> Receipt:
        """Move `amount` from the wallet into its ledger; see `LedgerAccess.deposit`."""
        return await asyncio.to_thread(self._ledger.deposit, amount)

    async def deposit_for(self, recipient: str, amount: int) -> Receipt:
        """Move `amount` into another's ledger; see `LedgerAccess.deposit_for`."""
        return await asyncio.to_thread(self._ledger.deposit_for, recipient, amount)

    async def transfer(self, provider: str, amount: int) -> Receipt:
        """Lock `amount` of the ledger with `provider`; see `LedgerAccess.transfer`."""
        return await asyncio.to_thread(self._ledger.transfer, provider, amount)

    async def retrieve(self, providers: Sequence[str] | None = None) -> Receipt:
        """Bring home what is unlocked, request the rest; see `LedgerAccess.retrieve`."""
        return await asyncio.to_thread(self._ledger.retrieve, providers)

    async def refund(self, amount: int) -> Receipt:
        """Pay `amount` out of the ledger to the wallet; see `LedgerAccess.refund`."""
        return await asyncio.to_thread(self._ledger.refund, amount)

    async def delete(self) -> Receipt:
        """Delete the empty ledger; see `LedgerAccess.delete`."""
        return await asyncio.to_thread(self._ledger.delete)

    async def acknowledge(self, provider: str) -> Receipt:
        """Accept the provider's TEE signer; see `LedgerAccess.acknowledge`."""
        return await asyncio.to_thread(self._ledger.acknowledge, provider)
