"""What a page shows of a conversation: turns of one branch, each with its place at its forks."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from uuid import UUID

from chat.branches import Fork, Tree
from chat.models import Conversation, Message

SHOWN_TURNS = 100
SHOWN_CHARACTERS = 500_000  # of their answers: each page formats them


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and one of its answers, each with its place among its siblings.

    `is_new` where this call made it.
    """

    question: Message
    answer: Message
    question_fork: Fork
    answer_fork: Fork
    is_last: bool  # nothing was asked after this answer
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Passage:
    """The turns that a page shows of a branch, and how many it leaves out on either side.

    `earlier` is the question to show for a page of those left out before.
    """

    turns: list[Turn]
    older: int = 0
    newer: int = 0
    earlier: UUID | None = None

    @property
    def leaf(self) -> UUID | None:
        """The answer that the next question follows."""
        return self.turns[-1].answer.pk if self.turns else None


def passage(conversation: Conversation, through: UUID | None = None) -> Passage:
    """The turns to show: the newest of the visible branch, or those around `through`."""
    tree = Tree.of(conversation)
    path = _whole(tree.path(through))
    start, end = _window(path, through)
    turns = _fitting(_turns(tree, path[start:end]), keep_first=end < len(path))
    if end == len(path):
        start = end - 2 * len(turns)
    else:
        end = start + 2 * len(turns)
    return Passage(
        turns=turns,
        older=start // 2,
        newer=(len(path) - end) // 2,
        earlier=path[max(0, start - 2 * SHOWN_TURNS)] if start else None,
    )


def last_turn(conversation: Conversation) -> Turn | None:
    """The last turn of the visible branch, or None before the first question."""
    tree = Tree.of(conversation)
    turns = _turns(tree, _whole(tree.path())[-2:])
    return turns[-1] if turns else None


def turn_of(answer: Message) -> Turn:
    """The turn that ends with `answer`."""
    tree = Tree.of(answer.conversation)
    assert answer.parent is not None
    return _turn(tree, answer.parent, answer)


def _whole(path: list[UUID]) -> list[UUID]:
    """The turns of the path: a question and its answer are stored together."""
    return path[: len(path) // 2 * 2]


def _window(path: list[UUID], through: UUID | None) -> tuple[int, int]:
    """Which part of the path to show: its end, unless `through` lies before that."""
    start = max(0, len(path) - 2 * SHOWN_TURNS)
    place = path.index(through) // 2 * 2 if through in path else start
    return (start, len(path)) if place >= start else (place, place + 2 * SHOWN_TURNS)


def _turns(tree: Tree, path: list[UUID]) -> list[Turn]:
    rows = Message.objects.with_proof().prefetch_related("pictures").in_bulk(path)
    pairs = zip(path[::2], path[1::2], strict=True)
    return [_turn(tree, rows[question], rows[answer]) for question, answer in pairs]


def _turn(tree: Tree, question: Message, answer: Message) -> Turn:
    forks = tree.fork(question.pk), tree.fork(answer.pk)
    return Turn(question, answer, *forks, is_last=tree.is_leaf(answer.pk))


def _fitting(turns: list[Turn], *, keep_first: bool) -> list[Turn]:
    """Those that make a page of a sane size, from the end or from the start; at least one."""
    ordered = turns if keep_first else turns[::-1]
    sizes = accumulate(len(one.answer.text) + len(one.answer.reasoning) for one in ordered)
    count = max(1, sum(size <= SHOWN_CHARACTERS for size in sizes))
    return turns[:count] if keep_first else turns[-count:]
