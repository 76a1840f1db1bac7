"""The pictures of an imported question: hostile bytes until they are proved to be pixels alone."""

from __future__ import annotations

import binascii
from base64 import b64decode

from accounts.pictures import bare, clean, measure
from accounts.stored import NewFile
from chat.models import Message
from chat.pictures import BOUNDS, MOST
from chat.reading import ImportRefused, Part
from zgcompute.errors import InvalidBody

_MAX_CONTENT = 4 << 20  # characters of base64; what this site kept takes less


def pictures_of(part: Part, role: str) -> list[NewFile]:
    """Return the pictures of a message, in their own bytes where these hold nothing but pixels.

    Other bytes are drawn anew; a picture that was lost before the export is left out. Raises
    ImportRefused for what is no picture, or larger than this site keeps one: nothing of it is
    decoded then.
    """
    if part.get("pictures") is None:
        return []
    found = part.parts("pictures", MOST, f"{part.where}, picture")
    if found and role != Message.Role.USER:
        raise ImportRefused(f"{part.where}: only questions have pictures.")
    return [_picture(one) for one in found if one.get("content") is not None]


def _picture(part: Part) -> NewFile:
    try:
        content = b64decode(part.text("content", _MAX_CONTENT), validate=True)
    except (binascii.Error, ValueError):
        raise ImportRefused(f"{part.where}: its content is not base64.") from None
    size = measure(content)
    if size is not None and max(size) > BOUNDS.side:
        raise ImportRefused(f"{part.where}: it is larger than {BOUNDS.side} pixels.")
    try:
        return NewFile.picture(bare(content) or clean(content, BOUNDS))
    except InvalidBody as error:
        raise ImportRefused(f"{part.where}: {error}") from error
