"""The price of a transaction's gas: as the node says, as one wants, or raised until it is mined."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from zgcompute.cli.output import note

if TYPE_CHECKING:
    from zgcompute.chain import Chain
    from zgcompute.errors import TransactionUncertain
    from zgcompute.signers import Signer
    from zgcompute.types import Receipt, UnsignedCall

LONGEST_WAIT = 300.0  # seconds until it is mined, as in the official client
RAISED_AFTER = 30.0  # seconds without being mined
_LOOK = 0.5  # seconds between looks
_LOWEST_STEP, DEFAULT_STEP = 11, 11  # tenths; nodes replace a transaction for a tenth more
_PRICE = click.IntRange(1, 10**24)
gas_price_option = click.option(
    "--gas-price",
    type=_PRICE,
    metavar="N",
    help="Neuron for a unit of gas; otherwise as the node says.",
)


@dataclass(frozen=True, slots=True)
class Gas:
    """What the options say: neuron for a unit of gas, and tenths of the price for each raise."""

    price: int | None = None
    most: int | None = None
    step: int = DEFAULT_STEP

    @property
    def is_raised(self) -> bool:
        """Whether a transaction that is not mined is sent again at a higher price."""
        return self.most is not None

    def prices(self, chain: Chain) -> Iterator[int]:
        """The prices to try, one after the other, up to the maximum."""
        assert self.most is not None  # is_raised
        price = min(self.price or chain.gas_price(), self.most)
        while price < self.most:
            yield price
            price = min(-(-price * self.step // 10), self.most)
        yield self.most


def gas_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options about gas; it gets gas_price, max_gas_price and step."""
    for option in (
        click.option(
            "--step",
            type=click.IntRange(_LOWEST_STEP, 1000),
            default=DEFAULT_STEP,
            show_default=True,
            metavar="N",
            help="Each raise, in tenths of the price before.",
        ),
        click.option(
            "--max-gas-price",
            type=_PRICE,
            metavar="N",
            help="Raise the price up to this until it is mined.",
        ),
        gas_price_option,
    ):
        function = option(function)
    return function


def gas_of(gas_price: int | None, max_gas_price: int | None, step: int) -> Gas:
    """The options together; raises UsageError where they contradict each other."""
    if gas_price and max_gas_price and gas_price > max_gas_price:
        raise click.UsageError("--gas-price is above --max-gas-price.")
    return Gas(gas_price, max_gas_price, step)


def send_raising(chain: Chain, call: UnsignedCall, signer: Signer, gas: Gas) -> Receipt:
    """Send `call`, and in its place the same at higher prices, until one is mined; its receipt.

    All have one nonce: only one of them can ever be mined. Raises what the chain and the contract
    raise, TransactionUncertain where none is mined at the maximum within LONGEST_WAIT.
    """
    from zgcompute.errors import ChainError, TransactionUncertain

    nonce = chain.next_nonce(signer.address)
    hashes: list[str] = []
    for price in gas.prices(chain):
        try:
            hashes.append(chain.send(call, signer, gas_price=price, nonce=nonce))
        except TransactionUncertain as error:  # its reply was lost: wait for it like the others
            hashes.append(error.transaction_hash)
        except ChainError as error:  # perhaps the one before was mined just now
            if not hashes:
                raise
            if (receipt := first_mined(chain, hashes, _LOOK)) is not None:
                return receipt
            raise _uncertain(str(error), hashes) from error
        note(f"Sent as {hashes[-1]}, {price} neuron for a unit of gas")
        patience = LONGEST_WAIT if price == gas.most else RAISED_AFTER
        if (receipt := first_mined(chain, hashes, patience)) is not None:
            return receipt
    raise _uncertain("The transaction was not mined.", hashes)


def first_mined(chain: Chain, hashes: Sequence[str], longest: float) -> Receipt | None:
    """Wait, whatever nodes refuse, until one of `hashes` is mined; None after `longest` seconds.

    Raises TransactionReverted with the reason where the mined one failed.
    """
    from zgcompute.errors import RpcRefused, RpcUnreachable, TransactionUncertain, WrongNetwork

    deadline = time.monotonic() + longest
    while True:
        with suppress(RpcUnreachable, RpcRefused, WrongNetwork, TransactionUncertain):
            for found in chain.receipts(hashes).values():
                if found is not None:
                    return chain.wait(found.hash, timeout=0)
        if time.monotonic() >= deadline:
            return None
        time.sleep(_LOOK)


def _uncertain(message: str, hashes: Sequence[str]) -> TransactionUncertain:
    from zgcompute.errors import TransactionUncertain

    sent = f"It was sent as {hashes[-1]}"
    if hashes[:-1]:
        sent += f", before that at lower prices as {', '.join(hashes[:-1])}"
    advice = f"{sent}; one may still be mined: look it up before you send it again."
    return TransactionUncertain(message, advice=advice, transaction_hash=hashes[-1])
