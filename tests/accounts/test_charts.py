from __future__ import annotations

from accounts import charts


def test_columns_are_as_tall_as_their_amounts() -> None:
    drawn = charts.columns([("Mon", 50), ("Tue", 200), ("Wed", 0)])
    assert [column.height for column in drawn.columns] == [25, 100, 0]
    assert [column.y for column in drawn.columns] == [75, 0, 100]
    assert [column.x for column in drawn.columns] == [1, 9, 17]
    assert (drawn.width, drawn.highest, drawn.first, drawn.last) == (24, 200, "Mon", "Wed")


def test_a_small_amount_beside_a_huge_one_is_still_seen() -> None:
    drawn = charts.columns([("Mon", 1), ("Tue", 10**24)])
    assert drawn.columns[0].height == 2


def test_nothing_has_no_height() -> None:
    assert [column.height for column in charts.columns([("Mon", 0)]).columns] == [0]
