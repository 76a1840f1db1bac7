from __future__ import annotations

from marketplace import sparklines
from marketplace.templatetags.measured import duration, percent


def test_each_state_has_a_shape_of_its_own_and_is_said_in_words() -> None:
    bars = sparklines.bars([[6, 6, 1], [6, 3, 1], [6, 0, None], [0, 0, None], [6, 6, 2]], "hour")
    assert bars.width == 19
    assert bars.up == "M0 16v-16h3v16zM16 16v-16h3v16z"
    assert bars.partly == "M4 16v-7h3v7z"
    assert bars.down == "M8 16l3-4m-3 0l3 4"
    assert bars.unknown == "M12 15h3v1h-3z"
    assert bars.description == (
        "2 hours always reachable; 1 hour reachable now and then; 1 hour never reachable;"
        " 1 hour not measured."
    )


def test_one_miss_is_seen() -> None:
    assert "v-13h3" in sparklines.bars([[1000, 999]], "day").partly


def test_a_line_breaks_where_nothing_was_measured() -> None:
    line = sparklines.line([10, 20, None, 0])
    assert line is not None
    assert line.path == "M2 24L10 2M26 46"
    assert (line.lowest, line.highest) == (0, 20)
    assert sparklines.line([None, None]) is None


def test_figures_read_like_figures() -> None:
    assert [percent(n) for n in (10_000, 9_995, 9_950, 0, 5)] == [
        "100 %",
        "99.95 %",
        "99.5 %",
        "0 %",
        "0.05 %",
    ]
    assert [duration(n) for n in (0, 999, 1_340, 9_960, 75_000)] == [
        "0 ms",
        "999 ms",
        "1.3 s",
        "10 s",
        "75 s",
    ]
