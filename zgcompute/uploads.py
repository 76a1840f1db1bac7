"""Files that are sent to a provider, and the form that carries them (pure but for reading a file).

A provider signs the hash of the whole form as the client sent it, boundary included (PROTOCOL
§4.5). So the form is written here, once, and those very bytes are hashed and sent.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from zgcompute.errors import InvalidBody

MAX_FORM = 32 << 20  # bytes; providers take no larger body (PROTOCOL §2.1)
MAX_UPLOAD = MAX_FORM - (64 << 10)  # the rest is for the other fields
_PICTURES = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png", "png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg", "jpg"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp", "webp"),
)
_RECORDINGS = (
    (re.compile(rb"RIFF....WAVE", re.DOTALL), "audio/wav", "wav"),
    (re.compile(rb"ID3|\xff[\xe2\xe3\xf2\xf3\xfa\xfb]"), "audio/mpeg", "mp3"),
    (re.compile(rb"fLaC"), "audio/flac", "flac"),
    (re.compile(rb"OggS"), "audio/ogg", "ogg"),
    (re.compile(rb"....ftyp", re.DOTALL), "audio/mp4", "m4a"),
    (re.compile(rb"\x1aE\xdf\xa3"), "audio/webm", "webm"),
)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to send; its name is made from its kind, so that nothing of a path leaves."""

    content: bytes
    media_type: str
    name: str

    @classmethod
    def picture(cls, source: bytes | str | Path) -> Upload:
        """A PNG, JPEG or WebP from bytes or a path, told by its content; raises InvalidBody."""
        content = _read(source)
        kind = picture_type(content)
        if kind is None:
            raise InvalidBody("The file is not a picture.", advice="Send a PNG, JPEG or WebP.")
        return cls(content, kind[0], f"picture.{kind[1]}")

    @classmethod
    def recording(cls, source: bytes | str | Path) -> Upload:
        """A sound file from bytes or a path, told by its content; raises InvalidBody."""
        content = _read(source)
        kind = _sniffed(content, _RECORDINGS)
        if kind is None:
            raise InvalidBody(
                "The file is not a recording.",
                advice="Send a WAV, MP3, FLAC, Ogg, M4A or WebM file.",
            )
        return cls(content, kind[0], f"recording.{kind[1]}")


@dataclass(frozen=True, slots=True)
class Form:
    """A multipart body in the very bytes that are sent, and the header that goes with it."""

    content_type: str
    body: bytes


def form(fields: Mapping[str, str], file_field: str, file: Upload) -> Form:
    """Return the form of `fields`, without the empty ones, and `file`; raises InvalidBody."""
    boundary = f"zgcompute-{secrets.token_hex(16)}"
    head = f'Content-Disposition: form-data; name="{file_field}"; filename="{file.name}"'
    parts = [
        *(
            _part(boundary, f'Content-Disposition: form-data; name="{name}"', _encoded(value))
            for name, value in fields.items()
            if value
        ),
        _part(boundary, f"{head}\r\nContent-Type: {file.media_type}", file.content),
        f"--{boundary}--\r\n".encode(),
    ]
    body = b"".join(parts)
    if len(body) > MAX_FORM:
        raise InvalidBody("The request is larger than providers take.", advice="Shorten it.")
    return Form(f"multipart/form-data; boundary={boundary}", body)


def picture_type(content: bytes) -> tuple[str, str] | None:
    """The media type and file ending of a PNG, JPEG or WebP; None for anything else."""
    return _sniffed(content, _PICTURES)


def _sniffed(
    content: bytes, kinds: tuple[tuple[re.Pattern[bytes], str, str], ...]
) -> tuple[str, str] | None:
    return next(((kind, ending) for mark, kind, ending in kinds if mark.match(content)), None)


def _read(source: bytes | str | Path) -> bytes:
    content = source if isinstance(source, bytes) else _read_file(Path(source))
    if not content:
        raise InvalidBody("The file is empty.", advice="Choose another file.")
    if len(content) > MAX_UPLOAD:
        raise InvalidBody(
            f"The file is larger than {MAX_UPLOAD >> 20} MB, the most that providers take.",
            advice="Send a smaller file.",
        )
    return content


def _read_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_UPLOAD + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InvalidBody(f"{path} cannot be read: {reason}.", advice="Check the path.") from error


def _part(boundary: str, head: str, content: bytes) -> bytes:
    return f"--{boundary}\r\n{head}\r\n\r\n".encode() + content + b"\r\n"


def _encoded(value: str) -> bytes:
    return value.encode("utf-8", "replace")
