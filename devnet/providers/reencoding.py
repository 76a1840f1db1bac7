"""What the broker does to a request body before the model server sees it (PROTOCOL §4.1).

Written apart from the SDK's encoder on purpose: each is the other's peer in tests.
"""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any, NoReturn

from devnet.providers.wire import Refusal

_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "<": "\\u003c",
    ">": "\\u003e",
    "&": "\\u0026",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
}


def decode_object(body: bytes) -> dict[str, Any]:
    """Decode a JSON object the way Go decodes into a generic map; raises Refusal otherwise."""
    try:
        value = json.loads(
            body.decode("utf-8", errors="replace"),
            parse_int=_float64,
            parse_float=_float64,
            parse_constant=_refuse_constant,
        )
    except (ValueError, RecursionError, OverflowError) as error:
        raise Refusal(f"prepare HTTP request: decode request body: {error}") from error
    if not isinstance(value, dict):
        raise Refusal("prepare HTTP request: decode request body: json: cannot unmarshal into map")
    return value


def prepare(body: bytes, *, default_model: str) -> tuple[bytes, dict[str, Any]]:
    """Return the body that is forwarded (untouched where nothing changes) and its decoded form.

    A missing model gets the configured one; a stream whose client did not choose gets
    `stream_options.include_usage`. Only the JSON boolean true makes a stream.
    """
    fields = decode_object(body)
    changed = False
    if not fields.get("model"):
        fields["model"] = default_model
        changed = True
    if fields.get("stream") is True:
        options = fields.get("stream_options")
        if not isinstance(options, dict) or "include_usage" not in options:
            fields["stream_options"] = {
                **(options if isinstance(options, dict) else {}),
                "include_usage": True,
            }
            changed = True
    return (encode(fields) if changed else body), fields


def encode(value: Any) -> bytes:
    """Encode as Go's default encoder does: sorted keys, no spaces, HTML-safe, float64 numbers."""
    try:
        return _text(value).encode("utf-8")
    except RecursionError as error:
        raise Refusal("prepare HTTP request: decode request body: exceeded max depth") from error


def _text(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number(float(value))
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, dict):
        members = sorted(value.items(), key=lambda item: item[0].encode("utf-8", "surrogatepass"))
        return "{" + ",".join(f"{_string(key)}:{_text(item)}" for key, item in members) + "}"
    return "[" + ",".join(_text(item) for item in value) + "]"


def _string(text: str) -> str:
    return '"' + "".join(_character(character) for character in text) + '"'


def _character(character: str) -> str:
    escaped = _ESCAPES.get(character)
    if escaped is not None:
        return escaped
    if character < " ":
        return f"\\u{ord(character):04x}"
    if "\ud800" <= character <= "\udfff":
        return "\ufffd"  # Go decodes an unpaired surrogate to the replacement character
    return character


def _number(number: float) -> str:
    """Go's encoding of a float64: shortest digits, an exponent only below 1e-6 or from 1e21 on."""
    if number == 0:
        return "-0" if str(number).startswith("-") else "0"
    if 1e-6 <= abs(number) < 1e21:
        plain = format(Decimal(repr(number)), "f")
        return plain.removesuffix(".0")
    mantissa, _, exponent = repr(number).partition("e")
    digits = mantissa.removesuffix(".0")
    power = int(exponent)
    return f"{digits}e{'-' if power < 0 else '+'}{abs(power):02d}".replace("e-0", "e-")


def _float64(literal: str) -> float:
    number = float(literal)
    if math.isinf(number):
        raise ValueError(f"json: cannot unmarshal number {literal[:40]} into float64")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"invalid character {name[0]!r} looking for beginning of value")
