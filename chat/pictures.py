"""Pictures of questions: kept with their conversation, and gone together with it."""

from __future__ import annotations

import uuid
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from django.db import models
from django.db.models import Sum

from accounts.models import Wallet
from accounts.pictures import Bounds
from accounts.stored import NewFile, StoredFile, stored
from zgcompute.errors import InvalidBody

if TYPE_CHECKING:
    from chat.models import Conversation, Message

MOST = 4  # with one question
MAX_UPLOAD = 10 << 20  # bytes
BOUNDS = Bounds(side=1536, size=3 << 19)  # larger ones are scaled down by providers anyway
MOST_TOGETHER = 30 << 20  # bytes in one conversation: with one question more, it can be imported
MOST_KEPT = 1 << 29  # bytes of one wallet's pictures on one network


class Picture(StoredFile):
    """One picture of a question, without anything but its pixels."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    message = models.ForeignKey("chat.Message", models.CASCADE, related_name="pictures")
    index = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ("index",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["message", "index"], name="one_picture_per_place")
        ]

    def __str__(self) -> str:
        """What stands in its place for who cannot see it."""
        return f"Picture {self.index + 1}: {self.kind}, {self.width} × {self.height} pixels"

    @property
    def kind(self) -> str:
        """Its format, such as "PNG"."""
        return self.media_type.removeprefix("image/").upper()

    @property
    def download_name(self) -> str:
        """A name that says nothing of anybody's computer."""
        return f"picture-{str(self.pk)[:8]}.{self.ending}"

    def base64(self) -> str | None:
        """Its bytes in base64, or None where this site has lost them."""
        try:
            return b64encode(self.read()).decode()
        except FileNotFoundError:
            return None

    def data_url(self) -> str:
        """The picture itself as a URL; raises InvalidBody where this site has lost it."""
        content = self.base64()
        if content is None:
            raise InvalidBody(
                "A picture of this conversation is missing in this site's storage.",
                advice="Ask in other words without it.",
            )
        return f"data:{self.media_type};base64,{content}"


Shown = Sequence[tuple["Message", Sequence[NewFile]]]  # questions, each with its pictures


@contextmanager
def kept(shown: Shown) -> Iterator[list[Picture]]:
    """Store the bytes and give the rows, which are not stored yet; bytes that are left without a
    row go again."""
    places = [(one, at, new) for one, several in shown for at, new in enumerate(several)]
    with stored(Picture, "chat", [new for *_, new in places]) as columns:
        yield [
            Picture(message=question, index=at, **each)
            for (question, at, _), each in zip(places, columns, strict=True)
        ]


def bytes_of_wallet(wallet: Wallet, network: str) -> int:
    """What the wallet's pictures take, each as often as it was asked about."""
    return _bytes(message__conversation__wallet=wallet, message__conversation__network=network)


def bytes_in(conversations: Iterable[Conversation]) -> int:
    """What the pictures of `conversations` take, each as often as it was asked about."""
    return _bytes(message__conversation__in=conversations)


def names_in(conversations: Iterable[Conversation]) -> list[str]:
    """What the pictures of `conversations` are called in the storage."""
    mine = Picture.objects.filter(message__conversation__in=conversations)
    return list(mine.values_list("name", flat=True))


def _bytes(**wanted: object) -> int:
    return Picture.objects.filter(**wanted).aggregate(bytes=Sum("size"))["bytes"] or 0
