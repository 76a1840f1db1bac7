"""Reading the contracts' events, in ranges as wide as the node allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from zgcompute import _replies
from zgcompute._codec import Interface, inference_interface, ledger_interface
from zgcompute._rpc import Refusal, Request, Rpc, malformed, quantity, refused
from zgcompute.errors import RpcUnreachable
from zgcompute.types import Address, Contracts, Event


def events(rpc: Rpc, contracts: Contracts, from_block: int, to_block: int) -> tuple[Event, ...]:
    """Return the known events of both contracts in log order; raises RpcRefused, RpcUnreachable.

    A refused range is halved until the node accepts it, down to single blocks. A node that has
    not reached `to_block` counts as unreachable: it would silently leave out the missing blocks.
    """
    interfaces: Mapping[Address, Interface] = {
        contracts.ledger: ledger_interface(),
        contracts.inference: inference_interface(),
    }
    found = _range(rpc, interfaces, from_block, to_block) if from_block <= to_block else []
    return tuple(sorted(found, key=lambda event: (event.block_number, event.log_index)))


def _range(rpc: Rpc, interfaces: Mapping[Address, Interface], first: int, last: int) -> list[Event]:
    scope = {"address": list(interfaces), "fromBlock": hex(first), "toBlock": hex(last)}
    request = Request("eth_getLogs", (scope,))
    answer = rpc.batch([Request("eth_blockNumber"), request], _requires_head(last))[1]
    if isinstance(answer, Refusal):
        if first == last:
            raise refused(request, answer)
        middle = (first + last) // 2
        earlier = _range(rpc, interfaces, first, middle)
        return earlier + _range(rpc, interfaces, middle + 1, last)
    if not isinstance(answer, list):
        raise malformed("a list of logs")
    known = (_replies.event(log, interfaces) for log in answer)
    return [event for event in known if event is not None]


def _requires_head(last: int) -> Callable[[list[Any]], None]:
    def check(answers: list[Any]) -> None:
        head = quantity(answers[0])
        if head < last:
            raise RpcUnreachable(f"An RPC node is at block {head} and does not know block {last}.")

    return check
