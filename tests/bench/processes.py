"""What a process and its children have used of the CPU."""

from __future__ import annotations

import os
from pathlib import Path


def cpu_seconds(pid: int) -> float:
    """User and system time of the process `pid` and of all that it has started, from /proc."""
    parents, ticks = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        one = int(stat.parent.name)
        parents[one], ticks[one] = int(fields[1]), int(fields[11]) + int(fields[12])
    return sum(ticks[one] for one in ticks if _is_below(one, pid, parents)) / os.sysconf(
        "SC_CLK_TCK"
    )


def _is_below(one: int, top: int, parents: dict[int, int]) -> bool:
    while one > 1 and one != top:
        one = parents.get(one, 0)
    return one == top
