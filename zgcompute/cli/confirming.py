"""Asking whether to go on, on standard error, and only where somebody can answer."""

from __future__ import annotations

import sys

import click

yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")


def require_confirmation(question: str, yes: bool) -> None:
    """Ask unless `yes`; raises ConfigurationError without a terminal, Error for a no."""
    from zgcompute.errors import ConfigurationError, Error

    if yes:
        return
    if not can_ask():
        raise ConfigurationError(
            "There is no terminal to ask for confirmation, so nothing was done.",
            advice="Read what it would do above, then add --yes.",
        )
    click.echo(f"{question} [y/N] ", nl=False, err=True)  # a prompt of click's uses stdout too
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Error("Not confirmed, so nothing was done.")


def can_ask() -> bool:
    """Whether somebody sits at a terminal to answer; a service's standard input may be closed."""
    stdin: object = sys.stdin
    return stdin is not None and sys.stdin.isatty()
