from __future__ import annotations

import json
import sys

import pytest

from zgcompute import _reading as read


def test_ordinary_json_is_read() -> None:
    value = {"a": [1, "]]]]{{{{[[[[" * 100, {"b": None}], 'c"\\': [[]] * 300}
    assert read.loads(json.dumps(value)) == value
    assert read.loads(json.dumps(value).encode()) == value


def test_depth_is_allowed_up_to_the_limit() -> None:
    assert read.loads("[" * 200 + "]" * 200)
    with pytest.raises(ValueError, match="nested"):
        read.loads("[" * 201 + "]" * 201)


@pytest.mark.parametrize(
    "source",
    [
        "[" * 1_000_000,
        '{"a":' * 300_000,
        '["]",' * 300_000,
        '["\\"",' * 300_000,
        b"[" * 1_000_000,
    ],
)
def test_absurd_depth_is_refused_whatever_the_recursion_limit(source: str | bytes) -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)
    try:
        assert read.json_object(source) is None
    finally:
        sys.setrecursionlimit(limit)


def test_the_check_is_not_slow_on_hostile_strings() -> None:
    assert read.json_object("[" * 201 + '"' + '\\"' * 1_000_000) is None
    assert read.json_object("[{}," * 190 + "[]," * 100_000 + '"\\') is None


@pytest.mark.parametrize("source", ["", "[]", "5", "{broken", b"\xff"])
def test_what_is_no_object_is_nothing(source: str | bytes) -> None:
    assert read.json_object(source) is None


def test_text_is_cut_and_cleaned() -> None:
    assert read.text("a\x00b\r\n\tc\u202e d") == "a b c d"
    assert read.text("x" * 999, limit=5) == "xxxxx"
    assert read.text(5) == ""


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        ("0", 0),
        ("12", 12),
        (7, 7),
        ("-1", None),
        ("1.0", None),
        ("٣", None),
        ("", None),
        (1.5, None),
        (str(2**256 - 1), 2**256 - 1),
        (str(2**256), None),
    ],
)
def test_neuron_is_digits_only(value: object, amount: int | None) -> None:
    assert read.neuron(value) == amount


@pytest.mark.parametrize(
    ("value", "count"), [(0, 0), (2**63, None), (-1, None), (True, None), ("1", None)]
)
def test_a_count_is_a_whole_number_in_range(value: object, count: int | None) -> None:
    assert read.count(value) == count


def test_containers_are_what_they_should_be_or_empty() -> None:
    assert read.mapping([]) == {}
    assert read.items({}) == []
    assert read.items([1, 2, 3], limit=2) == [1, 2]
