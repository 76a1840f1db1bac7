from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest

from devnet.providers import reencoding
from zgcompute.bodies import chat_body, go_json
from zgcompute.errors import InvalidBody

VECTORS = Path(__file__).parent.parent / "vectors"
CASES = json.loads((VECTORS / "go_json.json").read_text("utf-8"))["cases"]
HELLO = [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize(
    ("value", "encoded"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_a_value_is_written_as_go_writes_it(value: Any, encoded: str) -> None:
    assert go_json(value) == encoded.encode()


def test_a_lone_surrogate_becomes_the_replacement_character() -> None:
    assert go_json({"\ud800": "\udfff"}) == '{"\ufffd":"\ufffd"}'.encode()


def test_tuples_are_lists() -> None:
    assert go_json({"stop": ("a", "b")}) == b'{"stop":["a","b"]}'


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -math.inf, 10**400, {1: "a"}, {"a": object()}, b"bytes", bytearray(b"x")],
)
def test_what_json_cannot_say_is_refused(value: object) -> None:
    with pytest.raises(InvalidBody):
        go_json({"a": value} if not isinstance(value, dict) else value)


def test_endless_nesting_is_refused() -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(InvalidBody, match="nested"):
        go_json(nested)


def test_encoding_again_changes_nothing_and_agrees_with_the_devnets_encoder() -> None:
    chance = random.Random(7)
    for _ in range(300):
        encoded = go_json(_value(chance, depth=4))
        as_go_reads = json.loads(encoded, parse_int=float)
        assert reencoding.encode(as_go_reads) == encoded
        assert go_json(as_go_reads) == encoded


def test_a_provider_forwards_our_streamed_body_untouched() -> None:
    body = chat_body(
        "m", [{"role": "user", "content": "a < b & ü\u2028"}], stream=True, temperature=0.2
    )
    assert reencoding.prepare(body, default_model="m")[0] == body


def test_a_streamed_body_is_the_published_one() -> None:
    vector = json.loads((VECTORS / "response_signature.json").read_text())
    assert chat_body("m", HELLO, stream=True) == vector["request_body"].encode()


def test_an_unstreamed_body_says_nothing_of_streams() -> None:
    assert json.loads(chat_body("m", HELLO, stream=False)) == {"model": "m", "messages": HELLO}


def test_parameters_are_passed_on_and_none_is_left_out() -> None:
    body = json.loads(chat_body("m", HELLO, stream=False, temperature=0.5, max_tokens=None))
    assert body["temperature"] == 0.5
    assert "max_tokens" not in body


@pytest.mark.parametrize("options", [{"include_usage": False}, {"other": 1}, "nonsense", None])
def test_a_stream_always_asks_for_the_usage(options: object) -> None:
    body = json.loads(chat_body("m", HELLO, stream=True, stream_options=options))
    assert body["stream_options"]["include_usage"] is True


def _value(chance: random.Random, depth: int) -> Any:
    kind = chance.randrange(7 if depth else 5)
    if kind == 0:
        return chance.choice([None, True, False, 0, -0.0, ""])
    if kind == 1:
        return chance.randrange(-(10**25), 10**25)
    if kind == 2:
        return chance.uniform(-1, 1) * 10 ** chance.randrange(-30, 30)
    if kind in (3, 4):
        return _text(chance)
    if kind == 5:
        return [_value(chance, depth - 1) for _ in range(chance.randrange(4))]
    return {_text(chance): _value(chance, depth - 1) for _ in range(chance.randrange(4))}


def _text(chance: random.Random) -> str:
    return "".join(chance.choice('az<>&"\\\n\b\x00\x7fé世😀\u2028\ud83d\ufeff') for _ in range(6))
