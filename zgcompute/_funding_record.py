"""What auto-funding has moved within the last 24 hours, in memory or in a file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from zgcompute import _reading as read
from zgcompute._private_files import read_object, write_object
from zgcompute.addresses import checksum
from zgcompute.amounts import HoldsMoney, Neuron, exact
from zgcompute.errors import ConfigurationError, InvalidAddress
from zgcompute.types import Address

DAY = 86_400  # seconds
FORMAT = "zgcompute-auto-funding/1"
_KINDS, _STATES = ("deposit", "transfer"), ("begun", "done")


@dataclass(frozen=True, slots=True)
class Move(HoldsMoney):
    """One move: `kind` is "deposit" or "transfer", `at` in Unix seconds, of its end once known.

    `state` is "planned" (a dry run), "begun" (its end is not known) or "done".
    """

    kind: str
    amount: Neuron
    provider: Address
    at: int
    state: str
    transaction_hash: str = ""
    network: str = ""
    wallet: str = ""

    @property
    def is_open(self) -> bool:
        """It was sent, and its end is not known."""
        return self.state == "begun" and bool(self.transaction_hash)

    def __str__(self) -> str:
        if self.kind == "deposit":
            return f"deposit {exact(self.amount)} 0G of the wallet into its ledger"
        return f"transfer {exact(self.amount)} 0G of the ledger to {self.provider}"


class Record:
    """The moves of one wallet on one network, beside those of others in the same file."""

    def __init__(self, network: str, wallet: Address, moves: Iterable[Move], *, now: float) -> None:
        self._network, self._wallet, self._now = network, wallet, now
        # A move in the future counts too: whoever sets the clock back gains nothing.
        self.moves = tuple(m for m in moves if m.at > now - DAY or m.is_open)

    @classmethod
    def read(cls, path: Path) -> tuple[Move, ...]:
        """The moves in the file; none where there is no file. Raises ConfigurationError."""
        content = read_object(path)
        if content is None:
            return ()
        moves = content.get("moves")
        if content.get("format") != FORMAT or not isinstance(moves, list):
            raise _unreadable(path)
        try:
            return tuple(_move(read.mapping(entry)) for entry in moves)
        except (KeyError, TypeError, ValueError, InvalidAddress) as error:
            raise _unreadable(path) from error

    def write(self, path: Path) -> None:
        """Keep the moves in the file."""
        moves = [
            {part.name: getattr(move, part.name) for part in fields(move)} | _amount(move)
            for move in self.moves
        ]
        write_object(path, {"format": FORMAT, "moves": moves})

    def spent(self, kind: str, provider: Address | None = None) -> Neuron:
        """Neuron moved in that way within the last 24 hours, to `provider` or to anybody.

        A move whose end is unknown counts as made.
        """
        found = (move for move in self._own() if move.kind == kind)
        return Neuron(sum(m.amount for m in found if provider in (None, m.provider)))

    def open_moves(self, provider: Address) -> tuple[Move, ...]:
        """The moves for `provider` whose end is not known."""
        return tuple(m for m in self._own() if m.state == "begun" and m.provider == provider)

    def with_move(self, move: Move) -> Record:
        """The record with `move` added."""
        own = replace(move, network=self._network, wallet=self._wallet)
        return Record(self._network, self._wallet, (*self.moves, own), now=self._now)

    def settle(self, move: Move, *, succeeded: bool) -> None:
        """Note how a move ended; a failed one moved nothing and no longer counts."""
        done = (replace(move, state="done", at=math.ceil(self._now)),) if succeeded else ()
        self.moves = tuple(m for m in self.moves if m != move) + done

    def _own(self) -> Iterator[Move]:
        me = self._network, self._wallet
        yield from (move for move in self.moves if (move.network, move.wallet) == me)


def _amount(move: Move) -> dict[str, str]:
    return {"amount": str(int(move.amount))}  # JSON readers lose digits of large numbers


def _move(keys: dict[str, Any]) -> Move:
    amount, at = read.neuron(keys["amount"]), keys["at"]
    if amount is None or not isinstance(at, int) or isinstance(at, bool):
        raise TypeError("amount or time")
    if keys["kind"] not in _KINDS or keys["state"] not in _STATES:
        raise ValueError("kind or state")
    return Move(
        kind=keys["kind"],
        amount=amount,
        provider=checksum(keys["provider"]),
        at=at,
        state=keys["state"],
        transaction_hash=str(keys["transaction_hash"]),
        network=str(keys["network"]),
        wallet=str(keys["wallet"]),
    )


def _unreadable(path: Path) -> ConfigurationError:
    return ConfigurationError(
        f"{path} is no record of auto-funding.",
        advice="Put back a copy; without it nobody knows what was moved today.",
    )
