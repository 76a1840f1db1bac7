"""The files of works: what is sent, what comes, and their end."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from django.db import transaction

from accounts import stored as storage
from accounts.pictures import shown_size
from accounts.stored import NewFile, delete_unnamed
from studio.models import File, Work
from studio.recordings import length
from zgcompute.pictures import Picture
from zgcompute.uploads import Upload


def recording(sent: Upload) -> NewFile:
    """A recording that is to be written down."""
    facts = {"media_type": sent.media_type, "ending": sent.name.rpartition(".")[2]}
    return NewFile(sent.content, {**facts, "seconds": length(sent.content)})


def result(picture: Picture) -> NewFile:
    """A provider's picture in the very bytes that came: they are what was signed."""
    width, height = shown_size(picture.content) or (None, None)
    facts = {"media_type": picture.media_type, "ending": picture.ending}
    facts |= {"note": picture.revised_prompt}
    return NewFile(picture.content, {**facts, "width": width, "height": height})


def stored(*new: NewFile) -> AbstractContextManager[list[dict[str, Any]]]:
    """Store the bytes and give the columns of their rows; those left without a row go again."""
    return storage.stored(File, "works", new)


def delete(work: Work) -> bool:
    """Delete a work with its files; False while it is still on its way."""
    with transaction.atomic():
        ended = Work.objects.select_for_update().filter(pk=work.pk)
        if ended.running().exists():
            return False
        names = list(work.files.values_list("name", flat=True))
        ended.delete()
    delete_unnamed(File, names)
    return True
