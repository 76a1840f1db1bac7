"""`verify-evidence`: check saved evidence again, without a network."""

from __future__ import annotations

from pathlib import Path

import click

from zgcompute.cli.failures import FAILED, NOT_VERIFIED
from zgcompute.cli.output import say, say_json, verdict_in_json, word
from zgcompute.cli.place import json_option

_MAX_FILE = 64 << 20  # bytes; two reports of the largest size in base64, with lists


@click.command("verify-evidence")
@json_option
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def verify_evidence(file: Path, as_json: bool) -> None:
    """Check saved evidence again.

    FILE is of an answer or of a provider. Asks nobody. Status 0 verified, 5 failed, 1 for
    everything else.

    \b
    0g-compute-cli verify-evidence evidence.json
    """
    from zgcompute.attestation.evidence import FORMAT as PROVIDER_FORMAT
    from zgcompute.errors import Error
    from zgcompute.evidence import FORMAT as ANSWER_FORMAT

    evidence = _load(file)
    if evidence.get("format") == PROVIDER_FORMAT:
        _judge_provider(evidence, as_json)
    elif evidence.get("format") == ANSWER_FORMAT:
        _judge_answer(evidence, as_json)
    else:
        raise Error("The file is not evidence in a known form.")


def _load(path: Path) -> dict[str, object]:
    from zgcompute import _reading as read
    from zgcompute.errors import Error

    if path.stat().st_size > _MAX_FILE:
        raise Error("The file is larger than any evidence.")
    evidence = read.json_object(path.read_bytes())
    if evidence is None:
        raise Error("The file is not a JSON object.")
    return evidence


def _judge_answer(evidence: dict[str, object], as_json: bool) -> None:
    from zgcompute import evidence as saved

    verdict = saved.verify_evidence(evidence)
    if as_json:
        say_json({"kind": "answer", **verdict_in_json(verdict)})
    else:
        say(f"{word(verdict.outcome.value)}: {verdict.reason}")
    statuses = {"verified": 0, "failed": NOT_VERIFIED}
    click.get_current_context().exit(statuses.get(verdict.outcome.value, FAILED))


def _judge_provider(evidence: dict[str, object], as_json: bool) -> None:
    from zgcompute.attestation import verify_provider_evidence
    from zgcompute.cli import verifying

    verdict = verify_provider_evidence(evidence)
    if as_json:
        say_json({"kind": "provider", **verifying.verdict_in_json(verdict)})
    else:
        verifying.say_verdict(verdict)
    verifying.end_with(verdict)
