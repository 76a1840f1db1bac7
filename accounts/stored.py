"""Files in the storage: each row has bytes of its own, so that no deletion can take another's."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, ClassVar
from uuid import uuid4

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db import models

from accounts.pictures import CleanPicture
from zgcompute.errors import InvalidBody

SHOWN_TYPES = ("image/png", "image/jpeg", "image/webp")  # never SVG: it may hold scripts


@dataclass(frozen=True, slots=True)
class NewFile:
    """Bytes that are to be stored, and what their row says of them."""

    content: bytes
    facts: dict[str, Any]

    @property
    def sha256(self) -> str:
        return sha256(self.content).hexdigest()

    @classmethod
    def picture(cls, picture: CleanPicture) -> NewFile:
        """A picture that somebody sends."""
        facts = {"media_type": picture.media_type, "ending": picture.ending}
        return cls(picture.content, {**facts, "width": picture.width, "height": picture.height})


class StoredFile(models.Model):
    """A row that stands for a file; its bytes are in the storage under a `name` of their own."""

    FACTS: ClassVar[tuple[str, ...]] = ("media_type", "ending", "width", "height")  # of a copy too

    name = models.CharField(max_length=120)  # in the storage
    sha256 = models.CharField(max_length=64)
    media_type = models.CharField(max_length=40)  # told by its content
    ending = models.CharField(max_length=8)
    size = models.PositiveBigIntegerField()  # bytes
    width = models.PositiveIntegerField(null=True)  # pixels; None where it is not to be shown
    height = models.PositiveIntegerField(null=True)

    class Meta:
        abstract = True

    @property
    def is_shown(self) -> bool:
        """Tell whether a browser may draw it in a page."""
        return self.media_type in SHOWN_TYPES and self.width is not None

    def read(self, start: int = 0, size: int = -1) -> bytes:
        """Its bytes from the storage, or `size` of them; raises FileNotFoundError if gone."""
        with default_storage.open(self.name) as stored:
            stored.seek(start)
            content: bytes = stored.read(size)
        return content

    def copy(self) -> NewFile:
        """The same for another row; raises FileNotFoundError where its bytes are gone."""
        return NewFile(self.read(), {name: getattr(self, name) for name in self.FACTS})


@contextmanager
def stored(
    rows: type[StoredFile], folder: str, new: Sequence[NewFile]
) -> Iterator[list[dict[str, Any]]]:
    """Store the bytes in `folder` and give the columns of their `rows`; those that are left
    without a row go again."""
    names: list[str] = []
    try:
        names.extend(_store(folder, file.content) for file in new)  # those before a fault stay
        yield [_columns(file, name) for file, name in zip(new, names, strict=True)]
    finally:
        delete_unnamed(rows, names)


def delete_unnamed(rows: type[StoredFile], names: Collection[str]) -> None:
    """Delete the bytes that none of `rows` names. Only rows of earlier releases share a name."""
    named = rows._default_manager.filter(name__in=names).values_list("name", flat=True)
    for name in set(names) - set(named):
        default_storage.delete(name)


def read_upload(sent: UploadedFile[bytes], most: int) -> bytes:
    """The bytes of an upload; raises InvalidBody before reading more than `most`."""
    if sent.size is None or sent.size > most:
        raise InvalidBody(
            f"The file is {(sent.size or 0) >> 20} MB; at most {most >> 20} MB are taken.",
            advice="Send a smaller file.",
        )
    content: bytes = sent.read()
    return content


def _store(folder: str, content: bytes) -> str:
    key = uuid4().hex
    return str(default_storage.save(f"{folder}/{key[:2]}/{key}", ContentFile(content)))


def _columns(file: NewFile, name: str) -> dict[str, Any]:
    return {"name": name, "sha256": file.sha256, "size": len(file.content), **file.facts}
