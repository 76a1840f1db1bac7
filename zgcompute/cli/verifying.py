"""`inference verify` and `download-report`: is a provider the machine and software it should be?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zgcompute.cli.failures import FAILED, NOT_VERIFIED
from zgcompute.cli.output import note, one_line, say, say_json, word
from zgcompute.cli.place import Place, json_option, network_options, provider_option

if TYPE_CHECKING:
    from zgcompute.attestation import Check, ManualStep, ProviderVerdict
    from zgcompute.networks import Network


@click.command()
@network_options
@provider_option
@click.option(
    "--output-dir",
    type=click.Path(file_okay=False),
    default=".",
    show_default=True,
    help="Where the reports and the evidence are written.",
)
@json_option
def verify(place: Place, provider: str, output_dir: str, as_json: bool) -> None:
    """Check a provider's attestation.

    Its reports are fetched and checked. Status 0 only if every required check passed, 5 if one
    failed, 1 if one could not be done.

    \b
    0g-compute-cli inference verify --provider ADDRESS --output-dir evidence
    """
    from zgcompute.attestation import manual_steps

    with place.broker() as broker:
        verdict = broker.services.verify(provider, progress=lambda step, checks: note(f"{step} …"))
        files = _save(verdict, broker.network, Path(output_dir))
    steps = manual_steps(verdict)
    if as_json:
        say_json(verdict_in_json(verdict) | {"manual_steps": _steps(steps), "files": files})
    else:
        say_verdict(verdict)
        _say_by_hand(steps, files)
    end_with(verdict)


@click.command("download-report")
@network_options
@provider_option
@click.option("--output", required=True, type=click.Path(dir_okay=False), help="Where to write it.")
@json_option
def download_report(place: Place, provider: str, output: str, as_json: bool) -> None:
    """Save a provider's attestation report.

    As it came, unchecked.

    \b
    0g-compute-cli inference download-report --provider ADDRESS --output report.json
    """
    with place.broker() as broker:
        report = broker.provider(provider).quote()
    Path(output).write_bytes(report)
    if as_json:
        say_json({"provider": provider, "file": output, "bytes": len(report)})
    else:
        say(f"Wrote {output} ({len(report)} bytes, not checked)")


def say_verdict(verdict: ProviderVerdict) -> None:
    """Write every check and what all of them together say."""
    for check in verdict.checks:
        say(f"{word(check.verdict.value)}  {check.name}  {check.title}")
        for name, value in _details(check):
            say(f"    {name}: {one_line(value)}")
    say(f"\n{word(verdict.overall.value)}: {verdict.service.provider}. {verdict.scope}")


def verdict_in_json(verdict: ProviderVerdict) -> dict[str, object]:
    """The verification of a provider in JSON."""
    return {
        "provider": verdict.service.provider,
        "overall": verdict.overall.value,
        "scope": verdict.scope,
        "checked_at": verdict.checked_at,
        "checks": [
            {
                "name": check.name,
                "title": check.title,
                "verdict": check.verdict.value,
                "required": check.required,
                "expected": check.expected,
                "found": check.found,
                "reason": check.reason,
            }
            for check in verdict.checks
        ],
    }


def end_with(verdict: ProviderVerdict) -> None:
    """End with the status that the verdict asks for."""
    statuses = {"verified": 0, "failed": NOT_VERIFIED}
    click.get_current_context().exit(statuses.get(verdict.overall.value, FAILED))


def _details(check: Check) -> list[tuple[str, str]]:
    named = (("expected", check.expected), ("found", check.found), ("reason", check.reason))
    optional = [] if check.required else [("note", "not required")]
    return [(name, value) for name, value in named if value] + optional


def _save(verdict: ProviderVerdict, network: Network, folder: Path) -> list[str]:
    """Write the reports under the names that the manual steps use, and the evidence."""
    from zgcompute.attestation import report_file, write_provider_evidence

    folder.mkdir(parents=True, exist_ok=True)
    evidence = write_provider_evidence(verdict, network=network.slug, chain_id=network.chain_id)
    contents = {
        report_file(report.role): report.body
        for report in verdict.received
        if report.body is not None
    }
    contents[f"evidence-{verdict.service.provider}.json"] = json.dumps(evidence, indent=2).encode()
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [str(folder / name) for name in contents]


def _say_by_hand(steps: tuple[ManualStep, ...], files: list[str]) -> None:
    say("\nWhat only a person can do, with the files written here:")
    for number, step in enumerate(steps, 1):
        say(f"\n{number}. {step.title}\n   {step.explanation}")
        for line in step.commands:
            say(f"   $ {one_line(line, 1000)}")
    say()
    for file in files:
        say(f"Wrote {file}")


def _steps(steps: tuple[ManualStep, ...]) -> list[dict[str, object]]:
    return [
        {"title": step.title, "explanation": step.explanation, "commands": list(step.commands)}
        for step in steps
    ]
