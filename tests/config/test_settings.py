"""The settings as a whole, each in a process of its own as at a real start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def _start(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "VAR_DIR": str(folder), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


HOSTED = {
    "HOSTED": "1",
    "ALLOWED_HOSTS": "compute.example",
    "SECRET_KEY": "a-long-and-random-secret-for-the-deploy-check-0123456789-abcdefghij",
    "TOKEN_KEY": "another-long-and-random-secret-0123456789-abcdefghij",
    "NETWORKS": "mainnet,testnet",
}


def test_a_hosted_site_passes_djangos_deployment_check(tmp_path: Path) -> None:
    done = _start(tmp_path, **HOSTED)
    assert done.returncode == 0, done.stderr


def test_a_hosted_site_must_name_its_host(tmp_path: Path) -> None:
    done = _start(tmp_path, **HOSTED | {"ALLOWED_HOSTS": ""})
    assert done.returncode != 0
    assert "ALLOWED_HOSTS" in done.stderr


def test_an_unknown_network_stops_the_start_and_lists_the_known_ones(tmp_path: Path) -> None:
    done = _start(tmp_path, **HOSTED | {"NETWORKS": "moonnet"})
    assert done.returncode != 0
    assert "moonnet" in done.stderr
    assert "mainnet" in done.stderr
