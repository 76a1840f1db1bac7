"""Side by side, the cheapest and the fastest of the last answers are marked, where that is fair."""

from __future__ import annotations

import pytest

from chat.branches import Fork
from chat.models import Message, Receipt
from chat.passages import Turn
from chat.standings import standings

pytestmark = pytest.mark.django_db
ALONE = Fork(1, 1)


def turn(
    fee: int | None,
    milliseconds: int | None,
    text: str = "?",
    state: str = "complete",
    at_most: bool = False,
) -> Turn:
    question, answer = Message(role="user", text=text), Message(role="assistant", state=state)
    if state != "failed":
        Receipt(message=answer, fee=fee, fee_is_upper_bound=at_most, duration_ms=milliseconds)
    return Turn(question, answer, ALONE, ALONE, is_last=True)


def marks(*turns: Turn | None) -> list[tuple[bool, bool]]:
    return [(one.is_cheapest, one.is_fastest) for one in standings(turns)]


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        ((turn(5, 900), turn(7, 100)), [(True, False), (False, True)]),
        ((turn(5, 9), turn(5, 9), turn(8, 10)), [(True, True), (True, True), (False, False)]),
        ((turn(5, 9), turn(5, 9)), [(False, False)] * 2),
        ((turn(5, 9), turn(6, 10, text="another")), [(False, False)] * 2),
        ((turn(5, 9), turn(6, 10, state="stopped")), [(False, False)] * 2),
        (
            (turn(5, 9), turn(6, 10), turn(0, 0, state="failed")),
            [(True, True), *[(False,) * 2] * 2],
        ),
        ((turn(5, 9, at_most=True), turn(6, 9)), [(True, False), (False, False)]),
        ((turn(5, 9), turn(6, 9, at_most=True)), [(False, False)] * 2),
        ((turn(None, 9), turn(6, None), None), [(False, False)] * 3),
    ],
)
def test_only_what_is_least_of_whole_answers_to_one_question_is_marked(
    turns: tuple[Turn | None, ...], expected: list[tuple[bool, bool]]
) -> None:
    assert marks(*turns) == expected


def test_each_standing_says_how_far_it_is() -> None:
    states = ("streaming", "failed", "complete")
    shown = standings([*(turn(1, 1, state=state) for state in states), None])
    assert [one.words for one in shown] == ["Writing", "Failed", "Answered", "Not asked"]
