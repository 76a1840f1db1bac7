"""Request bodies in the very bytes that a provider forwards (PROTOCOL §4.1), pure.

A provider that changes a request re-encodes it with Go's encoding/json, and signs the hash of
what it then forwards. A body that is already in that form, and needs no change, is forwarded as
it is; so the signed request hash can match the one that the sender knows.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any

from zgcompute.errors import InvalidBody

MAX_DEPTH = 200
_GO_ESCAPED = re.compile("[<>&\u2028\u2029]")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def chat_body(
    model: str, messages: Sequence[Mapping[str, Any]], *, stream: bool, **parameters: Any
) -> bytes:
    """Return the body of a chat completion in Go's form.

    `parameters` are OpenAI's (temperature, max_tokens, ...); those that are None are left out.
    A streamed request always asks for the usage: without it a provider bills counted words.
    Raises InvalidBody if something in it is not JSON.
    """
    body = {name: value for name, value in parameters.items() if value is not None}
    body |= {"model": model, "messages": list(messages)}
    if stream:
        given = parameters.get("stream_options")
        options = dict(given) if isinstance(given, Mapping) else {}
        body |= {"stream": True, "stream_options": options | {"include_usage": True}}
    return go_json(body)


def image_body(model: str, prompt: str, **parameters: Any) -> bytes:
    """Return the body of an image generation in Go's form.

    `parameters` are OpenAI's (n, size, response_format, ...); those that are None or "" are left
    out. Raises InvalidBody if something in it is not JSON.
    """
    given = {name: value for name, value in parameters.items() if value not in (None, "")}
    return go_json(given | {"model": model, "prompt": prompt})


def go_json(value: object) -> bytes:
    """Return `value` as Go's json.Marshal writes the generic value it would decode from it.

    Keys are sorted, there are no spaces, `<`, `>`, `&` and the two line separators are escaped,
    other text is UTF-8; every number passes through float64 (integers beyond 2**53 lose digits).
    Backspace and form feed are `\\b` and `\\f`, as since Go 1.22 (before: `\\u0008`, `\\u000c`).
    A lone surrogate, which no UTF-8 can hold, becomes U+FFFD as it does in Go.
    Raises InvalidBody for what JSON cannot say: NaN, other types, keys that are no text.
    """
    return _encode(value, 0).encode()


def _encode(value: object, depth: int) -> str:
    if depth > MAX_DEPTH:
        raise InvalidBody("The request is nested too deeply.")
    if isinstance(value, str):
        return _text(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, Mapping):
        return _object(value, depth)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return f"[{','.join(_encode(item, depth + 1) for item in value)}]"
    raise InvalidBody(f"A request cannot hold a value of type {type(value).__name__}.")


def _object(value: Mapping[Any, object], depth: int) -> str:
    if not all(isinstance(key, str) for key in value):
        raise InvalidBody("A request has only text as names.")
    members = {_sound(key): member for key, member in value.items()}
    # Code points sort as their UTF-8 bytes do, which is Go's order.
    pairs = (f"{_text(key)}:{_encode(members[key], depth + 1)}" for key in sorted(members))
    return f"{{{','.join(pairs)}}}"


def _text(text: str) -> str:
    quoted: str = encode_basestring(_sound(text))
    return _GO_ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def _sound(text: str) -> str:
    return _LONE_SURROGATE.sub("\ufffd", text)


def _number(number: float) -> str:
    """ES6's number format, with which Go writes float64: shortest digits that read back."""
    try:
        value = float(number)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise InvalidBody("A request cannot hold a number that is infinite or not a number.")
    if value == 0 or 1e-6 <= abs(value) < 1e21:
        plain = f"{Decimal(repr(value)):f}"
        return plain.rstrip("0").rstrip(".") if "." in plain else plain
    mantissa, _, exponent = repr(value).partition("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent):+d}"
