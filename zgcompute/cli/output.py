"""What goes to the terminal: safe text, tables that fit it, and JSON."""

from __future__ import annotations

import json
import os
import re
import shutil
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from zgcompute import _reading as read

if TYPE_CHECKING:
    from zgcompute.fees import Fee
    from zgcompute.verification import Verdict

_GAP = "  "
_ADDRESS = 42  # characters that are never broken
_NARROWEST = len(_GAP) + _ADDRESS
# Everything that moves a cursor, colours, or turns the direction of the text around.
_UNSAFE = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_COLOURS = {"verified": "green", "passed": "green", "failed": "red"}


def may_colour() -> bool | None:
    """False where NO_COLOR asks for none; None leaves it to whether there is a terminal."""
    return False if os.environ.get("NO_COLOR") else None


def safe(text: str) -> str:
    """`text` of whatever origin for a terminal: its line breaks stay, its control codes do not."""
    return _UNSAFE.sub("\ufffd", text.replace("\r\n", "\n"))


def one_line(text: str, limit: int = 200) -> str:
    """`text` of whatever origin on one line of at most `limit` characters."""
    flat = safe(" ".join(text.split()))
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def without_keys(text: str) -> str:
    """`text` for a message: safe, and without the API keys that somebody may have put into it."""
    return safe(read.without_keys(text))


def say(text: str = "", *, end: str = "\n") -> None:
    """Write a part of the answer to standard output."""
    click.echo(text + end, nl=False)


def note(text: str) -> None:
    """Write something about the answer to standard error."""
    click.echo(without_keys(text), err=True)


def say_json(value: object) -> None:
    """Write `value` as JSON in plain ASCII, which no terminal misreads."""
    click.echo(json.dumps(value, indent=2))


def word(outcome: str) -> str:
    """An outcome, in its colour where there may be one."""
    return click.style(outcome, fg=_COLOURS.get(outcome, "yellow"), bold=True)


def amount(neuron: int) -> dict[str, str]:
    """An amount in JSON: exact decimal text of neuron and of 0G."""
    from zgcompute.amounts import exact

    return {"neuron": str(neuron), "og": exact(neuron)}


def og(neuron: int) -> str:
    """An amount for a person, exact."""
    from zgcompute.amounts import exact

    return f"{exact(neuron)} 0G"


def fee_in_json(fee: Fee) -> dict[str, object]:
    """A fee in JSON."""
    return {**amount(fee.total), "basis": fee.basis, "is_upper_bound": fee.is_upper_bound}


def verdict_in_json(verdict: Verdict) -> dict[str, object]:
    """The verification of an answer in JSON."""
    return {
        "outcome": verdict.outcome.value,
        "reason": verdict.reason,
        "expected_signer": verdict.expected_signer,
        "signer": verdict.signer,
        "request_matches": verdict.request_matches,
        "response_matches": verdict.response_matches,
    }


def note_cost_and_proof(fee: Fee, verdict: Verdict) -> None:
    """Say what an answer cost and what its signature proves."""
    from zgcompute.amounts import exact

    at_most = "at most " if fee.is_upper_bound else ""
    note(f"Fee: {at_most}{exact(fee.total)} 0G ({fee.total} neuron)")
    click.echo(f"Verification: {word(verdict.outcome.value)}", err=True, nl=False)
    note(f". {verdict.reason}")


def say_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table, or one block per row where the terminal is too narrow for it."""
    cells = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
    if sum(widths) + len(_GAP) * (len(widths) - 1) > _width():
        for row in cells:
            say_record(zip(head, row, strict=True))
        return
    for row in (list(head), *cells):
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        say(_GAP.join(padded).rstrip())


def say_record(pairs: Iterable[tuple[str, str]]) -> None:
    """Write named values, one below the other, and an empty line."""
    for line in _record(pairs):
        say(line)
    say()


def note_record(pairs: Iterable[tuple[str, str]]) -> None:
    """Write named values to standard error, one below the other."""
    for line in _record(pairs):
        note(line)


def moment(seconds: int) -> str:
    """A moment for a person: UTC, to the second."""
    from datetime import UTC, datetime

    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return f"{seconds} seconds after 1970"


def _record(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    named = [(name, safe(value)) for name, value in pairs if value]
    longest = max((len(name) for name, _ in named), default=0)
    is_narrow = _width() < longest + len(_GAP) + _ADDRESS
    indent = _GAP if is_narrow else " " * (longest + len(_GAP))
    for name, value in named:
        lines = textwrap.wrap(value, _width() - len(indent))
        head = f"{name}\n{indent}" if is_narrow else f"{name.ljust(longest)}{_GAP}"
        yield head + f"\n{indent}".join(lines)


def _width() -> int:
    return max(shutil.get_terminal_size().columns, _NARROWEST)


def plain(value: Any) -> str:
    """A number or text as shown, and nothing for what is missing."""
    return "" if value is None else str(value)
