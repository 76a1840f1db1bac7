"""Files that people send and providers return: read within bounds, kept by their content's hash."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db import models

from zgcompute.errors import InvalidBody

SHOWN_TYPES = ("image/png", "image/jpeg", "image/webp")  # never SVG: it may hold scripts


class StoredFile(models.Model):
    """A row that stands for a file; its bytes are in the storage under `name`."""

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

    @property
    def columns(self) -> dict[str, Any]:
        """What another row needs to stand for the same file."""
        return {field.name: getattr(self, field.name) for field in StoredFile._meta.get_fields()}

    def read(self, start: int = 0, size: int = -1) -> bytes:
        """Its bytes from the storage, or `size` of them; raises FileNotFoundError if gone."""
        with default_storage.open(self.name) as stored:
            stored.seek(start)
            content: bytes = stored.read(size)
        return content


def store(folder: str, content: bytes) -> dict[str, Any]:
    """Keep `content` in `folder` of the storage, once for the same bytes; returns its columns."""
    digest = sha256(content).hexdigest()
    name = f"{folder}/{digest}"
    if not default_storage.exists(name):
        name = str(default_storage.save(name, ContentFile(content)))
    return {"name": name, "sha256": digest, "size": len(content)}


def read_upload(sent: UploadedFile[bytes], most: int) -> bytes:
    """The bytes of an upload; raises InvalidBody before reading more than `most`."""
    if sent.size is None or sent.size > most:
        raise InvalidBody(
            f"The file is {(sent.size or 0) >> 20} MB; at most {most >> 20} MB are taken.",
            advice="Send a smaller file.",
        )
    content: bytes = sent.read()
    return content
