"""What only a person can do, with the exact commands (pure)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from zgcompute.attestation.contract import BROKER
from zgcompute.attestation.provider import ProviderVerdict

VERIFIER_IMAGE = "docker.io/dstacktee/dstack-verifier:0.5.4"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_IMAGE = re.compile(r"[a-z0-9][a-z0-9._/-]{0,200}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ManualStep:
    """Something to do by hand; `commands` are shell lines, ready to paste."""

    title: str
    explanation: str
    commands: tuple[str, ...]


def report_file(role: str) -> str:
    """The name under which a report is saved for these steps."""
    return f"{role.replace(' ', '_')}_attestation_report.json"


def manual_steps(verdict: ProviderVerdict) -> tuple[ManualStep, ...]:
    """The steps for what `verdict` rests on; the commands use files named by `report_file`."""
    files = [report_file(report.role) for report in verdict.received]
    return (_dstack(files), *_gpu(verdict), _image(verdict))


def _dstack(files: list[str]) -> ManualStep:
    return ManualStep(
        "Reproduce the operating system with dstack-verifier",
        "It compares the measurements with the published image, which cannot be done here.",
        (
            f"docker run -d -p 8080:8080 {VERIFIER_IMAGE}",
            *(f"curl -s -d @{name} http://localhost:8080/verify" for name in files),
        ),
    )


def _gpu(verdict: ProviderVerdict) -> tuple[ManualStep, ...]:
    with_card = [r for r in verdict.received if b'"nvidia_payload"' in (r.body or b"")]
    names = [report_file(report.role) for report in with_card]
    service = "https://nras.attestation.nvidia.com/v3/attest/gpu"
    return tuple(
        ManualStep(
            "Have NVIDIA judge the graphics card's evidence",
            "Only NVIDIA's service knows its certificates and firmware.",
            (
                f"jq '.nvidia_payload | if type == \"string\" then fromjson else . end' {name}"
                f" | curl -s -H 'content-type: application/json' -d @- {service}",
            ),
        )
        for name in names
    )


def _image(verdict: ProviderVerdict) -> ManualStep:
    info = verdict.service.info
    name, digest = info.image_name, info.image_digest
    commands = [
        'jq -r \'(.tcb_info // .info.tcb_info) | if type == "string" then fromjson else . end'
        f" | .app_compose | fromjson | .docker_compose_file' {report_file(BROKER)}",
    ]
    if _IMAGE.fullmatch(name) and _DIGEST.fullmatch(digest):
        commands.append(f"docker buildx imagetools inspect {name}@{digest}")
        commands.append(
            f"curl -s -H 'content-type: application/json' -d '{{\"hash\":\"{digest}\"}}'"
            " https://rekor.sigstore.dev/api/v1/index/retrieve"
        )
    return ManualStep(
        "Compare the container images with published builds",
        "The compose file names what runs. Look up each image's digest at its publisher and in"
        " the sigstore log.",
        tuple(commands),
    )
