"""The rules of the two contracts that callers meet, played in memory for `testing.FakeChain`.

The same tests run over this and over the real contracts (tests/contract).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from zgcompute._fake_state import Emitted, State, cancelled_refunds
from zgcompute.amounts import Neuron
from zgcompute.contract_errors import explain, reverted_with_text
from zgcompute.types import (
    Address,
    Constants,
    Contracts,
    Ledger,
    Refund,
    SubAccount,
    UnsignedCall,
)

MAX_REFUNDS = 5  # open refunds of one sub-account
MAX_INFO = 4096  # LedgerManager.MAX_ADDITIONAL_INFO_LENGTH, bytes
SUCCESS, PARTIAL, PROVIDER_MISMATCH, NO_TEE_SIGNER, _, NO_ACCOUNT = range(6)  # settlement statuses


class FakeContracts:
    """Executes one call against a State; raises what the contract would revert with."""

    def __init__(self, contracts: Contracts, constants: Constants, state: State, now: int) -> None:
        self.contracts = contracts
        self.constants = constants
        self.state = state
        self.now = now
        self.emitted: list[Emitted] = []

    def run(self, call: UnsignedCall, sender: Address) -> None:
        """Carry out `call`; the value has already left the sender's wallet."""
        functions: Mapping[str, Callable[..., None]] = {
            "addLedger": self._add_ledger,
            "depositFund": self._deposit,
            "depositFundFor": self._deposit_for,
            "refund": self._refund,
            "deleteLedger": self._delete_ledger,
            "transferFund": self._transfer,
            "retrieveFund": self._retrieve,
            "acknowledgeTEESigner": self._acknowledge,
            "revokeToken": self._revoke_token,
            "revokeTokens": self._revoke_tokens,
            "revokeAllTokens": self._revoke_all_tokens,
        }
        if call.function not in functions:
            raise reverted_with_text(f"the fake contracts have no {call.function}")
        functions[call.function](sender, call.value, **call.arguments)

    def settle(self, user: Address, provider: Address, fee: int) -> int:
        """Take `fee` as settleFeesWithTEE does for one well signed item; return its status."""
        status, settled = self._settlement(user, provider, fee)
        if settled:
            account = self._charged(self.state.sub_accounts[user, provider], settled)
            ledger = self.state.ledgers[user]
            self.state.ledgers[user] = replace(ledger, total=ledger.total - settled)
            self.state.wallets[provider] = self.state.wallets.get(provider, 0) + settled
            self._emit_ledger(
                "FundSpent", user=user, service=self.contracts.inference, amount=settled
            )
            self._put(account)
        self._emit("TEESettlementResult", user=user, status=status, unsettledAmount=fee - settled)
        return status

    def _add_ledger(self, sender: Address, value: int, *, additionalInfo: str) -> None:
        length = len(additionalInfo.encode())
        if length > MAX_INFO:
            raise explain("AdditionalInfoTooLong", {"length": length, "max": MAX_INFO})
        if sender in self.state.ledgers:
            raise explain("LedgerExists", {"user": sender})
        self._open_ledger(sender, value, additionalInfo)

    def _deposit(self, sender: Address, value: int) -> None:
        self._deposit_for(sender, value, recipient=sender)

    def _deposit_for(self, sender: Address, value: int, *, recipient: Address) -> None:
        if value == 0:
            raise explain("ZeroAmountNotAllowed", {})
        ledger = self.state.ledgers.get(recipient)
        if ledger is None:
            self._open_ledger(recipient, value, "")
        else:
            self._put_ledger(ledger, available=value, total=value)

    def _open_ledger(self, user: Address, value: int, info: str) -> None:
        self._require_minimum(value, self.constants.min_account_balance)
        self.state.ledgers[user] = Ledger(user, Neuron(value), Neuron(value), info)

    def _refund(self, sender: Address, value: int, *, amount: int) -> None:
        ledger = self._ledger(sender)
        if ledger.available < amount:
            raise explain("InsufficientBalance", {"user": sender})
        remaining = ledger.available - amount
        if remaining:
            self._require_minimum(remaining, self.constants.min_account_balance)
        self._put_ledger(ledger, available=-amount, total=-amount)
        self.state.wallets[sender] = self.state.wallets.get(sender, 0) + amount
        if ledger.total == amount:
            self._close_ledger(sender)

    def _delete_ledger(self, sender: Address, value: int) -> None:
        total = self._ledger(sender).total
        if total:
            raise explain("MustWithdrawAllFundsFirst", {"remainingBalance": total})
        self._close_ledger(sender)

    def _close_ledger(self, user: Address) -> None:
        for pair in [pair for pair in self.state.sub_accounts if pair[0] == user]:
            self.state.closed[pair] = self.state.sub_accounts.pop(pair)
            self._emit("AccountDeleted", user=user, provider=pair[1], refundedAmount=0)
        del self.state.ledgers[user]

    def _transfer(
        self, sender: Address, value: int, *, provider: Address, serviceName: str, amount: int
    ) -> None:
        ledger = self._ledger(sender)
        self._require_service(serviceName)
        account = self.state.sub_accounts.get((sender, provider))
        cancelled = min(amount, account.pending_refund) if account else 0
        if account is None:
            self._require_room(sender, amount)
        if ledger.available < amount - cancelled:
            needed = {"available": ledger.available, "required": amount - cancelled}
            raise explain("InsufficientAvailableBalance", needed)
        if sender == provider:
            raise explain("ProviderCannotBeUser", {})
        account = cancelled_refunds(account or self._opened(sender, provider), cancelled)
        self._put_ledger(ledger, available=cancelled - amount, total=0)
        balance = account.balance + amount - cancelled
        self._put(replace(account, balance=balance, acknowledged=True))

    def _require_room(self, sender: Address, amount: int) -> None:
        self._require_minimum(amount, self.constants.min_transfer_amount)
        current = sum(user == sender for user, _ in self.state.sub_accounts)
        maximum = self.constants.max_providers_per_user
        if current >= maximum:
            limits = {"current": current, "maximum": maximum}
            raise explain("TooManyProvidersForService", limits)

    def _opened(self, user: Address, provider: Address) -> SubAccount:
        before = self.state.closed.get((user, provider))
        return SubAccount(
            user=user,
            provider=provider,
            nonce=before.nonce if before else 0,
            balance=Neuron(0),
            pending_refund=Neuron(0),
            refunds=(),
            acknowledged=False,
            generation=before.generation if before else 0,
            revoked_bitmap=0,
            additional_info=self.state.ledgers[user].additional_info,
        )

    def _retrieve(
        self, sender: Address, value: int, *, providers: tuple[Address, ...], serviceName: str
    ) -> None:
        maximum = self.constants.max_providers_per_batch
        if len(providers) > maximum:
            limits = {"requested": len(providers), "maximum": maximum}
            raise explain("TooManyProviders", limits)
        self._ledger(sender)
        self._require_service(serviceName)
        for provider in providers:
            if (sender, provider) in self.state.sub_accounts:
                self._release(sender, provider)
                self._request_refund(sender, provider)

    def _release(self, user: Address, provider: Address) -> None:
        account = self.state.sub_accounts[user, provider]
        lock = self.constants.lock_time
        waiting = [refund for refund in account.refunds if self.now < refund.created_at + lock]
        released = sum(r.amount for r in account.refunds) - sum(r.amount for r in waiting)
        if released:
            self._put_ledger(self.state.ledgers[user], available=released, total=0)
            self._put(
                replace(
                    account,
                    balance=account.balance - released,
                    pending_refund=account.pending_refund - released,
                    refunds=tuple(replace(r, index=at) for at, r in enumerate(waiting)),
                )
            )

    def _request_refund(self, user: Address, provider: Address) -> None:
        account = self.state.sub_accounts[user, provider]
        if not account.free:
            return
        index = len(account.refunds)
        if index >= MAX_REFUNDS:
            raise explain("TooManyRefunds", {"user": user, "provider": provider})
        refund = Refund(index=index, amount=account.free, created_at=self.now)
        self.state.sub_accounts[user, provider] = replace(
            account,
            pending_refund=account.pending_refund + refund.amount,
            refunds=(*account.refunds, refund),
        )
        self._emit("RefundRequested", user=user, provider=provider, index=index, timestamp=self.now)

    def _acknowledge(
        self, sender: Address, value: int, *, provider: Address, acknowledged: bool
    ) -> None:
        account = self._account(sender, provider)
        if account.acknowledged and not acknowledged and account.balance:
            facts = {"user": sender, "provider": provider, "balance": account.balance}
            raise explain("CannotRevokeWithNonZeroBalance", facts)
        self.state.sub_accounts[sender, provider] = replace(account, acknowledged=acknowledged)

    def _revoke_token(
        self, sender: Address, value: int, *, provider: Address, tokenId: int
    ) -> None:
        self._set_bits(sender, provider, (tokenId,))
        self._emit("TokenRevoked", user=sender, provider=provider, tokenId=tokenId)

    def _revoke_tokens(
        self, sender: Address, value: int, *, provider: Address, tokenIds: tuple[int, ...]
    ) -> None:
        self._set_bits(sender, provider, tokenIds)
        self._emit("TokensRevoked", user=sender, provider=provider, tokenIds=tuple(tokenIds))

    def _revoke_all_tokens(self, sender: Address, value: int, *, provider: Address) -> None:
        account = self._account(sender, provider)
        generation = account.generation + 1
        self.state.sub_accounts[sender, provider] = replace(
            account, generation=generation, revoked_bitmap=0
        )
        self._emit("AllTokensRevoked", user=sender, provider=provider, newGeneration=generation)

    def _set_bits(self, user: Address, provider: Address, ids: tuple[int, ...]) -> None:
        account = self._account(user, provider)
        bitmap = account.revoked_bitmap
        for token_id in ids:
            bitmap |= 1 << token_id
        self.state.sub_accounts[user, provider] = replace(account, revoked_bitmap=bitmap)

    def _settlement(self, user: Address, provider: Address, fee: int) -> tuple[int, int]:
        account = self.state.sub_accounts.get((user, provider))
        service = self.state.services.get(provider)
        if account is None:
            return NO_ACCOUNT, 0
        if service is None:
            return PROVIDER_MISMATCH, 0
        if not (account.acknowledged and service.tee_signer_acknowledged):
            return NO_TEE_SIGNER, 0
        settled = min(fee, account.balance)
        return SUCCESS if settled == fee else PARTIAL, settled

    def _charged(self, account: SubAccount, fee: int) -> SubAccount:
        account = cancelled_refunds(account, max(fee - account.free, 0))
        nonce = max(self.now * 10**7, account.nonce + 1)
        return replace(account, balance=account.balance - fee, nonce=nonce)

    def _ledger(self, user: Address) -> Ledger:
        if user not in self.state.ledgers:
            raise explain("LedgerNotExists", {"user": user})
        return self.state.ledgers[user]

    def _account(self, user: Address, provider: Address) -> SubAccount:
        if (user, provider) not in self.state.sub_accounts:
            raise explain("AccountNotExists", {"user": user, "provider": provider})
        return self.state.sub_accounts[user, provider]

    def _require_service(self, name: str) -> None:
        if name != self.contracts.service_name:
            raise explain("ServiceNotFound", {"serviceAddress": "0x" + "0" * 40})

    def _require_minimum(self, provided: int, required: int) -> None:
        if provided < required:
            facts = {"provided": provided, "required": required}
            raise explain("MinimumDepositRequired", facts)

    def _put_ledger(self, ledger: Ledger, *, available: int, total: int) -> None:
        self.state.ledgers[ledger.user] = replace(
            ledger, available=ledger.available + available, total=ledger.total + total
        )

    def _put(self, account: SubAccount) -> None:
        self.state.sub_accounts[account.user, account.provider] = account
        self._emit(
            "BalanceUpdated",
            user=account.user,
            provider=account.provider,
            amount=account.balance,
            pendingRefund=account.pending_refund,
        )

    def _emit(self, name: str, **arguments: Any) -> None:
        self.emitted.append((self.contracts.inference, name, arguments))

    def _emit_ledger(self, name: str, **arguments: Any) -> None:
        self.emitted.append((self.contracts.ledger, name, arguments))
