"""A conversation at a terminal: question after question, each answer with its cost and proof."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from zgcompute.cli.failures import NOT_VERIFIED, Failure, status_of
from zgcompute.cli.output import note, note_cost_and_proof, safe, say

if TYPE_CHECKING:
    from zgcompute.inference import Inference

_ENDS = ("/exit", "/quit")


def talk(
    inference: Inference, provider: str, messages: list[dict[str, str]], **options: Any
) -> None:
    """Ask what is typed, until /exit or the end of input; `messages` grow with what is said.

    Ends with status 5 if the check of an answer failed.
    """
    note("Ctrl-C stops an answer and keeps its part. /exit ends.")
    has_failed = False
    while (question := _typed()) is not None:
        if not question:
            continue
        messages.append({"role": "user", "content": question})
        text, is_good = _answered(inference, provider, messages, options)
        has_failed = has_failed or not is_good
        if text:
            messages.append({"role": "assistant", "content": text})
        else:
            messages.pop()  # a question without an answer would be asked again with the next
    if has_failed:
        click.get_current_context().exit(NOT_VERIFIED)


def _typed() -> str | None:
    click.echo("> ", nl=False, err=True)
    try:
        line = sys.stdin.readline()
    except KeyboardInterrupt:
        line = ""
    text = line.strip()
    return None if not line or text in _ENDS else text


def _answered(
    inference: Inference,
    provider: str,
    messages: list[dict[str, str]],
    options: dict[str, Any],
) -> tuple[str, bool]:
    """The text of an answer, or the part that came; and whether its check has not failed."""
    from zgcompute.errors import Error

    pieces: list[str] = []
    try:
        with inference.stream(provider, list(messages), **options) as stream:
            for piece in stream:
                say(safe(piece), end="")
                pieces.append(piece)
            say()
            note_cost_and_proof(stream.answer.fee, stream.answer.verdict)
            return stream.answer.text, stream.answer.verdict.outcome.value != "failed"
    except KeyboardInterrupt:
        note("\nStopped. The part is kept, unverified; the provider bills the whole answer.")
    except Error as error:
        note("")
        Failure(str(error), error.advice, status_of(error)).show()
    return "".join(pieces), True
