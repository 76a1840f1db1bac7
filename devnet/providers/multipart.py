"""Reading multipart/form-data bodies, however broken they are."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import Message

from devnet.providers.wire import Refusal


@dataclass(frozen=True, slots=True)
class Part:
    """One field; `filename` is empty for plain values."""

    name: str
    filename: str
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace").strip()


def parse(content_type: str, body: bytes) -> dict[str, Part]:
    """Return the first part of each name; raises Refusal for a body that is no form at all."""
    boundary = _parameter(content_type, "boundary")
    if not content_type.lower().startswith("multipart/form-data") or not boundary:
        raise Refusal("prepare HTTP request: request Content-Type isn't multipart/form-data")
    sections = (b"\r\n" + body).split(b"\r\n--" + boundary.encode("latin-1", "replace"))[1:]
    parts: dict[str, Part] = {}
    for section in sections:
        if section.startswith(b"--"):
            break
        part = _part(section)
        if part is not None:
            parts.setdefault(part.name, part)
    if not parts:
        raise Refusal("prepare HTTP request: multipart: NextPart: EOF")
    return parts


def _part(section: bytes) -> Part | None:
    head, separator, content = section.partition(b"\r\n\r\n")
    if not separator:
        return None
    for line in head.decode("utf-8", "replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-disposition":
            field = _parameter(value, "name")
            return Part(field, _parameter(value, "filename"), content) if field else None
    return None


def _parameter(header: str, name: str) -> str:
    message = Message()
    message["content-type"] = header.replace("\r", " ").replace("\n", " ").strip()
    value = message.get_param(name)
    return value if isinstance(value, str) else ""
