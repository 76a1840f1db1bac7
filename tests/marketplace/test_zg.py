from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from marketplace import monograms
from marketplace.templatetags import zg
from tests.marketplace.factories import address


@pytest.mark.parametrize(
    ("neuron", "shown"),
    [(0, "0"), (1, "0.000000000000000001"), (1_234_567_890_123_456_789, "1.234567"), (10**18, "1")],
)
def test_balances_are_rounded_down_and_never_to_nothing(neuron: int, shown: str) -> None:
    assert f">{shown}<" in zg.zg(neuron)


def test_costs_are_rounded_up_with_the_exact_value_at_hand() -> None:
    html = zg.zg_cost(1_234_567_890_123_456_789)
    assert ">1.234568<" in html
    assert 'title="1.234567890123456789 0G"' in html


def test_a_column_is_filled_up_to_its_decimals() -> None:
    assert zg.zg_aligned(15 * 10**17, 3).endswith(">1.5\u2007\u2007</data>")
    assert zg.zg_aligned(2 * 10**18, 2).endswith(">2\u2008\u2007\u2007</data>")
    assert zg.zg_aligned(2 * 10**18, 0).endswith(">2</data>")


def test_a_column_that_adds_up_keeps_every_digit() -> None:
    assert zg.zg_exact_aligned(1, 18).endswith(">0.000000000000000001</data>")
    assert zg.zg_exact_aligned(10**17, 2).endswith(">0.1\u2007</data>")


def test_no_amount_is_a_dash() -> None:
    assert zg.zg(None) == zg.zg_cost(None) == zg.zg_aligned(None) == "–"


@pytest.mark.parametrize("hidden", ["\u202e", "\u2066", "\u200b", "\x00", "\x1b", "\n", "\ufeff"])
def test_invisible_and_turning_characters_are_left_out(hidden: str) -> None:
    assert zg.plain(f"a{hidden}b") == "ab"


def test_long_text_is_cut() -> None:
    assert zg.plain("x" * 500, 10) == "x" * 9 + "…"


def test_a_change_carries_its_sign_and_its_points_line_up() -> None:
    assert zg.zg_change(25 * 10**17, 2).endswith(">+2.5\u2007</data>")
    assert zg.zg_change(-25 * 10**17, 1).endswith(">\u22122.5</data>")
    assert zg.zg_change(0) == "–"


def test_thousands_are_grouped() -> None:
    assert zg.grouped(10**12) == "1,000,000,000,000"


def test_the_clock_names_the_day_unless_it_is_today() -> None:
    assert "22 Nov, 08:26 UTC" in zg.clock(datetime(2020, 11, 22, 8, 26, tzinfo=UTC))
    assert timezone.now().strftime(">%H:") in zg.clock(timezone.now())
    assert zg.clock(None) == "never"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (5, "5 s ago"),
        (119, "119 s ago"),
        (180, "3 min ago"),
        (7300, "2 h ago"),
        (200_000, "2 days ago"),
    ],
)
def test_ages_have_one_unit(seconds: int, words: str) -> None:
    assert zg.ago(timezone.now() - timedelta(seconds=seconds)) == words


def test_an_address_always_has_the_same_picture() -> None:
    aurora = address("aurora")
    assert monograms.path(aurora) == monograms.path(aurora.lower())
    assert monograms.path(aurora) != monograms.path(address("borealis"))
    assert 0 <= monograms.hue(aurora) < monograms.HUES
