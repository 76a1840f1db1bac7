"""Auto-funding moves what it may, when it must, and never more: whatever happens around it."""

from __future__ import annotations

import asyncio
import json
import random
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from zgcompute._private_files import locked
from zgcompute.amounts import parse
from zgcompute.auto_funding import UNKNOWN_FOR, AutoFunding, Move
from zgcompute.broker import Broker
from zgcompute.errors import (
    BelowMinimum,
    ConfigurationError,
    Error,
    LedgerMissing,
    RpcUnreachable,
    TransactionUncertain,
)
from zgcompute.networks import DEVNET
from zgcompute.signers import LocalSigner
from zgcompute.testing import FakeChain, FakeProvider, fake_service
from zgcompute.types import UnsignedCall

ALICE = LocalSigner("11" * 32)
DAY = 86_400


class Stage:
    """Alice with 20 0G in her ledger and 2 0G at Aurora, a clock, and all that is told."""

    def __init__(self, **options: Any) -> None:
        self.chain = FakeChain()
        self.chain.endow(ALICE.address, parse("1000"))
        self.service = self.chain.register(fake_service())
        self.aurora = self.service.provider
        self.provider = FakeProvider(self.service)
        self.broker = Broker(
            DEVNET, signer=ALICE, chain=self.chain, connect=lambda service: self.provider
        )
        self.broker.ledger.deposit(parse("22"))
        self.broker.ledger.transfer(self.aurora, parse("2"))
        self.now = 1_750_000_000.0
        self.told: list[str] = []
        self.funding = self.made(**options)

    def made(self, **options: Any) -> AutoFunding:
        wanted: dict[str, Any] = {
            "minimum": parse("1.5"),
            "target": parse("3"),
            "per_day": parse("4"),
            "log": self.told.append,
            "clock": lambda: self.now,
        }
        return AutoFunding(self.broker, self.aurora, **wanted | options)

    def spend(self, amount: str) -> None:
        self.chain.settle(ALICE.address, self.aurora, parse(amount))

    @property
    def locked(self) -> str:
        return self.broker.ledger.sub_account(self.aurora).balance.og

    @property
    def available(self) -> str:
        return self.broker.ledger.get().available.og


def test_nothing_is_moved_while_enough_is_locked() -> None:
    stage = Stage()
    assert stage.funding.check() is None
    assert (stage.locked, stage.told) == ("2", [])


def test_less_than_the_minimum_is_filled_up_to_the_target() -> None:
    stage = Stage()
    stage.spend("1")
    move = stage.funding.check()
    assert isinstance(move, Move)
    assert (move.kind, move.amount.og, move.state) == ("transfer", "2", "done")
    assert stage.chain.receipt(move.transaction_hash) is not None
    assert (stage.locked, stage.available) == ("3", "18")
    assert stage.told == [
        f"Going to transfer 2 0G of the ledger to {stage.aurora}.",
        f"Done, in {move.transaction_hash}: transfer 2 0G of the ledger to {stage.aurora}.",
    ]


def test_reading_and_asking_never_move_anything() -> None:
    stage = Stage()
    stage.spend("1.9")
    before = stage.chain.block_number()
    broker = stage.broker
    broker.services.list()
    broker.ledger.get()
    broker.inference.session(stage.aurora)
    broker.inference.chat(stage.aurora, [{"role": "user", "content": "Hello"}])
    broker.inference.unsettled_fee(stage.aurora)
    assert stage.chain.block_number() == before


def test_what_a_provider_claims_to_be_owed_moves_nothing() -> None:
    stage = Stage()
    stage.provider.unsettled = parse("30")
    assert stage.funding.check() is None


def test_the_cap_of_a_day_holds_and_opens_again() -> None:
    stage = Stage(per_move=parse("3"))
    stage.spend("2")
    assert stage.funding.check().amount.og == "3"  # type: ignore[union-attr]
    stage.spend("3")
    assert stage.funding.check().amount.og == "1"  # type: ignore[union-attr]
    assert stage.funding.check() is None
    assert stage.told[-1] == "Not funded: 4 0G were transferred within 24 hours."
    stage.now += DAY - 1
    assert stage.funding.check() is None
    stage.now += 2
    assert stage.funding.check().amount.og == "2"  # type: ignore[union-attr]


def test_a_dry_run_tells_and_moves_nothing() -> None:
    stage = Stage(dry_run=True)
    stage.spend("1")
    before = stage.chain.block_number()
    for _ in range(3):
        move = stage.funding.check()
        assert move is not None
        assert (move.amount.og, move.state) == ("2", "planned")
    assert stage.told == [f"Would transfer 2 0G of the ledger to {stage.aurora}."] * 3
    assert stage.chain.block_number() == before


def test_a_failed_read_moves_nothing() -> None:
    stage = Stage()
    stage.spend("2")
    before = stage.chain.block_number()
    stage.chain.down = True
    with pytest.raises(RpcUnreachable):
        stage.funding.check()
    stage.chain.down = False
    assert (stage.chain.block_number(), stage.told) == (before, [])


def test_the_wallet_is_left_alone_unless_it_is_allowed() -> None:
    stage = Stage()
    stage.broker.ledger.refund(parse("20"))
    stage.spend("2")
    assert stage.funding.check() is None
    assert stage.told[-1].endswith("the ledger has nothing available, and no deposit is allowed.")


def test_an_allowed_deposit_comes_first_and_has_a_cap_of_its_own() -> None:
    stage = Stage(deposit_per_day=parse("2.5"))
    stage.broker.ledger.refund(parse("20"))
    stage.spend("2")
    kinds = [(move.kind, move.amount.og) for _ in range(2) if (move := stage.funding.check())]
    assert kinds == [("deposit", "2.5"), ("transfer", "2.5")]
    stage.spend("2.5")
    assert stage.funding.check() is None


def test_a_refund_on_its_way_home_is_not_cancelled() -> None:
    stage = Stage()
    stage.broker.ledger.retrieve()
    assert stage.funding.check() is None
    assert "refund is on its way home" in stage.told[-1]
    assert stage.broker.ledger.sub_account(stage.aurora).pending_refund == parse("2")


def test_what_the_contract_would_refuse_is_refused_and_does_not_count() -> None:
    stage = Stage(target=parse("1.5"), minimum=parse("1"), per_move=parse("0.5"))
    stage.broker.ledger.deposit(parse("1"))
    stranger = stage.chain.register(fake_service(provider="0x" + "44" * 20))
    funding = AutoFunding(
        stage.broker,
        stranger.provider,
        minimum=1,
        target=parse("0.5"),
        per_day=parse("1"),
        log=stage.told.append,
    )
    for _ in range(3):
        with pytest.raises(BelowMinimum):
            funding.check()
    assert stage.told[-1].startswith("Refused, nothing moved: transfer 0.5 0G")


def test_without_a_ledger_the_first_deposit_is_a_persons() -> None:
    stage = Stage()
    bob = LocalSigner("22" * 32)
    broker = Broker(DEVNET, signer=bob, chain=stage.chain)
    with pytest.raises(LedgerMissing):
        AutoFunding(broker, stage.aurora, minimum=1, target=1, per_day=1).check()


def lose_replies(stage: Stage, *, mined: bool) -> None:
    """From now on transactions are sent, or lost, and nobody says which."""

    def send(call: UnsignedCall, signer: Any, **gas: Any) -> str:
        sent = stage.chain.submit(call, signer.address)
        if mined:
            stage.chain.mine()
        raise TransactionUncertain("The connection broke.", transaction_hash=sent)

    stage.chain.send = send  # type: ignore[method-assign]


def test_a_move_whose_end_is_unknown_is_waited_for_and_not_made_twice() -> None:
    stage = Stage()
    stage.spend("1")
    lose_replies(stage, mined=False)
    with pytest.raises(TransactionUncertain):
        stage.funding.check()
    assert stage.funding.check() is None
    assert stage.told[-1].endswith("is not in a block yet.")
    stage.chain.mine()
    assert stage.funding.check() is None
    assert (stage.locked, stage.available) == ("3", "18")


def test_a_lost_move_is_given_up_after_a_day() -> None:
    stage = Stage()
    stage.spend("1")
    lose_replies(stage, mined=False)
    with pytest.raises(TransactionUncertain) as lost:
        stage.funding.check()
    stage.chain.drop(lost.value.transaction_hash)
    stage.now += DAY - 10
    assert stage.funding.check() is None
    stage.now += 20
    del stage.chain.send
    assert stage.funding.check() is not None
    assert stage.locked == "3"


def test_the_cap_outlives_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "funding.json"
    stage = Stage(state=file)
    stage.spend("2")
    assert stage.funding.check() is not None
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    stage.spend("3")
    again = stage.made(state=file)
    assert again.check().amount.og == "1"  # type: ignore[union-attr]
    assert stage.made(state=file).check() is None
    assert stage.made().check() is not None  # without the file nobody remembers


def test_a_crash_while_sending_counts_and_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "funding.json"
    stage = Stage(state=file)
    stage.spend("2")

    def crash(call: UnsignedCall, signer: Any, **gas: Any) -> str:
        stage.chain.apply(call, signer.address)
        raise KeyboardInterrupt

    stage.chain.send = crash  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        stage.funding.check()
    del stage.chain.send
    stage.spend("3")
    again = stage.made(state=file)
    assert again.check() is None
    assert "not known whether this was sent" in stage.told[-1]
    stage.now += UNKNOWN_FOR + 1
    assert again.check().amount.og == "1"  # type: ignore[union-attr]


def test_a_damaged_record_moves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "funding.json"
    stage = Stage(state=file)
    stage.spend("2")
    entry = {"kind": "transfer", "amount": "1", "provider": stage.aurora, "at": 1}
    for content in (
        "[]",
        "{}",
        '{"format":"zgcompute-auto-funding/1","moves":[{}]}',
        json.dumps(
            {
                "format": "zgcompute-auto-funding/1",
                "moves": [{**entry, "state": "odd", "transaction_hash": ""}],
            }
        ),
    ):
        file.write_text(content)
        with pytest.raises(ConfigurationError):
            stage.funding.check()
    assert stage.told == []


@pytest.mark.parametrize(
    "options",
    [
        {"per_day": 0},
        {"minimum": -1},
        {"target": 1},
        {"per_move": 0.5},
        {"deposit_per_day": -1},
        {"minimum": True},
        {"state": "/nowhere/at/all.json"},
    ],
)
def test_caps_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        Stage(**options)


def test_it_runs_until_it_is_stopped_and_outlives_errors() -> None:
    stage, stop = Stage(), threading.Event()
    stage.spend("1")
    stage.chain.down = True

    def heal(sentence: str) -> None:
        stage.told.append(sentence)
        if sentence.startswith("Not funded"):
            stage.chain.down = False
        if sentence.startswith("Done"):
            stop.set()

    stage.made(log=heal).run(every=0, stop=stop)
    assert stage.locked == "3"
    assert stage.told[0].startswith("Not funded: No RPC node of Devnet answers.")


def test_it_runs_in_an_event_loop_until_it_is_cancelled() -> None:
    stage = Stage(deposit_per_day=parse("9"))
    stage.broker.ledger.refund(parse("20"))
    stage.spend("1")

    async def run() -> None:
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def watch(sentence: str) -> None:
            stage.told.append(sentence)
            if sentence.startswith("Done") and "transfer" in sentence:
                loop.call_soon_threadsafe(done.set)

        task = asyncio.create_task(stage.made(log=watch, deposit_per_day=parse("9")).arun(3600))
        await done.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert stage.locked == "3"


def test_checks_that_wait_for_each_other_leave_the_loops_threads_free(tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    waiting = [Stage(state=record).funding for _ in range(8)]

    async def run() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        with locked(record):
            tasks = [asyncio.create_task(funding.arun(3600)) for funding in waiting]
            async with asyncio.timeout(30):
                for _ in range(3):
                    assert await asyncio.to_thread(int) == 0
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(run())


class Ledger:
    """Every move that really reached the chain, with its time."""

    def __init__(self, stage: Stage, luck: random.Random) -> None:
        self.stage, self.luck = stage, luck
        self.moved: list[tuple[str, int, float]] = []

    def send(self, call: UnsignedCall, signer: Any, **gas: Any) -> str:
        fate = self.luck.random()
        if fate < 0.15:
            raise RpcUnreachable("Nobody answers.")
        sent = self.stage.chain.apply(call, signer.address)
        amount = call.value or call.arguments.get("amount", 0)
        self.moved.append((call.function, amount, self.stage.now))
        self.stage.now += self.luck.choice([0, 0, 1, 90])
        if fate < 0.3:
            raise TransactionUncertain("The connection broke.", transaction_hash=sent)
        if fate < 0.4:
            raise KeyboardInterrupt
        return sent

    def most_in_a_day(self, function: str) -> int:
        found = [(at, amount) for kind, amount, at in self.moved if kind == function]
        return max((sum(a for t, a in found if at <= t < at + DAY) for at, _ in found), default=0)


@pytest.mark.parametrize("seed", range(40))
def test_no_sequence_of_events_breaks_a_cap(seed: int, tmp_path: Path) -> None:
    luck = random.Random(seed)
    stage = Stage()
    caps = {"per_day": parse("4"), "per_move": parse("1.7"), "deposit_per_day": parse("1.2")}
    options = {**caps, "state": tmp_path / "funding.json"}
    funding, ledger = stage.made(**options), Ledger(stage, luck)

    def by_the_person(act: Any) -> None:
        with suppress(Error):
            act()

    chain, person = stage.chain, stage.broker.ledger
    events: list[Any] = [
        lambda: stage.spend(luck.choice(["0.3", "1", "3"])),
        lambda: by_the_person(lambda: person.retrieve()),
        lambda: by_the_person(lambda: person.refund(person.get().available)),
        lambda: by_the_person(lambda: person.transfer(stage.aurora, parse("0.4"))),
        lambda: chain.advance(luck.choice([60, DAY])),
        lambda: setattr(chain, "down", luck.random() < 0.2),
        lambda: setattr(stage.provider, "unsettled", parse("30")),
    ]
    for _ in range(80):
        luck.choice(events)()
        stage.now += luck.choice([1, 60, UNKNOWN_FOR, 7 * 3600])
        if luck.random() < 0.2:
            funding = stage.made(**options)
        chain.send = ledger.send  # type: ignore[method-assign]
        with suppress(Error, KeyboardInterrupt):
            funding.check()
        del chain.send
        chain.down = False
    assert ledger.moved
    assert ledger.most_in_a_day("transferFund") <= caps["per_day"]
    assert ledger.most_in_a_day("depositFund") <= caps["deposit_per_day"]
    assert all(a <= caps["per_move"] for kind, a, _ in ledger.moved if kind == "transferFund")
