"""Files in the storage: each row has bytes of its own, so that no deletion can take another's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import uuid4

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction

from accounts.pictures import CleanPicture, shown_size
from studio.models import File, Work
from studio.recordings import length
from zgcompute.pictures import Picture
from zgcompute.uploads import Upload


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
        """A picture that is to be edited."""
        facts = {"media_type": picture.media_type, "ending": picture.ending}
        return cls(picture.content, {**facts, "width": picture.width, "height": picture.height})

    @classmethod
    def recording(cls, recording: Upload) -> NewFile:
        """A recording that is to be written down."""
        facts = {"media_type": recording.media_type, "ending": recording.name.rpartition(".")[2]}
        return cls(recording.content, {**facts, "seconds": length(recording.content)})

    @classmethod
    def result(cls, picture: Picture) -> NewFile:
        """A provider's picture in the very bytes that came: they are what was signed."""
        width, height = shown_size(picture.content) or (None, None)
        facts = {"media_type": picture.media_type, "ending": picture.ending}
        facts |= {"note": picture.revised_prompt}
        return cls(picture.content, {**facts, "width": width, "height": height})

    @classmethod
    def again(cls, file: File) -> NewFile:
        """A copy of a kept file; raises FileNotFoundError where it was deleted meanwhile."""
        return cls(file.read(), {name: getattr(file, name) for name in _COPIED})


@contextmanager
def stored(*new: NewFile) -> Iterator[list[dict[str, Any]]]:
    """Store the bytes and give the columns of their rows; those left without a row go again."""
    names: list[str] = []
    try:
        names.extend(_store(file.content) for file in new)  # those before a fault stay in it
        yield [_columns(file, name) for file, name in zip(new, names, strict=True)]
    finally:
        _delete_unnamed(names)


def delete(work: Work) -> bool:
    """Delete a work with its files; False while it is still on its way."""
    with transaction.atomic():
        ended = Work.objects.select_for_update().filter(pk=work.pk)
        if ended.running().exists():
            return False
        names = list(work.files.values_list("name", flat=True))
        ended.delete()
    _delete_unnamed(names)
    return True


def _store(content: bytes) -> str:
    key = uuid4().hex
    return str(default_storage.save(f"works/{key[:2]}/{key}", ContentFile(content)))


def _columns(file: NewFile, name: str) -> dict[str, Any]:
    return {"name": name, "sha256": file.sha256, "size": len(file.content), **file.facts}


def _delete_unnamed(names: list[str]) -> None:
    """Delete the bytes that no row names. Only rows of old works may share a name."""
    named = set(File.objects.filter(name__in=names).values_list("name", flat=True))
    for name in set(names) - named:
        default_storage.delete(name)


_COPIED = ("media_type", "ending", "width", "height", "seconds")
