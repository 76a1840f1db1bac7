"""Sending one transaction: what it is in plain words, the person's yes, the wait, the result."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from itertools import count
from typing import TYPE_CHECKING, Any

import click

from zgcompute.cli import keystore
from zgcompute.cli.confirming import require_confirmation, yes_option
from zgcompute.cli.gas import LONGEST_WAIT, Gas, gas_of, gas_options, send_raising
from zgcompute.cli.output import amount as in_json
from zgcompute.cli.output import note, note_record, og, say, say_json
from zgcompute.cli.place import Place, json_option, network_options

if TYPE_CHECKING:
    from zgcompute.broker import Broker
    from zgcompute.types import Address, Constants, Receipt, UnsignedCall, WalletState

TOLD_EVERY = 5.0  # seconds
_AS_THE_NODE_SAYS = Gas()


@dataclass(frozen=True, slots=True)
class Order:
    """One call, and what a person must know of it: `amount` neuron, notes, and facts for JSON."""

    title: str
    call: UnsignedCall
    done: str  # the title once it has happened
    amount: int = 0
    notes: tuple[str, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wallet:
    """The wallet of a command and its network; the key stays locked until something is signed."""

    broker: Broker
    source: keystore.Source
    yes: bool
    as_json: bool
    gas: Gas

    @property
    def address(self) -> Address:
        return self.source.address

    def state(self) -> WalletState:
        """The wallet's balance, ledger and sub-accounts now."""
        return self.broker.chain.wallets([self.address])[self.address]

    def constants(self) -> Constants:
        """The contracts' rules as the chain has them."""
        return self.broker.chain.constants()

    def unlocked(self) -> Broker:
        """The broker with the wallet's signer."""
        if self.broker.signer is None:
            self.broker.signer = keystore.signer(self.source)
        return self.broker

    def carry_out(self, order: Order) -> None:
        """Describe `order`, ask, send it, wait, and report; raises the contract's refusal."""
        self.report(order, self.send(order))

    def send(self, order: Order) -> Receipt:
        """Describe `order`, ask, send it and wait; raises the contract's refusal."""
        chain, price = self.broker.chain, self.gas.most or self.gas.price
        fee = chain.estimate_fee(order.call, self.address, gas_price=price)
        _describe(order, self, fee)
        self._require_funds(order.call.value + fee)
        require_confirmation("Send it?", self.yes)
        signer = self.unlocked().required_signer()
        if self.gas.is_raised:
            with progress("Waiting until it is mined …"):
                return send_raising(chain, order.call, signer, self.gas)
        transaction_hash = chain.send(order.call, signer, gas_price=self.gas.price)
        note(f"Sent as {transaction_hash}")
        with progress("Waiting until it is mined …"):
            return chain.wait(transaction_hash, LONGEST_WAIT)

    def report(self, order: Order, receipt: Receipt) -> None:
        """Say what has happened."""
        network = self.broker.network
        url = network.transaction_url(receipt.hash)
        if self.as_json:
            sent = {
                "network": network.slug,
                "function": order.call.function,
                "amount": in_json(order.amount),
                "hash": receipt.hash,
                "url": url,
                "block_number": receipt.block_number,
                "network_fee": in_json(receipt.network_fee),
            }
            say_json({**sent, **order.facts})
            return
        say(order.done)
        note(f"Mined in block {receipt.block_number}; network fee {og(receipt.network_fee)}")
        if url:
            note(url)

    def _require_funds(self, needed: int) -> None:
        from zgcompute.errors import InsufficientBalance

        held = self.broker.chain.balance(self.address)
        if held < needed:
            raise InsufficientBalance(
                f"The wallet holds {og(held)}; with the network fee this may take {og(needed)}.",
                advice="Send 0G to the wallet first.",
            )


def wallet_command(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the network and gas options, --yes and --json; it gets a Wallet first."""

    @wraps(function)
    def command(
        place: Place,
        yes: bool,
        as_json: bool,
        gas_price: int | None,
        max_gas_price: int | None,
        step: int,
        **others: Any,
    ) -> None:
        gas = gas_of(gas_price, max_gas_price, step)
        with opened(place, yes=yes, as_json=as_json, gas=gas) as wallet:
            function(wallet, **others)

    return network_options(gas_options(yes_option(json_option(command))))


@contextmanager
def opened(
    place: Place, *, yes: bool = False, as_json: bool = False, gas: Gas = _AS_THE_NODE_SAYS
) -> Iterator[Wallet]:
    """The wallet of the key that there is, on the network of `place`."""
    source = keystore.required()
    with place.broker() as broker:
        yield Wallet(broker, source, yes, as_json, gas)


@contextmanager
def progress(text: str, every: float = TOLD_EVERY) -> Iterator[None]:
    """Say `text` on standard error, and how long it takes, until the block ends."""
    ended = threading.Event()

    def tell() -> None:
        for number in count(1):
            if ended.wait(every):
                return
            note(f"{text} {number * every:g} s")

    note(text)
    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()


def parse_amount(context: click.Context, option: click.Parameter, text: str | None) -> int | None:
    """Read an amount of 0G above zero, exactly; raises AmountError."""
    from zgcompute.amounts import parse
    from zgcompute.errors import AmountError

    if text is None:
        return None
    neuron = parse(text)
    if not neuron:
        raise AmountError("The amount must be above zero.", advice="Choose another amount.")
    return neuron


amount_option = click.option(
    "-a",
    "--amount",
    required=True,
    metavar="0G",
    callback=parse_amount,
    help="How much, in 0G, such as 1.5.",
)


def _describe(order: Order, wallet: Wallet, fee: int) -> None:
    from zgcompute.amounts import short

    network, call = wallet.broker.network, order.call
    about = "at most" if wallet.gas.is_raised else "about"
    note(order.title)
    note_record(
        (
            ("Amount", og(order.amount) if order.amount else ""),
            ("Wallet", wallet.address),
            ("Contract", f"{call.to} ({call.function})"),
            ("Network", f"{network.name} ({network.slug}, chain {network.chain_id})"),
            ("Network fee", f"{about} {short(fee, round_up=True)} 0G"),
        )
    )
    for sentence in order.notes:
        note(sentence)
