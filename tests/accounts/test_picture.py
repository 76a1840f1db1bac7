from __future__ import annotations

import random

import pytest

from accounts import picture, shares
from accounts.picture import Holder, Kind
from tests.accounts.cast import zg


def drawn(
    wallet: int = 0, available: int = 0, locked: int = 0, holders: list[Holder] | None = None
) -> picture.Picture:
    found = picture.draw(wallet, available, locked, holders or [])
    assert found is not None
    return found


def test_a_bar_is_filled_in_proportion() -> None:
    quarter, half, rest = shares.spans([25, 50, 25])
    assert (quarter.x, quarter.length) == ("0.000%", "25.000%")
    assert (half.x, half.end) == ("25.000%", "75.000%")
    assert rest.end == "100.000%"


def test_a_millionth_is_still_seen_and_nothing_is_not() -> None:
    large, small, nothing = shares.spans([zg("1000000"), zg("1"), 0])
    assert small.width == shares.LEAST
    assert nothing.width == 0
    assert large.width + small.width == shares.WHOLE


@pytest.mark.parametrize("seed", range(50))
def test_whatever_the_amounts_the_bar_is_full_and_in_order(seed: int) -> None:
    dice = random.Random(seed)
    amounts = [dice.randrange(10 ** dice.randrange(30)) for _ in range(dice.randrange(1, 60))]
    found = shares.spans(amounts)
    assert sum(span.width for span in found) == (shares.WHOLE if any(amounts) else 0)
    for amount, span in zip(amounts, found, strict=True):
        assert (span.width > 0) == (amount > 0)
    for (low, narrow), (high, wide) in zip(
        sorted(zip(amounts, found, strict=True), key=lambda pair: pair[0])[:-1],
        sorted(zip(amounts, found, strict=True), key=lambda pair: pair[0])[1:],
        strict=True,
    ):
        assert low == high or narrow.width <= wide.width + 1


def test_a_hundred_thousand_parts_still_fit() -> None:
    assert sum(span.width for span in shares.spans([1] * 1_000)) == shares.WHOLE


def test_every_neuron_is_in_the_figures_once() -> None:
    found = drawn(
        wallet=zg("10"),
        available=zg("3"),
        locked=zg("4"),
        holders=[picture.holder("a", "0x", zg("3"), zg("1"), 7)],
    )
    assert {part.kind: part.amount for part in found.sums} == {
        Kind.WALLET: zg("10"),
        Kind.AVAILABLE: zg("3"),
        Kind.FREE: zg("2") - 7,
        Kind.UNSETTLED: 7,
        Kind.REFUNDING: zg("1"),
        Kind.ELSEWHERE: zg("1"),
    }
    assert found.total == zg("17")


@pytest.mark.parametrize(
    ("balance", "pending", "unsettled", "parts"),
    [
        (10, 0, 0, (10, 0, 0)),
        (10, 4, 3, (3, 3, 4)),
        (10, 4, 8, (0, 8, 2)),  # fees beyond what is free come out of the refunds
        (10, 0, 99, (0, 10, 0)),  # nobody can take more than there is
        (0, 0, 0, (0, 0, 0)),
    ],
)
def test_the_parts_of_a_sub_account_add_up(
    balance: int, pending: int, unsettled: int, parts: tuple[int, int, int]
) -> None:
    found = picture.holder("a", "0x", balance, pending, unsettled)
    assert (found.free, found.unsettled, found.refunding) == parts
    assert found.total == balance


def test_the_second_bar_shows_exactly_what_the_first_calls_locked() -> None:
    found = drawn(wallet=zg("6"), locked=zg("2"), holders=[Holder("a", "0x", zg("2"), 0, 0)])
    assert (found.locked.x, found.locked.end) == ("75.000%", "100.000%")
    assert [(band.label, band.span.length) for band in found.bands] == [("a", "100.000%")]


def test_of_fifty_providers_the_small_ones_stand_together() -> None:
    many = [Holder(f"p{n}", "0x", zg("1"), n, 0) for n in range(48)]
    large = [Holder("big", "0x", zg("90"), 0, 0), Holder("second", "0x", zg("30"), 0, 0)]
    found = drawn(locked=zg("500"), holders=many + large)
    assert [band.label for band in found.bands] == ["big", "second", "48 others", "other services"]
    assert sum(band.total for band in found.bands) == zg("500")
    assert len(found.holders) == 50


def test_the_parts_of_a_provider_fill_its_place() -> None:
    one = Holder("a", "0x", zg("1"), zg("2"), zg("3"))
    for band in drawn(locked=zg("8"), holders=[one, Holder("b", "0x", zg("2"), 0, 0)]).bands:
        assert band.parts[0].span.start == band.span.start
        assert sum(part.span.width for part in band.parts) == band.span.width


def test_nothing_is_no_picture() -> None:
    assert picture.draw(0, 0, 0, []) is None
