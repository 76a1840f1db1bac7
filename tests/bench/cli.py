"""How long the command line takes to answer: whole processes, medians."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from devnet.testing import Devnet

COMMAND = Path(__file__).resolve().parents[2] / "bin" / "0g-compute-cli"
ROUNDS = 9
LISTING = ("inference", "list-providers", "--network", "devnet")
LIMITS_MS = {"--help": 250.0, "--version": 250.0, " ".join(LISTING): 600.0}


def main() -> int:
    """Print a line per command; return 1 where a limit is exceeded."""
    with Devnet() as devnet:
        environment = {"PATH": os.environ["PATH"], "ZG_RPC_ENDPOINT": devnet.rpc_url}
        medians = {line: _median_ms(line.split(), environment) for line in LIMITS_MS}
    print(f"{'0g-compute-cli':<46}{'ms':>8}{'limit':>8}")
    for line, milliseconds in medians.items():
        print(f"{line:<46}{milliseconds:>8.0f}{LIMITS_MS[line]:>8.0f}")
    slow = [line for line, milliseconds in medians.items() if milliseconds > LIMITS_MS[line]]
    print("exceeded by: " + (", ".join(slow) or "none"))
    return 1 if slow else 0


def _median_ms(arguments: list[str], environment: dict[str, str]) -> float:
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        subprocess.run([COMMAND, *arguments], check=True, capture_output=True, env=environment)
        times.append((time.perf_counter() - began) * 1_000)
    return statistics.median(times)


if __name__ == "__main__":
    sys.exit(main())
