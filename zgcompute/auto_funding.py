"""Keeping a sub-account filled, within caps; nothing of it happens unless it is asked for.

    funding = AutoFunding(
        broker, provider, minimum=amounts.parse("1.5"), target=amounts.parse("2"),
        per_day=amounts.parse("1"), state="funding.json",
    )
    funding.check()           # at most one move
    funding.run(every=60)     # or again and again

What it does rests on the chain alone: what a provider claims to be owed moves nothing. It acts on
no failed read, leaves refunds that are on their way home alone, and takes nothing from the wallet
unless `deposit_per_day` allows it. Every move is counted before it is sent and told before and
after; one whose end is unknown is waited for.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

from zgcompute import rules
from zgcompute._funding_record import DAY, Move, Record
from zgcompute._private_files import locked
from zgcompute.addresses import checksum
from zgcompute.amounts import Neuron, exact
from zgcompute.broker import Broker
from zgcompute.errors import (
    ConfigurationError,
    Error,
    RpcRefused,
    RpcUnreachable,
    TransactionReverted,
    TransactionUncertain,
)
from zgcompute.types import WalletState

__all__ = ["AutoFunding", "Move"]

_LOGGER = logging.getLogger(__name__)
UNKNOWN_FOR = 600  # seconds that a move without a hash, cut off while it was sent, is waited for
_NOT_SENT = (TransactionReverted, RpcUnreachable, RpcRefused, ConfigurationError)


class AutoFunding:
    """Transfers to `provider` when less than `minimum` is free there, up to `target`.

    All amounts are neuron. `per_day` caps the transfers of any 24 hours, `per_move` each of them.
    `deposit_per_day` is what may be taken from the wallet into the ledger for it: nothing by
    default. `state` is a file (mode 0600) over which the caps outlive a restart. With `dry_run`
    moves are told, not made. `log` takes one sentence.
    """

    def __init__(
        self,
        broker: Broker,
        provider: str,
        *,
        minimum: int,
        target: int,
        per_day: int,
        per_move: int | None = None,
        deposit_per_day: int = 0,
        dry_run: bool = False,
        state: str | Path | None = None,
        log: Callable[[str], None] = _LOGGER.info,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Raises ConfigurationError for caps that make no sense, or without a signer."""
        self.provider = checksum(provider)
        self.minimum, self.target, self.per_day = minimum, target, per_day
        self.per_move = per_day if per_move is None else per_move
        self.deposit_per_day, self.dry_run = deposit_per_day, dry_run
        self._broker, self._log, self._clock = broker, log, clock
        self._file = None if state is None else Path(state)
        self._wallet = broker.required_signer().address
        self._checking = threading.Lock()
        self._kept: tuple[Move, ...] = ()
        self._require_sense()

    def check(self) -> Move | None:
        """Look at the chain and make the one move that is needed, if any; returns it.

        A deposit comes first where there is too little in the ledger; the next check transfers it.
        Raises RpcUnreachable where the chain cannot be read, ConfigurationError for a state file
        that cannot be, and like `LedgerAccess.transfer`. Nothing is moved then, but for
        TransactionUncertain: that move counts, and the next checks wait for its end.
        """
        with self._checking, self._one_process():
            record = self._record()
            if self._is_waiting(record):
                return None
            move = self._needed(record)
            if move is None or self.dry_run:
                if move is not None:
                    self._log(f"Would {move}.")
                return move
            return self._carry_out(move, record)

    def run(self, every: float = 60.0, stop: threading.Event | None = None) -> None:
        """Check every `every` seconds until `stop` is set; errors are told, and end nothing."""
        stop = stop or threading.Event()
        while not stop.is_set():
            if not self._checked_on():
                stop.wait(every)

    async def arun(self, every: float = 60.0) -> None:
        """As `run`, in an event loop, until it is cancelled; checks run in a thread of its own.

        A check may wait minutes for its move or for other checks: the loop's own threads stay free.
        """
        loop, own = asyncio.get_running_loop(), ThreadPoolExecutor(1, "auto-funding")
        try:
            while True:
                if not await loop.run_in_executor(own, self._checked_on):
                    await asyncio.sleep(every)
        finally:
            own.shutdown(wait=False, cancel_futures=True)

    def _checked_on(self) -> bool:
        """Check once; tell whether to go on at once, since a deposit waits to be transferred."""
        try:
            move = self.check()
        except (Error, OSError) as error:
            self._log(f"Not funded: {error} {getattr(error, 'advice', '')}".rstrip())
            return False
        return move is not None and move.kind == "deposit" and move.state == "done"

    def _needed(self, record: Record) -> Move | None:
        chain = self._broker.chain
        wallet = chain.wallets([self._wallet])[self._wallet]
        account = rules.sub_account_with(self.provider, wallet)
        free = account.free if account else Neuron(0)
        if free >= self.minimum:
            return None
        if account and account.pending_refund:
            self._log("Not funded: a refund is on its way home, and a transfer would cancel it.")
            return None
        allowed = self.per_day - record.spent("transfer", self.provider)
        amount = min(self.target - free, self.per_move, allowed)
        if amount <= 0:
            self._log(f"Not funded: {exact(self.per_day)} 0G were transferred within 24 hours.")
            return None
        return self._covered(Neuron(amount), wallet, record)

    def _covered(self, amount: Neuron, wallet: WalletState, record: Record) -> Move | None:
        """The transfer, or the deposit that it needs first."""
        available = rules.required_ledger(wallet).available
        if available >= amount:
            return self._move("transfer", amount)
        allowed = self.deposit_per_day - record.spent("deposit")
        deposit = min(amount - available, allowed)
        if deposit > 0:
            return self._move("deposit", Neuron(deposit))
        if available > 0:
            return self._move("transfer", available)
        self._log("Not funded: the ledger has nothing available, and no deposit is allowed.")
        return None

    def _move(self, kind: str, amount: Neuron) -> Move:
        state = "planned" if self.dry_run else "begun"
        return Move(kind, amount, self.provider, math.ceil(self._clock()), state)

    def _carry_out(self, move: Move, record: Record) -> Move:
        self._keep(record.with_move(move))  # counted first: a crash must not forget it
        self._log(f"Going to {move}.")
        ledger = self._broker.ledger
        try:
            receipt = (
                ledger.deposit(move.amount)
                if move.kind == "deposit"
                else ledger.transfer(self.provider, move.amount)
            )
        except TransactionUncertain as error:
            waiting = replace(move, transaction_hash=error.transaction_hash)
            self._keep(record.with_move(waiting))
            self._log(f"It is not known whether this ended: {move}. {error.advice}")
            raise
        except _NOT_SENT as error:
            self._keep(record)
            self._log(f"Refused, nothing moved: {move}. {error}")
            raise
        ended = math.ceil(self._clock())
        done = replace(move, state="done", at=ended, transaction_hash=receipt.hash)
        self._keep(record.with_move(done))
        self._log(f"Done, in {receipt.hash}: {move}.")
        return done

    def _is_waiting(self, record: Record) -> bool:
        """Look after moves whose end was unknown; tell whether one still is."""
        for move in record.open_moves(self.provider):
            if not move.transaction_hash:
                if move.at + UNKNOWN_FOR > self._clock():
                    self._log(f"Not funded: it is not known whether this was sent: {move}.")
                    return True
                continue
            receipt = self._broker.chain.receipt(move.transaction_hash)
            if receipt is None and not self._is_forgotten(move):
                self._log(f"Not funded: {move.transaction_hash} is not in a block yet.")
                return True
            record.settle(move, succeeded=receipt is not None and receipt.succeeded)
            self._keep(record)
        return False

    def _is_forgotten(self, move: Move) -> bool:
        """No node has known it for a day: it will not be mined any more."""
        chain, is_old = self._broker.chain, move.at + DAY < self._clock()
        return is_old and chain.transaction(move.transaction_hash) is None

    def _record(self) -> Record:
        network = self._broker.network.slug
        kept = self._kept if self._file is None else Record.read(self._file)
        return Record(network, self._wallet, kept, now=self._clock())

    def _keep(self, record: Record) -> None:
        if self._file is None:
            self._kept = record.moves
        else:
            record.write(self._file)

    @contextmanager
    def _one_process(self) -> Iterator[None]:
        with nullcontext() if self._file is None else locked(self._file):
            yield

    def _require_sense(self) -> None:
        amounts = (self.minimum, self.target, self.per_day, self.per_move)
        whole = all(isinstance(a, int) and not isinstance(a, bool) and a > 0 for a in amounts)
        if not whole or not isinstance(self.deposit_per_day, int) or self.deposit_per_day < 0:
            raise ConfigurationError(
                "The amounts of auto-funding are whole numbers of neuron above zero.",
                advice='Write them as amounts.parse("1.5").',
            )
        if self._file is not None and not self._file.parent.is_dir():
            raise ConfigurationError(
                f"There is no folder {self._file.parent} for the record of auto-funding.",
                advice="Make it, or name another file.",
            )
        if self.target < self.minimum:
            raise ConfigurationError(
                "The target of auto-funding is below its minimum.",
                advice="Choose a target that is at least the minimum.",
            )
