"""Server-sent events from bytes that arrive cut anywhere (pure; WHATWG HTML, "Event streams")."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SseEvent:
    """One event: its data lines joined by line feeds, and its type and id."""

    data: str
    event: str = "message"
    id: str = ""


class EventDecoder:
    """Turns chunks of bytes into events. Whoever feeds it bounds how much it feeds."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._after_cr = False
        self._is_start = True
        self._data: list[str] = []
        self._event = ""
        self._id = ""

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """Take the next bytes and return the events that they complete."""
        if self._after_cr and chunk:
            chunk, self._after_cr = chunk.removeprefix(b"\n"), False
        if b"\n" not in chunk and b"\r" not in chunk:
            self._parts.append(chunk)
            return []
        text = b"".join((*self._parts, chunk))
        self._after_cr = text.endswith(b"\r")
        lines = text.splitlines()
        self._parts = [] if text.endswith((b"\n", b"\r")) else [lines.pop()]
        return self._events(lines)

    def finish(self) -> list[SseEvent]:
        """Return the last event if the stream ended without the blank line that closes it."""
        last, self._parts = b"".join(self._parts), []
        return self._events([last, b""])

    def _events(self, lines: list[bytes]) -> list[SseEvent]:
        return [event for line in lines if (event := self._line(line)) is not None]

    def _line(self, raw: bytes) -> SseEvent | None:
        line = raw.decode("utf-8", "replace")
        if self._is_start:
            line, self._is_start = line.removeprefix("\ufeff"), False
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id" and "\0" not in value:
            self._id = value
        return None

    def _dispatch(self) -> SseEvent | None:
        data, kind = self._data, self._event or "message"
        self._data, self._event = [], ""
        return SseEvent("\n".join(data), kind, self._id) if data else None
