"""`--auto-fund-...`: keeping a provider's sub-account filled while a server runs, if asked to."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

import click

from zgcompute.cli import keystore
from zgcompute.cli.folder import private_folder
from zgcompute.cli.gas import gas_price_option
from zgcompute.cli.output import note, og
from zgcompute.cli.spending import parse_amount

if TYPE_CHECKING:
    from zgcompute.broker import Broker
    from zgcompute.types import Address

FILE = "auto-funding.json"
EVERY = 60.0  # seconds between two looks at the chain
_OPTIONS = (
    ("minimum", "Transfer to a provider when less than this is free there."),
    ("target", "Fill its sub-account up to this."),
    ("per-day", "The most that goes to each provider within 24 hours."),
    ("deposit-per-day", "What may be taken from the wallet for it; otherwise nothing is."),
)
Task = Callable[[], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Funding:
    """What the options say, in neuron; nothing is moved unless all of the first three are given."""

    minimum: int | None
    target: int | None
    per_day: int | None
    deposit_per_day: int | None
    gas_price: int | None

    def tasks(self, broker: Broker, providers: Sequence[Address]) -> list[Task]:
        """What runs beside the server; raises ConfigurationError, and asks for the wallet's key."""
        from zgcompute.auto_funding import AutoFunding

        if not self._is_asked_for():
            return []
        assert self.minimum is not None
        assert self.target is not None
        assert self.per_day is not None
        broker.gas_price = self.gas_price
        if broker.signer is None:
            broker.signer = keystore.signer(keystore.required())
        state = private_folder() / FILE
        note(
            f"Auto-funding is on: up to {og(self.per_day)} a day to each provider, and up to "
            f"{og(self.deposit_per_day or 0)} a day from the wallet."
        )
        fundings = [
            AutoFunding(
                broker,
                provider,
                minimum=self.minimum,
                target=self.target,
                per_day=self.per_day,
                deposit_per_day=self.deposit_per_day or 0,
                state=state,
                log=note,
            )
            for provider in providers
        ]
        return [partial(funding.arun, EVERY) for funding in fundings]

    def _is_asked_for(self) -> bool:
        given = [self.minimum, self.target, self.per_day]
        if all(amount is None for amount in (*given, self.deposit_per_day)):
            if self.gas_price is not None:
                raise click.UsageError("--gas-price is for auto-funding, which is not asked for.")
            return False
        if any(amount is None for amount in given):
            raise click.UsageError(
                "Auto-funding needs --auto-fund-minimum, --auto-fund-target and "
                "--auto-fund-per-day together."
            )
        return True


def funding_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of auto-funding; it gets them together as `funding`."""

    @wraps(function)
    def command(*args: Any, **options: Any) -> None:
        names = [f"auto_fund_{name.replace('-', '_')}" for name, _ in _OPTIONS]
        amounts = [options.pop(name) for name in names]
        function(*args, funding=Funding(*(*amounts, options.pop("gas_price"))), **options)

    command = gas_price_option(command)
    for name, text in reversed(_OPTIONS):
        option = click.option(f"--auto-fund-{name}", metavar="0G", callback=parse_amount, help=text)
        command = option(command)
    return command
