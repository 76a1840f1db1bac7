"""Files in the storage, each under the hash of its content: the same bytes are kept once."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction

from studio.models import File, Work
from studio.pictures import CleanPicture, shown_size
from zgcompute.pictures import Picture
from zgcompute.uploads import Upload, picture_type


def kept_picture(picture: CleanPicture) -> dict[str, Any]:
    """Store a picture that is to be edited; returns the columns of its row."""
    kind = picture_type(picture.content)
    return _kept(
        picture.content,
        media_type=picture.media_type,
        ending=kind[1] if kind else "bin",
        width=picture.width,
        height=picture.height,
    )


def kept_recording(recording: Upload) -> dict[str, Any]:
    """Store a recording that is to be written down; returns the columns of its row."""
    ending = recording.name.rpartition(".")[2]
    return _kept(recording.content, media_type=recording.media_type, ending=ending)


def kept_result(picture: Picture) -> dict[str, Any]:
    """Store a provider's picture in the very bytes that came: they are what was signed."""
    width, height = shown_size(picture.content) or (None, None)
    return _kept(
        picture.content,
        media_type=picture.media_type,
        ending=picture.ending,
        width=width,
        height=height,
        note=picture.revised_prompt,
    )


def kept_again(file: File) -> dict[str, Any]:
    """The columns of a row for a file that is stored already."""
    return {name: getattr(file, name) for name in _COLUMNS}


def delete(work: Work) -> bool:
    """Delete a work with its files; False while it is still on its way."""
    with transaction.atomic():
        ended = Work.objects.select_for_update().filter(pk=work.pk)
        if ended.running().exists():
            return False
        names = set(work.files.values_list("name", flat=True))
        ended.delete()
    for name in names - set(File.objects.filter(name__in=names).values_list("name", flat=True)):
        default_storage.delete(name)
    return True


def _kept(content: bytes, **facts: object) -> dict[str, Any]:
    digest = sha256(content).hexdigest()
    stored = {"name": _store(digest, content), "sha256": digest, "size": len(content)}
    return stored | facts


def _store(digest: str, content: bytes) -> str:
    name = f"works/{digest[:2]}/{digest}"
    if default_storage.exists(name):
        return name
    return str(default_storage.save(name, ContentFile(content)))


_COLUMNS = ("name", "sha256", "media_type", "ending", "size", "width", "height")
