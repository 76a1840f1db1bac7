"""Everything the chain knows about many users, in as few POSTs as there can be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from zgcompute import _replies
from zgcompute._codec import inference_interface, ledger_interface
from zgcompute._rpc import Refusal, Request, Rpc, quantity, refused
from zgcompute._views import LATEST, PAGE, Outputs, View, outputs_or_revert, read_pages, required
from zgcompute.amounts import Neuron
from zgcompute.errors import LedgerMissing, TransactionReverted
from zgcompute.types import Address, Block, Contracts, Ledger, SubAccount, WalletState

_PER_USER = 3  # calls: balance, ledger, first page of sub-accounts


def wallets(rpc: Rpc, contracts: Contracts, users: Sequence[Address]) -> dict[Address, WalletState]:
    """Return the state of all `users` at one block height.

    One POST for the block and one per `Rpc.max_batch` calls, three calls per user: two POSTs for
    up to 166 users. A user with more than 50 sub-accounts adds one POST per 1,000 of them.
    """
    asked = list(dict.fromkeys(users))
    if not asked:
        return {}
    block = _replies.block(rpc.call("eth_getBlockByNumber", LATEST, False))
    at = hex(block.number)
    requests = [request for user in asked for request in _requests(contracts, user, at)]
    answers = rpc.batch(requests)
    return {
        user: _state(
            rpc, contracts, user, answers[_PER_USER * place : _PER_USER * (place + 1)], block
        )
        for place, user in enumerate(asked)
    }


def sub_accounts(
    rpc: Rpc,
    contracts: Contracts,
    user: Address,
    first: Outputs | None = None,
    block: str = LATEST,
) -> tuple[SubAccount, ...]:
    """Return all sub-accounts of `user`; `first` is the first page where it is known already."""
    items = read_pages(rpc, _page(contracts, user), first, block)
    found = map(_replies.sub_account, items)
    return tuple({account.provider: account for account in found}.values())


def _page(contracts: Contracts, user: Address) -> Callable[[int, int], View]:
    return lambda offset, limit: View(
        contracts.inference, inference_interface(), "getAccountsByUser", (user, offset, limit)
    )


def _ledger(contracts: Contracts, user: Address) -> View:
    return View(contracts.ledger, ledger_interface(), "getLedger", (user,))


def _requests(contracts: Contracts, user: Address, block: str) -> list[Request]:
    return [
        Request("eth_getBalance", (user, block)),
        _ledger(contracts, user).request(block),
        _page(contracts, user)(0, PAGE).request(block),
    ]


def _state(
    rpc: Rpc, contracts: Contracts, user: Address, answers: Sequence[Any], block: Block
) -> WalletState:
    balance, ledger, accounts = answers
    if isinstance(balance, Refusal):
        raise refused(Request("eth_getBalance"), balance)
    page = _page(contracts, user)(0, PAGE)
    first = required(outputs_or_revert(rpc.network, page, accounts))
    return WalletState(
        user=user,
        balance=Neuron(quantity(balance)),
        ledger=_ledger_or_none(outputs_or_revert(rpc.network, _ledger(contracts, user), ledger)),
        sub_accounts=sub_accounts(rpc, contracts, user, first, hex(block.number)),
        block_number=block.number,
        block_hash=block.hash,
    )


def _ledger_or_none(outcome: Outputs | TransactionReverted) -> Ledger | None:
    if isinstance(outcome, LedgerMissing):
        return None
    return _replies.ledger(required(outcome)[0])
