"""How long the command line takes to answer: whole processes, medians.

Where the official client is installed its command is measured beside ours: named by OFFICIAL_CLI,
or found on the PATH. It is never installed for this.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from devnet import accounts
from devnet.testing import Devnet

COMMAND = Path(__file__).resolve().parents[2] / "bin" / "0g-compute-cli"
OFFICIAL_PACKAGE = "@0gfoundation"
ROUNDS = 9
LISTING = ("inference", "list-providers")
LIMITS_MS = {"--help": 250.0, "--version": 250.0, " ".join(LISTING): 600.0}


def main() -> int:
    """Print a line per command; return 1 where one of ours exceeds its limit."""
    official = _official()
    with Devnet() as devnet, tempfile.TemporaryDirectory() as home:
        environment = _environment(devnet, Path(home))
        ours = {line: _median_ms(COMMAND, line, environment) for line in LIMITS_MS}
        theirs = {line: _median_ms(official, line, environment) for line in LIMITS_MS}
    print(f"{'0g-compute-cli':<34}{'ms':>8}{'limit':>8}{'official':>10}")
    for line, limit in LIMITS_MS.items():
        print(f"{line:<34}{_shown(ours[line]):>8}{limit:>8.0f}{_shown(theirs[line]):>10}")
    if official is None:
        print("The official client is not installed: OFFICIAL_CLI may name its command.")
    slow = [line for line, limit in LIMITS_MS.items() if (ours[line] or limit + 1) > limit]
    print("exceeded by: " + (", ".join(slow) or "none"))
    return 1 if slow else 0


def _official() -> Path | None:
    """The command of the official client's package, which has the same name as ours."""
    named = os.environ.get("OFFICIAL_CLI")
    if named:
        return Path(named)
    folders = [Path(part) for part in os.environ.get("PATH", "").split(os.pathsep) if part]
    found = [folder / COMMAND.name for folder in folders]
    return next((path for path in found if OFFICIAL_PACKAGE in path.resolve().parts), None)


def _environment(devnet: Devnet, home: Path) -> dict[str, str]:
    """What both need. The official client wants a key in its settings before it reads anything."""
    settings = home / ".0g-compute-cli"
    settings.mkdir()
    key = accounts.account(9).private_key
    config = {"privateKey": key, "rpcEndpoint": devnet.rpc_url}
    (settings / "config.json").write_text(json.dumps(config))
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "ZG_RPC_ENDPOINT": devnet.rpc_url,
        "ZG_NETWORK": "devnet",
    }


def _median_ms(command: Path | None, line: str, environment: dict[str, str]) -> float | None:
    """None where there is no such command, or it failed."""
    if command is None:
        return None
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        ended = subprocess.run([command, *line.split()], capture_output=True, env=environment)
        times.append((time.perf_counter() - began) * 1_000)
        if ended.returncode:
            print(f"{command} {line} failed:\n{ended.stderr.decode(errors='replace')[-400:]}")
            return None
    return statistics.median(times)


def _shown(milliseconds: float | None) -> str:
    return "-" if milliseconds is None else f"{milliseconds:.0f}"


if __name__ == "__main__":
    sys.exit(main())
