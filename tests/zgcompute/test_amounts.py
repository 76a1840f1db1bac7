from __future__ import annotations

import copy
import json
import pickle
import random
import sqlite3
from dataclasses import asdict, replace

import pytest

from zgcompute import amounts
from zgcompute.amounts import Neuron
from zgcompute.errors import AmountError
from zgcompute.fees import chat_fee
from zgcompute.testing import FakeChain, fake_service
from zgcompute.types import Address, Ledger, Usage


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


LARGE = 123_456_789_012_345_678_901
LEDGER = Ledger(Address("0x" + "11" * 20), 15 * 10**17, LARGE)


def test_an_amount_shows_itself_in_0g_with_all_its_digits() -> None:
    assert Neuron(LARGE).og == "123.456789012345678901"
    assert amounts.parse("1.5").og == "1.5"


def test_an_amount_is_an_int_everywhere() -> None:
    amount = Neuron(LARGE)
    assert (amount, hash(amount), repr(amount), str(amount)) == (
        LARGE,
        hash(LARGE),
        str(LARGE),
        str(LARGE),
    )
    assert (f"{amount:,}", f"{amount:d}") == (f"{LARGE:,}", str(LARGE))
    assert json.dumps({"fee": amount}) == json.dumps({"fee": LARGE})
    for twin in (pickle.loads(pickle.dumps(amount)), copy.deepcopy(amount)):
        assert (type(twin), twin) == (Neuron, LARGE)
    assert sqlite3.connect(":memory:").execute("select ?", (Neuron(7),)).fetchone() == (7,)


def test_sums_of_amounts_are_amounts_and_shares_are_numbers() -> None:
    five, two = Neuron(5), Neuron(2)
    for found in (five + 2, 5 + two, five - two, 7 - two, 3 * two, two * 3, -five, sum([five])):
        assert type(found) is Neuron
    assert [five + 2, 7 - two, 3 * two, -five, sum([five, two])] == [7, 5, 6, -5, 7]
    assert type(five // two) is int
    assert five * 0.5 == 2.5
    with pytest.raises(TypeError):
        five + "2"  # noqa: B018 - it is what raises


def test_what_the_sdk_returns_shows_its_amounts() -> None:
    assert (LEDGER.available.og, LEDGER.locked.og) == ("1.5", "121.956789012345678901")
    assert replace(LEDGER, available=1).available.og == "0.000000000000000001"
    assert fake_service().input_price.og == "0.0000004"
    fee = chat_fee(fake_service(), Usage(3, 5), "")
    assert (fee.total.og, fee.lines[0].amount.og) == ("0.0000092", "0.0000012")
    assert FakeChain().balance(LEDGER.user).og == "0"


def test_records_with_amounts_stay_plain_records() -> None:
    assert repr(LEDGER).endswith(
        f"available=1500000000000000000, total={LARGE}, additional_info='')"
    )
    assert json.loads(json.dumps(asdict(LEDGER)))["total"] == LARGE
    assert pickle.loads(pickle.dumps(LEDGER)) == LEDGER == copy.copy(LEDGER)
    with pytest.raises(AttributeError):
        LEDGER.total = 5  # type: ignore[misc]
