"""Reading hostile JSON: a value of the wanted type, or the harmless default."""

from __future__ import annotations

import json
from typing import Any

MAX_COUNT = 2**63 - 1


def json_object(source: bytes | str) -> dict[str, Any] | None:
    """Return the JSON object in `source`, or None for anything else."""
    try:
        value = json.loads(source)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def text(value: object, *, limit: int = 300) -> str:
    """Return `value` if it is text, without control characters and cut to `limit`, else ""."""
    return printable(value[: 4 * limit])[:limit] if isinstance(value, str) else ""


def printable(value: str) -> str:
    """Return `value` on one line: control and other invisible characters become spaces."""
    return " ".join("".join(c if c.isprintable() else " " for c in value).split())


def count(value: object) -> int | None:
    """Return `value` if it is a whole number in the range of providers' counters, else None."""
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return value if is_whole and 0 <= value <= MAX_COUNT else None  # type: ignore[operator,return-value]


def neuron(value: object) -> int | None:
    """Return the amount in a decimal text (or a whole number) of neuron, else None."""
    if isinstance(value, str) and 0 < len(value) <= 78 and value.isascii() and value.isdigit():
        return int(value)
    return count(value)


def mapping(value: object) -> dict[str, Any]:
    """Return `value` if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: object, *, limit: int = 1000) -> list[Any]:
    """Return the first `limit` elements of `value` if it is a list, else an empty one."""
    return value[:limit] if isinstance(value, list) else []
