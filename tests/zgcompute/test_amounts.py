from __future__ import annotations

import random

import pytest

from zgcompute import amounts
from zgcompute.errors import AmountError


@pytest.mark.parametrize(
    ("text", "neuron"),
    [
        ("0", 0),
        ("1", 10**18),
        ("1.5", 1_500_000_000_000_000_000),
        (" 3 ", 3 * 10**18),
        ("0.000000000000000001", 1),
        ("98.822778129999999663", 98_822_778_129_999_999_663),
        ("007", 7 * 10**18),
        ("1.500000000000000000000000", 1_500_000_000_000_000_000),
    ],
)
def test_an_amount_is_read_to_the_neuron(text: str, neuron: int) -> None:
    assert amounts.parse(text) == neuron


@pytest.mark.parametrize(
    "text",
    ["", " ", ".", "1.", ".5", "-1", "+1", "1e18", "1,5", "1_000", "0x10", "NaN", "١", "1.5.5"]
    + ["0.0000000000000000001", "9" * 61, "9" * 60, "1 0", "1\n2"],
)
def test_what_is_no_exact_amount_is_refused(text: str) -> None:
    with pytest.raises(AmountError) as refused:
        amounts.parse(text)
    assert refused.value.advice


def test_the_largest_uint256_is_read_and_one_more_is_refused() -> None:
    assert amounts.parse(amounts.exact(amounts.MAX_NEURON)) == amounts.MAX_NEURON
    with pytest.raises(AmountError):
        amounts.parse(amounts.exact(amounts.MAX_NEURON + 1))


def test_exact_text_reads_back_as_the_same_neuron() -> None:
    draw = random.Random(7)
    for _ in range(2000):
        neuron = draw.getrandbits(draw.randint(1, 256))
        assert amounts.parse(amounts.exact(neuron)) == neuron


@pytest.mark.parametrize(
    ("neuron", "text"),
    [(0, "0"), (1, "0.000000000000000001"), (10**18, "1"), (-15 * 10**17, "-1.5")],
)
def test_exact_shows_every_digit(neuron: int, text: str) -> None:
    assert amounts.exact(neuron) == text


@pytest.mark.parametrize(
    ("neuron", "down", "up"),
    [
        (0, "0", "0"),
        (1_999_999_900_000_000_000, "1.999999", "2"),
        (98_822_778_129_999_999_663, "98.822778", "98.822779"),
        (10**18, "1", "1"),
        (1, "0.000000000000000001", "0.000000000000000001"),
        (123_456, "0.000000000000123", "0.000000000000124"),
        (-1_999_999_900_000_000_000, "-1.999999", "-2"),
    ],
)
def test_short_rounds_balances_down_and_costs_up(neuron: int, down: str, up: str) -> None:
    assert amounts.short(neuron) == down
    assert amounts.short(neuron, round_up=True) == up


def test_short_takes_the_number_of_decimals() -> None:
    assert amounts.short(1_239_000_000_000_000_000, decimals=2) == "1.23"
    assert amounts.short(1_239_000_000_000_000_000, decimals=0) == "1"
    assert amounts.short(1_239_000_000_000_000_001, decimals=18) == "1.239000000000000001"
