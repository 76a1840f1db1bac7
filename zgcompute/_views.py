"""Reading contract functions in batches: each answer is the outputs or the contract's refusal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from zgcompute import _replies
from zgcompute._codec import Interface
from zgcompute._rpc import Refusal, Request, Rpc, refused
from zgcompute.errors import ChainError, TransactionReverted
from zgcompute.networks import Network
from zgcompute.types import Address

LATEST = "latest"
PAGE = 50  # the most that one call of either contract lists
MAX_PAGES = 200  # a `total` on chain is not believed beyond 10,000 entries
_PAGES_AT_ONCE = 20

Outputs = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class View:
    """One call of a contract's view function."""

    contract: Address
    interface: Interface
    function: str
    arguments: tuple[Any, ...] = ()

    def request(self, block: str = LATEST) -> Request:
        call = {
            "to": self.contract,
            "data": self.interface.encode(self.function, *self.arguments),
        }
        return Request("eth_call", (call, block))


def read(rpc: Rpc, views: Sequence[View], block: str = LATEST) -> list[Outputs]:
    """Return the outputs of all views, read in one batch; raises the first revert."""
    answers = rpc.batch([view.request(block) for view in views])
    return [
        required(outputs_or_revert(rpc.network, view, answer))
        for view, answer in zip(views, answers, strict=True)
    ]


def read_one(rpc: Rpc, view: View) -> Outputs:
    """Return the outputs of one view; raises its revert."""
    return read(rpc, [view])[0]


def read_pages(
    rpc: Rpc, page: Callable[[int, int], View], first: Outputs | None = None, block: str = LATEST
) -> list[Any]:
    """Return all items of a paged list, whose view `page(offset, limit)` gives (items, total).

    Ends at `total`, at the first page that is not full, and in any case after MAX_PAGES.
    """
    items, total = first or read(rpc, [page(0, PAGE)], block)[0]
    found = list(items)
    while len(found) < total and found and len(found) % PAGE == 0:
        if len(found) >= PAGE * MAX_PAGES:
            raise ChainError(f"A contract of {rpc.network.name} lists an absurd {total} entries.")
        wanted = min(_PAGES_AT_ONCE, -(-(total - len(found)) // PAGE))
        offsets = [len(found) + PAGE * number for number in range(wanted)]
        for more, _ in read(rpc, [page(offset, PAGE) for offset in offsets], block):
            found += more
            if len(more) < PAGE:
                return found
    return found


def outputs_or_revert(network: Network, view: View, answer: Any) -> Outputs | TransactionReverted:
    """Tell what one answer of a batch means; raises RpcRefused, ChainError."""
    if isinstance(answer, Refusal):
        reason = _replies.revert(answer)
        if reason is None:
            raise refused(view.request(), answer)
        return reason
    returned = _replies.data(answer)
    if not returned:
        raise no_contract(network, view.contract)
    return view.interface.decode_result(view.function, returned)


def required(outcome: Outputs | TransactionReverted) -> Outputs:
    """Return outputs; raise a revert."""
    if isinstance(outcome, TransactionReverted):
        raise outcome
    return outcome


def no_contract(network: Network, address: str) -> ChainError:
    """Return the error for an address that holds no code."""
    return ChainError(
        f"There is no contract at {address} on {network.name}.",
        advice="Check the contract addresses and RPC URLs of this network.",
    )
