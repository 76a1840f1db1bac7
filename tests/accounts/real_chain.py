"""The contracts on a real node, moved at random as users, providers and time would move them."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC

from django.utils import timezone

from accounts import refresh
from accounts.models import Ledger, Refund, SubAccount, Transaction, Wallet
from devnet.anvil import Anvil
from devnet.deploy import STAKE, deploy
from devnet.node import Node, NodeRefused
from tests.accounts import books
from tests.devnet.conftest import find_free_port
from tests.devnet.contract_chain import (
    ALICE,
    AURORA,
    BOB,
    CUMULUS,
    HOUR,
    LOCK,
    MALLORY,
    NAME,
    OTHER_KEY,
    OWNER,
    TEE_KEY,
    ZG,
    Contract,
    ContractChain,
    fee,
    service,
)
from zgcompute._chain import RpcChain
from zgcompute.networks import DEVNET, Network

USERS, PROVIDERS = (ALICE, BOB), (AURORA, CUMULUS)


@contextmanager
def running_node() -> Iterator[Node]:
    """A node with the contracts and two acknowledged services."""
    with Anvil(find_free_port()) as anvil:
        deploy(anvil.rpc_url)
        chain = ContractChain(anvil.node)
        for provider in PROVIDERS:
            chain.serving.send(provider, "addOrUpdateService", service(), value=STAKE)
            chain.serving.send(OWNER, "acknowledgeTEESignerByOwner", provider)
        yield anvil.node


def network_of(node: Node) -> Network:
    return replace(DEVNET, rpc_urls=(node.url,))


@dataclass
class Life:
    """Two users, two providers and what happens to them, by the dice of `seed`."""

    node: Node
    chain: RpcChain
    seed: int
    story: list[str] = field(default_factory=list)
    taken: dict[tuple[str, str], int] = field(default_factory=dict)
    brought: dict[str, int] = field(default_factory=dict)  # into the ledger, less what went out

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.contracts = ContractChain(self.node)
        self.wallets = [Wallet.objects.signed_in(user) for user in USERS]
        self._nonces = itertools.count(1)

    def step(self) -> None:
        """Let something happen; what the contracts refuse has not happened."""
        deeds: list[tuple[Callable[[], None], int]] = [
            (self.deposit, 4),
            (self.deposit_for, 1),
            (self.transfer, 5),
            (self.retrieve, 4),
            (self.withdraw, 3),
            (self.withdraw_all, 1),
            (self.acknowledge, 1),
            (self.settle, 6),
            (self.settle_badly, 1),
            (self.wait, 3),
        ]
        (deed,) = self.dice.choices([d for d, _ in deeds], [weight for _, weight in deeds])
        try:
            deed()
        except NodeRefused as refusal:
            self.story.append(f"  refused: {refusal}")

    def deposit(self) -> None:
        user, amount = self._user(), self._amount(12 * ZG)
        self._send(user, self.contracts.ledger, "depositFund", value=amount)
        self._bring(user, amount)

    def deposit_for(self) -> None:
        user, amount = self._user(), self._amount(6 * ZG)
        ledger = self.contracts.ledger
        self._send(MALLORY, ledger, "depositFundFor", user, value=amount)
        self._bring(user, amount)

    def transfer(self) -> None:
        user, provider, amount = self._user(), self._provider(), self._amount(5 * ZG)
        call = ("transferFund", provider, NAME, amount)
        self._send(user, self.contracts.ledger, *call, provider=provider, amount=amount)

    def retrieve(self) -> None:
        user, providers = self._user(), self.dice.choice([(AURORA,), (CUMULUS,), PROVIDERS])
        provider = providers[0] if len(providers) == 1 else ""
        call = ("retrieveFund", providers, NAME)
        self._send(user, self.contracts.ledger, *call, provider=provider)

    def withdraw(self) -> None:
        user, amount = self._user(), self._amount(6 * ZG)
        self._withdraw(user, amount)

    def withdraw_all(self) -> None:
        user = self._user()
        self._withdraw(user, self.contracts.ledger_of(user)[0])

    def acknowledge(self) -> None:
        user, provider, yes = self._user(), self._provider(), self.dice.random() < 0.7
        self._send(user, self.contracts.serving, "acknowledgeTEESigner", provider, yes)

    def settle(self) -> None:
        """Something between a small fee and more than there is; refunds are eaten on the way."""
        provider = self._provider()
        users = self.dice.choice([(ALICE,), (BOB,), USERS])
        self._settle(provider, *[(user, self._fee(user, provider), TEE_KEY) for user in users])

    def settle_badly(self) -> None:
        provider, user = self._provider(), self._user()
        if self.dice.random() < 0.5:
            self._settle(provider, (user, ZG // 10, OTHER_KEY))
        else:
            items = [fee(ZG // 10, 0, user=user, provider=provider)]  # a nonce that was used
            self.contracts.settle(*items, sender=provider)
            self.story.append(f"{provider} settles with an old nonce")

    def wait(self) -> None:
        seconds = self.dice.choice([HOUR, LOCK // 2, LOCK + 1])
        self.contracts.later(seconds)
        self.story.append(f"{seconds} seconds pass")

    def mirror(self) -> None:
        refresh.mirror(self.chain, self.chain.network, self.wallets)

    def require_mirrored(self) -> None:
        """Assert that mirror and history are the chain's to the neuron."""
        for wallet in self.wallets:
            assert _mirrored(wallet) == self._on_chain(wallet.address), self.told
            books.require_balance(wallet)

    @property
    def told(self) -> str:
        return "\n".join([f"seed {self.seed}", *self.story])

    def _on_chain(self, user: str) -> tuple[object, ...]:
        try:
            ledger = self.contracts.ledger_of(user)
        except NodeRefused:
            ledger = (0, 0)
        accounts = self.contracts.serving.read("getAccountsByUser", user, 0, 50)[0]
        return ledger, {
            account["provider"]: (
                account["balance"],
                account["pendingRefund"],
                [
                    (refund["amount"], refund["createdAt"])
                    for refund in account["refunds"][: account["validRefundsLength"]]
                ],
            )
            for account in accounts
        }

    def _withdraw(self, user: str, amount: int) -> None:
        self._send(user, self.contracts.ledger, "refund", amount, amount=amount)
        self._bring(user, -amount)

    def _settle(self, provider: str, *items: tuple[str, int, str]) -> None:
        signed = [
            fee(amount, next(self._nonces), user=user, provider=provider, key=key)
            for user, amount, key in items
        ]
        events = self.contracts.settle(*signed, sender=provider)
        self.story.append(f"{provider} settles {[item[:2] for item in items]}")
        for event in events:
            if event.name == "FundSpent":
                pair = (event.values["user"], provider)
                self.taken[pair] = self.taken.get(pair, 0) + event.values["amount"]

    def _fee(self, user: str, provider: str) -> int:
        try:
            account = self.contracts.account(user, provider)
        except NodeRefused:
            return ZG // 100
        balance, pending = account["balance"], account["pendingRefund"]
        free = balance - pending
        return self.dice.choice(
            [
                self._amount(max(2, balance)),
                self._amount(max(2, free)),
                free + max(1, pending // 3),  # eats refunds
                balance,
                balance + 1 + self._amount(ZG),  # more than there is
            ]
        )

    def _send(
        self,
        user: str,
        contract: Contract,
        function: str,
        *arguments: object,
        value: int = 0,
        provider: str = "",
        amount: int = 0,
    ) -> None:
        self.story.append(f"{user} {function} {arguments} value {value}")
        calldata = contract.interface.encode(function, *arguments)
        receipt = self.node.send(user, contract.address, calldata, value)
        if user in USERS and self.dice.random() < 0.5:
            self.story.append("  followed")
            self._follow(user, function, receipt, value, provider, amount)

    def _follow(
        self,
        user: str,
        function: str,
        receipt: dict[str, str],
        value: int,
        provider: str,
        amount: int,
    ) -> None:
        Transaction.objects.create(
            wallet=Wallet.objects.get(address=user),
            network="devnet",
            function=function,
            provider=provider,
            amount=amount,
            value=value,
            to=DEVNET.ledger,
            data="0x",
            state=Transaction.State.CONFIRMED,
            hash=receipt["transactionHash"],
            block_number=int(receipt["blockNumber"], 16),
            block_hash=receipt["blockHash"],
            submitted_at=timezone.now(),
        )

    def _bring(self, user: str, amount: int) -> None:
        self.brought[user] = self.brought.get(user, 0) + amount

    def _user(self) -> str:
        return self.dice.choice(USERS)

    def _provider(self) -> str:
        return self.dice.choice(PROVIDERS)

    def _amount(self, most: int) -> int:
        """Round, odd or tiny."""
        return self.dice.choice(
            [
                max(1, self.dice.randint(1, max(1, most // ZG)) * ZG),
                self.dice.randint(1, most),
                self.dice.randint(1, 1000),
            ]
        )


def _mirrored(wallet: Wallet) -> tuple[object, ...]:
    ledger = Ledger.objects.get(wallet=wallet)
    return (ledger.available, ledger.total), {
        account.provider: (account.balance, account.pending_refund, _refunds(account))
        for account in SubAccount.objects.filter(wallet=wallet)
    }


def _refunds(account: SubAccount) -> list[tuple[int, int]]:
    rows = Refund.objects.filter(sub_account=account).order_by("index")
    return [(int(row.amount), int(row.created_at.astimezone(UTC).timestamp())) for row in rows]
