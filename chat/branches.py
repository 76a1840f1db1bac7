"""The branches of a conversation: messages form a tree, and a page shows one way through it.

A question follows the answer that it was asked after, an answer follows its question. Of the
messages that follow the same one, the one chosen last is visible.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from chat.models import Conversation, Message


@dataclass(frozen=True, slots=True)
class Fork:
    """A message's place among those that follow the same one: `number` of `count`."""

    number: int
    count: int
    previous: UUID | None = None
    next: UUID | None = None


@dataclass(frozen=True, slots=True)
class _Node:
    pk: UUID
    parent: UUID | None
    chosen_at: datetime


class Tree:
    """The shape of a conversation without its texts: who follows whom, and which is visible."""

    def __init__(self, nodes: Iterable[_Node]) -> None:
        self._nodes = {node.pk: node for node in nodes}
        self._following: dict[UUID | None, list[_Node]] = {}
        for node in self._nodes.values():
            self._following.setdefault(node.parent, []).append(node)

    @classmethod
    def of(cls, conversation: Conversation) -> Tree:
        """Read the whole tree in one query."""
        rows = conversation.messages.order_by("created_at", "pk")
        return cls(_Node(*row) for row in rows.values_list("pk", "parent_id", "chosen_at"))

    def path(self, through: UUID | None = None) -> list[UUID]:
        """The visible branch from its first question on; with `through`, the one it lies on."""
        path = self.before(through) if through in self._nodes else []
        while following := self._following.get(path[-1] if path else None):
            path.append(max(following, key=lambda node: node.chosen_at).pk)
        return path

    def before(self, pk: UUID) -> list[UUID]:
        """What leads to the message `pk`, from the first question on, itself included."""
        way = []
        node: _Node | None = self._nodes[pk]
        while node is not None:
            way.append(node.pk)
            node = self._nodes.get(node.parent) if node.parent else None
        return way[::-1]

    def is_leaf(self, pk: UUID) -> bool:
        """Tell whether nothing follows the message `pk`."""
        return pk not in self._following

    def fork(self, pk: UUID) -> Fork:
        """Where the message `pk` stands among its siblings, in the order they were made."""
        siblings = [node.pk for node in self._following[self._nodes[pk].parent]]
        place = siblings.index(pk)
        return Fork(
            number=place + 1,
            count=len(siblings),
            previous=siblings[place - 1] if place else None,
            next=siblings[place + 1] if place + 1 < len(siblings) else None,
        )


def choose(message: Message) -> None:
    """Make the branch of `message` the visible one, for every tab of its wallet."""
    way = Tree.of(message.conversation).before(message.pk)
    Message.objects.filter(pk__in=way).update(chosen_at=timezone.now())
