"""Which conversations, turns and answers a page or worker looks at."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models

if TYPE_CHECKING:
    from accounts.models import Wallet


class ConversationQuerySet(models.QuerySet):  # type: ignore[type-arg]
    """Conversations of one wallet on one network."""

    def of(self, wallet: Wallet, network: str) -> ConversationQuerySet:
        return self.filter(wallet=wallet, network=network, deleted_at=None)

    def deleted_of(self, wallet: Wallet, network: str) -> ConversationQuerySet:
        """Those that can still be taken back."""
        return self.filter(wallet=wallet, network=network).exclude(deleted_at=None)


class MessageQuerySet(models.QuerySet):  # type: ignore[type-arg]
    """Questions and their answers."""

    def of(self, wallet: Wallet, network: str) -> MessageQuerySet:
        mine = self.filter(conversation__wallet=wallet, conversation__network=network)
        return mine.filter(conversation__deleted_at=None)

    def questions(self) -> MessageQuerySet:
        return self.filter(role="user")

    def answers(self) -> MessageQuerySet:
        return self.filter(role="assistant")

    def running(self) -> MessageQuerySet:
        return self.answers().filter(state__in=("pending", "streaming"))

    def ended(self) -> MessageQuerySet:
        return self.exclude(state__in=("pending", "streaming"))

    def abandoned(self, since: datetime) -> MessageQuerySet:
        """Answers that should still be worked on, with no sign of life after `since`."""
        return self.answers().filter(closed_at=None, touched_at__lt=since)

    def with_proof(self) -> MessageQuerySet:
        return self.select_related("receipt")
