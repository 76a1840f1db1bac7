"""Files in the storage, each under the hash of its content: the same bytes are kept once."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from django.core.files.storage import default_storage
from django.db import transaction

from accounts.pictures import CleanPicture, shown_size
from accounts.stored import store
from studio.models import File, Work
from zgcompute.pictures import Picture
from zgcompute.uploads import Upload


def kept_picture(picture: CleanPicture) -> dict[str, Any]:
    """Store a picture that is to be edited; returns the columns of its row."""
    return _kept(
        picture.content,
        media_type=picture.media_type,
        ending=picture.ending,
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
    return store(f"works/{sha256(content).hexdigest()[:2]}", content) | facts
