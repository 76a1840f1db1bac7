"""A wallet's conversations: listed by day, pinned, renamed, deleted, and taken back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from itertools import groupby
from uuid import UUID

from django.db import transaction
from django.utils import timezone as clock

from accounts.models import Wallet
from accounts.stored import delete_unnamed
from chat import pictures, search
from chat.models import Conversation, Picture

PAGE = 50
DELETED_KEPT = timedelta(days=7)
_MOST = 5_000
_PURGED_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Day:
    """The conversations last used on one day, newest first."""

    title: str
    conversations: list[Conversation]


@dataclass(frozen=True, slots=True)
class Shelf:
    """A wallet's conversations on a network: pinned ones, then the newest `show` by day."""

    pinned: list[Conversation]
    days: list[Day]
    has_older: bool
    show: int = PAGE

    @property
    def more(self) -> int:
        """How many to show next."""
        return self.show + PAGE

    @property
    def newest(self) -> Conversation | None:
        """The one used last, pinned or not."""
        firsts = [*self.pinned, *(day.conversations[0] for day in self.days[:1])]
        return max(firsts, key=lambda one: one.updated_at, default=None)


def shelf(wallet: Wallet, network: str, *, show: int = PAGE, minutes_east: int = 0) -> Shelf:
    """Return what the list shows; days begin at midnight where UTC is `minutes_east` earlier."""
    mine, show = Conversation.objects.of(wallet, network), min(show, _MOST)
    rest = list(mine.filter(pinned_at=None)[: show + 1])
    zone = timezone(timedelta(minutes=minutes_east))
    return Shelf(
        pinned=list(mine.exclude(pinned_at=None).order_by("-pinned_at")[:_MOST]),
        days=_by_day(rest[:show], zone),
        has_older=len(rest) > show,
        show=show,
    )


def deleted(wallet: Wallet, network: str) -> list[Conversation]:
    """The conversations that can be taken back, the one deleted last first."""
    gone = Conversation.objects.deleted_of(wallet, network)
    return list(gone.order_by("-deleted_at")[:PAGE])


def pin(conversation: Conversation) -> None:
    conversation.pinned_at = conversation.pinned_at or clock.now()
    conversation.save(update_fields=["pinned_at"])


def unpin(conversation: Conversation) -> None:
    conversation.pinned_at = None
    conversation.save(update_fields=["pinned_at"])


def rename(conversation: Conversation, title: str) -> None:
    conversation.title = title
    conversation.save(update_fields=["title"])
    search.keep_title(conversation)


def delete(conversation: Conversation) -> bool:
    """Take it out of sight, to be purged later; False while an answer is still on its way."""
    with transaction.atomic():
        list(Conversation.objects.select_for_update().filter(pk=conversation.pk))  # nobody asks now
        if conversation.messages.answers().filter(closed_at=None).exists():
            return False
        Conversation.objects.filter(pk=conversation.pk).update(deleted_at=clock.now())
    return True


def restore(wallet: Wallet, network: str, pk: UUID) -> bool:
    """Bring a deleted conversation back; False where there is none (any more)."""
    return bool(
        Conversation.objects.deleted_of(wallet, network).filter(pk=pk).update(deleted_at=None)
    )


def purge(network: str) -> int:
    """Delete for good what was deleted long enough ago, with its pictures; its usage stays."""
    due = Conversation.objects.filter(network=network, deleted_at__lt=clock.now() - DELETED_KEPT)
    with transaction.atomic():
        gone = list(due.select_for_update()[:_PURGED_AT_ONCE])  # nobody takes them back now
        names = pictures.names_in(gone)
        Conversation.objects.filter(pk__in=[one.pk for one in gone]).delete()
    delete_unnamed(Picture, names)
    return len(gone)


def _by_day(conversations: list[Conversation], zone: timezone) -> list[Day]:
    today = clock.now().astimezone(zone).date()

    def day_of(conversation: Conversation) -> date:
        used_at: datetime = conversation.updated_at
        return used_at.astimezone(zone).date()

    groups = groupby(conversations, key=day_of)
    return [Day(_title(day, today), list(same)) for day, same in groups]


def _title(day: date, today: date) -> str:
    if day >= today:
        return "Today"
    if day == today - timedelta(days=1):
        return "Yesterday"
    year = f" {day.year}" if day.year != today.year else ""
    return f"{day.day} {day:%B}{year}"
