"""Where errors of the SDK become words on standard error and an exit status: the one such place."""

from __future__ import annotations

from typing import IO, Any

import click

from zgcompute.cli.output import without_keys
from zgcompute.errors import (
    AmountError,
    ConfigurationError,
    Error,
    InvalidAddress,
    InvalidBody,
    InvalidToken,
    ProviderRefused,
    ProviderTimeout,
    ProviderUnreachable,
    RpcRefused,
    RpcUnreachable,
    TransactionReverted,
    TransactionUncertain,
    UnknownNetwork,
    VerificationError,
)

OK, FAILED, USAGE, REFUSED, UNREACHABLE, NOT_VERIFIED = range(6)
_STATUS: tuple[tuple[tuple[type[Error], ...], int], ...] = (
    ((VerificationError,), NOT_VERIFIED),
    ((RpcUnreachable, TransactionUncertain, ProviderUnreachable, ProviderTimeout), UNREACHABLE),
    ((ProviderRefused, TransactionReverted, RpcRefused), REFUSED),
    (
        (
            AmountError,
            ConfigurationError,
            InvalidAddress,
            InvalidBody,
            InvalidToken,
            UnknownNetwork,
        ),
        USAGE,
    ),
)


def status_of(error: Error) -> int:
    """The exit status for `error`."""
    return next((status for kinds, status in _STATUS if isinstance(error, kinds)), FAILED)


class Failure(click.ClickException):
    """An error on its way out: one sentence, its remedy, and the exit status."""

    def __init__(self, message: str, advice: str = "", status: int = FAILED) -> None:
        super().__init__(without_keys(message))
        self.advice = without_keys(advice)
        self.exit_code = status  # type: ignore[misc]  # click reads it from the instance

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"Error: {self.message}", err=True)
        if self.advice:
            click.echo(self.advice, err=True)


class Commands(click.Group):
    """A group that knows short names for its commands and reports what they raise."""

    def __init__(self, *args: Any, aliases: dict[str, str] | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self._aliases = aliases or {}

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, self._aliases.get(cmd_name, cmd_name))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Error as error:
            raise Failure(str(error), error.advice, status_of(error)) from error
        except BrokenPipeError:
            raise  # click ends quietly: nobody reads the rest
        except OSError as error:
            raise Failure(_reason(error), "Check the path and the room on the disk.") from error


def _reason(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or type(error).__name__}"
