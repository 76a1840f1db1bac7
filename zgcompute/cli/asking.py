"""`inference chat`: one question to a provider."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from zgcompute.cli.confirming import can_ask
from zgcompute.cli.credentials import required_credentials
from zgcompute.cli.failures import NOT_VERIFIED
from zgcompute.cli.output import (
    fee_in_json,
    note_cost_and_proof,
    safe,
    say,
    say_json,
    verdict_in_json,
)
from zgcompute.cli.place import (
    Place,
    json_option,
    network_options,
    provider_option,
)
from zgcompute.cli.talking import talk

if TYPE_CHECKING:
    from zgcompute.fees import Fee
    from zgcompute.inference import Inference
    from zgcompute.priced_answers import Answer
    from zgcompute.verification import Verdict

model_option = click.option(
    "--model", default="", metavar="NAME", help="One of a provider's several models."
)


@click.command()
@network_options
@provider_option
@model_option
@click.option("--system", default="", metavar="TEXT", help="What the model is told first.")
@click.option(
    "--stream/--no-stream", default=True, show_default=True, help="Write the answer as it comes."
)
@json_option
@click.argument("prompt", required=False)
def chat(
    place: Place,
    provider: str,
    model: str,
    system: str,
    stream: bool,
    as_json: bool,
    prompt: str | None,
) -> None:
    """Ask a provider's model.

    Without a PROMPT there is a conversation at the terminal; piped input, or a PROMPT of -, is
    read as the question. The API key of ZG_API_KEY pays, or a session that the wallet's key signs.
    Ends with status 5 if the signature of an answer is of another key or of other bytes.

    \b
    0g-compute-cli inference chat --provider ADDRESS "Hello"
    """
    messages = [{"role": "system", "content": system}] if system else []
    talks = prompt is None and can_ask()
    if talks and as_json:
        raise click.UsageError("A conversation has no JSON: give a PROMPT.")
    credentials = required_credentials()
    if not talks:
        question = sys.stdin.read() if prompt in (None, "-") else prompt
        messages.append({"role": "user", "content": question or ""})
    with place.broker() as broker:
        key = credentials.ready(broker)
        if talks:
            talk(broker.inference, provider, messages, model=model, api_key=key)
            return
        ask: Callable[..., Answer] = _streamed if stream else _whole
        answer = ask(broker.inference, not as_json, provider, messages, model=model, api_key=key)
    if as_json:
        say_json(_in_json(answer))
    conclude(answer.fee, answer.verdict, as_json=as_json)


def conclude(fee: Fee, verdict: Verdict, *, as_json: bool) -> None:
    """Say what an answer cost and what is proved; end with status 5 if its check failed."""
    if not as_json:
        note_cost_and_proof(fee, verdict)
    if verdict.outcome.value == "failed":
        click.get_current_context().exit(NOT_VERIFIED)


def _streamed(inference: Inference, shown: bool, *question: Any, **options: Any) -> Answer:
    with inference.stream(*question, **options) as stream:
        last = "\n"
        try:
            for piece in stream:
                if shown:
                    say(safe(piece), end="")
                    last = piece
        finally:
            if not last.endswith("\n"):
                say()
        return stream.answer


def _whole(inference: Inference, shown: bool, *question: Any, **options: Any) -> Answer:
    answer = inference.chat(*question, **options)
    if shown:
        say(safe(answer.text), end="" if answer.text.endswith("\n") else "\n")
    return answer


def _in_json(answer: Answer) -> dict[str, object]:
    usage = answer.outcome.usage
    return {
        "text": answer.text,
        "reasoning": answer.reasoning,
        "model": answer.outcome.model,
        "finish_reason": answer.outcome.finish_reason,
        "response_id": answer.outcome.response_id,
        "usage": usage
        and {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "cached_tokens": usage.cached_tokens,
        },
        "fee": fee_in_json(answer.fee),
        "verification": verdict_in_json(answer.verdict),
    }
