"""Reading the contracts' events, in ranges as wide as the node allows."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from zgcompute import _replies
from zgcompute._codec import Interface, inference_interface, ledger_interface
from zgcompute._rpc import Refusal, Request, Rpc, malformed, quantity, refused
from zgcompute.errors import ChainError, RpcUnreachable
from zgcompute.types import Address, Contracts, Event

REMEMBERED = 600.0  # seconds that a width which a node refused is not tried again
WIDER_AFTER = 4  # ranges in a row that must succeed before a wider one is tried


class LogReader:
    """Reads events through `rpc` and remembers for a while how wide a range may be.

    Nodes refuse ranges in many words and ways: too many blocks, too many results, too large a
    reply (HTTP 413), a timeout. None is told from another: whatever the refusal of a range, half
    of it is tried, down to a single block.
    """

    def __init__(self, rpc: Rpc, clock: Callable[[], float] = time.monotonic) -> None:
        self._rpc = rpc
        self._clock = clock
        self._width: int | None = None  # blocks; None while no range was refused lately
        self._forgotten_at = 0.0
        self._successes = 0

    def events(self, contracts: Contracts, first: int, last: int) -> tuple[Event, ...]:
        """Return the known events of both contracts in log order.

        Raises RpcRefused where a single block is refused, RpcUnreachable where nobody answers. A
        node that has not reached `last` counts as unreachable: it would silently leave out the
        missing blocks.
        """
        interfaces: Mapping[Address, Interface] = {
            contracts.ledger: ledger_interface(),
            contracts.inference: inference_interface(),
        }
        found: list[Event] = []
        while first <= last:
            end = min(last, first + self._allowed(last - first + 1) - 1)
            try:
                found += self._range(interfaces, first, end)
            except ChainError as error:
                if first == end or not self._may_be_too_wide(error, end):
                    raise
                self._remember((end - first + 1) // 2)
                continue
            self._note_success()
            first = end + 1
        return tuple(sorted(found, key=lambda event: (event.block_number, event.log_index)))

    def _range(self, interfaces: Mapping[Address, Interface], first: int, last: int) -> list[Event]:
        scope = {"address": list(interfaces), "fromBlock": hex(first), "toBlock": hex(last)}
        request = Request("eth_getLogs", (scope,))
        answer = self._rpc.batch([Request("eth_blockNumber"), request], _requires_head(last))[1]
        if isinstance(answer, Refusal):
            raise refused(request, answer)
        if not isinstance(answer, list):
            raise malformed("a list of logs")
        known = (_replies.event(log, interfaces) for log in answer)
        return [event for event in known if event is not None]

    def _may_be_too_wide(self, error: ChainError, last: int) -> bool:
        """A range that brings no answer is too wide only for a node that answers otherwise."""
        if not isinstance(error, RpcUnreachable):
            return True
        try:
            return quantity(self._rpc.call("eth_blockNumber")) >= last
        except ChainError:
            return False

    def _allowed(self, wanted: int) -> int:
        if self._width is not None and self._clock() >= self._forgotten_at:
            self._width = None
        return wanted if self._width is None else min(wanted, self._width)

    def _remember(self, width: int) -> None:
        self._width, self._successes = max(1, width), 0
        self._forgotten_at = self._clock() + REMEMBERED

    def _note_success(self) -> None:
        """One crowded stretch of the chain must not keep the rest narrow."""
        self._successes += 1
        if self._width is not None and self._successes >= WIDER_AFTER:
            self._width, self._successes = self._width * 2, 0


def _requires_head(last: int) -> Callable[[list[Any]], None]:
    def check(answers: list[Any]) -> None:
        head = quantity(answers[0])
        if head < last:
            raise RpcUnreachable(f"An RPC node is at block {head} and does not know block {last}.")

    return check
