"""Long random walks over the contracts, compared after every step with a model in Python."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from devnet.deploy import LOCK_TIME
from devnet.node import NodeRefused
from tests.devnet.contract_chain import ALICE, AURORA, BOB, CUMULUS, ZG, ContractChain, fee

pytestmark = pytest.mark.chain

STEPS = 150
UNIT = ZG // 4


@dataclass
class SubAccount:
    """Free neuron, and the waiting refunds as [amount, created] from the oldest on."""

    free: int = 0
    waiting: list[list[int]] = field(default_factory=list)

    def balance(self) -> int:
        return self.free + sum(amount for amount, _ in self.waiting)

    def take_from_waiting(self, amount: int) -> None:
        while amount:
            part = min(amount, self.waiting[-1][0])
            self.waiting[-1][0] -= part
            amount -= part
            if self.waiting[-1][0] == 0:
                self.waiting.pop()


@dataclass
class Model:
    """One user's money as the documentation describes it."""

    available: int = 0
    subs: dict[str, SubAccount] = field(default_factory=dict)

    def total(self) -> int:
        return self.available + sum(sub.balance() for sub in self.subs.values())

    def deposit(self, amount: int) -> bool:
        if amount == 0 or (self.total() == 0 and not self.subs and amount < 3 * ZG):
            return False
        self.available += amount
        return True

    def transfer(self, provider: str, amount: int) -> bool:
        sub = self.subs.get(provider, SubAccount())
        cancelled = min(amount, sum(part for part, _ in sub.waiting))
        if self.available < amount - cancelled or (provider not in self.subs and amount < ZG):
            return False
        sub.take_from_waiting(cancelled)
        sub.free += amount
        self.available -= amount - cancelled
        self.subs[provider] = sub
        return True

    def retrieve(self, provider: str, now: int) -> bool:
        sub = self.subs.get(provider)
        if sub is None:
            return True
        kept = [part for part in sub.waiting if now < part[1] + LOCK_TIME]
        if sub.free and len(kept) == 5:
            return False
        self.available += sum(a for a, _ in sub.waiting) - sum(a for a, _ in kept)
        sub.waiting = kept + ([[sub.free, now]] if sub.free else [])
        sub.free = 0
        return True

    def charge(self, provider: str, amount: int) -> int:
        """Take a fee and return what remains unpaid."""
        sub = self.subs[provider]
        paid = min(amount, sub.balance())
        from_free = min(paid, sub.free)
        sub.free -= from_free
        sub.take_from_waiting(paid - from_free)
        return amount - paid

    def refund(self, amount: int) -> bool:
        rest = self.available - amount
        if rest < 0 or 0 < rest < 3 * ZG:
            return False
        self.available = rest
        if self.total() == 0:
            self.subs = {}
        return True


class Walk:
    """Takes a random step with the contracts and the model, and compares them."""

    def __init__(self, chain: ContractChain, seed: int) -> None:
        self.chain = chain
        self.dice = random.Random(seed)
        self.models = {ALICE: Model(), BOB: Model()}
        self.nonce = 0
        self.taken: set[str] = set()

    def step(self) -> None:
        user = self.dice.choice((ALICE, BOB))
        kinds = ["deposit", "transfer", "transfer", "retrieve", "retrieve", "settle", "refund"]
        kind = self.dice.choice(kinds)
        if self.models[user].total() == 0 and not self.models[user].subs:
            kind = "deposit"
        self.chain.later(self.dice.choice((1, 60, LOCK_TIME // 3)))
        getattr(self, kind)(user, self.models[user])
        self.compare(user)

    def deposit(self, user: str, model: Model) -> None:
        amount = self.dice.randrange(0, 40) * UNIT
        self.both(lambda: self.chain.deposit(user, amount), model.deposit(amount), "deposit")

    def transfer(self, user: str, model: Model) -> None:
        provider = self.dice.choice((AURORA, CUMULUS))
        amount = self.dice.randrange(0, 16) * UNIT
        allowed = model.transfer(provider, amount)
        self.both(lambda: self.chain.transfer(user, provider, amount), allowed, "transfer")

    def retrieve(self, user: str, model: Model) -> None:
        provider = self.dice.choice((AURORA, CUMULUS))
        now = self.chain.now() + 1
        self.chain.at(now)
        allowed = model.retrieve(provider, now)
        self.both(lambda: self.chain.retrieve(user, provider), allowed, "retrieve")

    def settle(self, user: str, model: Model) -> None:
        if AURORA not in model.subs:
            return
        self.nonce += 1
        amount = self.dice.randrange(0, 12) * UNIT
        owed = model.charge(AURORA, amount)
        result = self.chain.settle(fee(amount, self.nonce, user=user))[-1].values
        assert (result["status"], result["unsettledAmount"]) == (int(owed > 0), owed)
        self.taken.add("settle" if not owed else "settle in part")

    def refund(self, user: str, model: Model) -> None:
        amount = self.dice.choice((model.available, self.dice.randrange(0, 20) * UNIT))
        allowed = model.refund(amount)
        self.both(lambda: self.chain.ledger.send(user, "refund", amount), allowed, "refund")

    def both(self, act: object, allowed: bool, name: str) -> None:
        assert callable(act)
        try:
            act()
        except NodeRefused:
            assert not allowed, f"the contract refused a {name} that the rules allow"
        else:
            assert allowed, f"the contract allowed a {name} that the rules refuse"
        self.taken.add(name if allowed else f"refused {name}")

    def compare(self, user: str) -> None:
        model = self.models[user]
        if model.total() == 0 and not model.subs:
            return
        assert self.chain.ledger_of(user) == (model.available, model.total())
        for provider, sub in model.subs.items():
            account = self.chain.account(user, provider)
            active = account["refunds"][: account["validRefundsLength"]]
            assert [[r["amount"], r["createdAt"]] for r in active] == sub.waiting
            assert account["balance"] == sub.balance()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_random_walk_ends_where_the_documented_rules_say(chain: ContractChain, seed: int) -> None:
    walk = Walk(chain, seed)
    for _ in range(STEPS):
        walk.step()
    assert {"deposit", "transfer", "retrieve", "refund", "settle", "settle in part"} <= walk.taken
    assert {"refused transfer", "refused refund"} <= walk.taken
