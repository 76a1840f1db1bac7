"""Reading hostile JSON: a value of the wanted type, or the harmless default."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

from zgcompute.amounts import MAX_NEURON, Neuron

MAX_COUNT = 2**63 - 1
_KEY = re.compile(r"app-sk-[A-Za-z0-9+/=_-]{4,}")
MAX_DEPTH = 200
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)


def loads(source: bytes | str) -> Any:
    """Return the JSON value in `source`; raises ValueError, also if it is nested absurdly deep.

    The parser's own guard is the recursion limit, which any imported library may have raised:
    then brackets alone end the process.
    """
    text = source.decode("utf-8", "replace") if isinstance(source, bytes) else source
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth_exceeds(text, MAX_DEPTH):
        raise ValueError("JSON is nested too deeply")
    return json.loads(text)


def _depth_exceeds(text: str, limit: int) -> bool:
    depth = 0
    for token in _TOKEN.finditer(text):
        first = token[0][0]
        depth += first in "[{"
        depth -= first in "]}"
        if depth > limit:
            return True
    return False


def json_object(source: bytes | str) -> dict[str, Any] | None:
    """Return the JSON object in `source`, or None for anything else."""
    try:
        value = loads(source)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def text(value: object, *, limit: int = 300) -> str:
    """Return `value` if it is text, without control characters and cut to `limit`, else ""."""
    return printable(value[: 4 * limit])[:limit] if isinstance(value, str) else ""


def prose(value: object, *, limit: int | None = None) -> str:
    """Return `value` if it is text, in a form that any database and UTF-8 can hold, else "".

    JSON can spell lone surrogates and NUL; they are replaced.
    """
    if not isinstance(value, str):
        return ""
    return value[:limit].encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def without_keys(value: str) -> str:
    """Return `value` without the API keys in it: whoever has one spends with it."""
    return _KEY.sub("app-sk-…", value)


def printable(value: str) -> str:
    """Return `value` on one line: control and other invisible characters become spaces."""
    if not value.isprintable():
        value = "".join(c if c.isprintable() else " " for c in value)
    return " ".join(value.split())


def count(value: object) -> int | None:
    """Return `value` if it is a whole number in the range of providers' counters, else None."""
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return value if is_whole and 0 <= value <= MAX_COUNT else None  # type: ignore[operator,return-value]


def decimal(value: object) -> Decimal | None:
    """Return `value` if it is a finite number of at least zero, else None."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= MAX_COUNT:  # type: ignore[operator]
        return None
    return Decimal(str(value))


def neuron(value: object) -> Neuron | None:
    """Return the amount in a decimal text (or a whole number) of neuron, else None."""
    if isinstance(value, str) and 0 < len(value) <= 78 and value.isascii() and value.isdigit():
        amount = Neuron(value)
        return amount if amount <= MAX_NEURON else None
    found = count(value)
    return None if found is None else Neuron(found)


def mapping(value: object) -> dict[str, Any]:
    """Return `value` if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: object, *, limit: int = 1000) -> list[Any]:
    """Return the first `limit` elements of `value` if it is a list, else an empty one."""
    return value[:limit] if isinstance(value, list) else []
