"""How the last answers of conversations side by side compare: state, cost and time of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chat.models import Message, Receipt
from chat.passages import Turn

_WORDS = {
    Message.State.PENDING: "Waiting",
    Message.State.STREAMING: "Writing",
    Message.State.COMPLETE: "Answered",
    Message.State.STOPPED: "Stopped",
    Message.State.INTERRUPTED: "Broke off",
    Message.State.FAILED: "Failed",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """A column's last answer among those of the others; without one it has not been asked."""

    answer: Message | None = None
    receipt: Receipt | None = None
    is_cheapest: bool = False
    is_fastest: bool = False

    @property
    def words(self) -> str:
        return _WORDS[Message.State(self.answer.state)] if self.answer else "Not asked"


def standings(turns: Sequence[Turn | None]) -> list[Standing]:
    """The standing of each column's last turn. The least fee and the shortest time from question
    to end are marked where all were asked the same and at least two whole answers differ in it."""
    answers = [turn.answer if turn else None for turn in turns]
    receipts = [getattr(answer, "receipt", None) for answer in answers]
    is_same = len({turn.question.text for turn in turns if turn}) == 1
    whole = [
        receipt if is_same and answer and answer.state == Message.State.COMPLETE else None
        for answer, receipt in zip(answers, receipts, strict=True)
    ]
    cheapest = _least([receipt.fee if receipt else None for receipt in whole])
    others = [receipt for receipt, is_least in zip(whole, cheapest, strict=True) if not is_least]
    if any(receipt and receipt.fee_is_upper_bound for receipt in others):
        cheapest = [False] * len(whole)  # one of them may have cost even less
    fastest = _least([receipt.duration_ms if receipt else None for receipt in whole])
    columns = zip(answers, receipts, cheapest, fastest, strict=True)
    return [Standing(*column) for column in columns]


def _least(values: Sequence[int | None]) -> list[bool]:
    """Which of `values` are the least one; none where those known are all the same."""
    known = {value for value in values if value is not None}
    return [len(known) > 1 and value == min(known) for value in values]
