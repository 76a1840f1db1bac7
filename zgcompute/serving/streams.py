"""An event stream on its way through: whole lines out, everything that came hashed (pure)."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256

from zgcompute import _reading as read
from zgcompute.answers import ChatAssembler, parse_usage
from zgcompute.errors import ProviderError
from zgcompute.types import Usage

_NEAR_THE_END = 8192  # bytes in which the usage is looked for first
_STATED_USAGE = re.compile(rb'"usage"\s*:\s*\{')
_NO_CHOICES = re.compile(rb'"choices"\s*:\s*\[\s*\]')


@dataclass(frozen=True, slots=True)
class Counted:
    """What a chat answer's bytes say; `text` is only filled where there is no usage."""

    usage: Usage | None
    text: str
    response_id: str


class Lines:
    """Lets whole lines through, so that an answer that breaks off breaks off between them.

    With `hides_usage` the event that only states the usage stays out: we asked for it, the client
    did not, and many a client takes the first of its `choices` unseen.
    """

    def __init__(self, *, hides_usage: bool) -> None:
        self._hides_usage = hides_usage
        self._rest: list[bytes] = []  # of a line that has not ended yet

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes; return what may go out."""
        end = chunk.rfind(b"\n") + 1
        if not end:
            self._rest.append(chunk)
            return b""
        lines, self._rest = b"".join([*self._rest, chunk[:end]]), [chunk[end:]]
        if self._hides_usage and _NO_CHOICES.search(lines):
            return b"".join(line for line in lines.splitlines(True) if not _states_usage(line))
        return lines

    def finish(self) -> bytes:
        """Return what is left of a stream that ended by itself."""
        rest, self._rest = b"".join(self._rest), []
        return rest


class Tally:
    """Keeps an answer's bytes until they are counted, and their hash."""

    def __init__(self) -> None:
        self._hash = sha256()
        self._parts: list[bytes] = []

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes exactly as they came."""
        self._hash.update(chunk)
        self._parts.append(chunk)

    @property
    def body(self) -> bytes:
        """All that came."""
        return b"".join(self._parts)

    @property
    def sha256(self) -> str:
        """Lower-case hex of all that came."""
        return self._hash.hexdigest()

    def counted(self, key: str) -> Counted:
        """Read the usage and the id; `key` is the reply's ZG-Res-Key.

        The usage stands near the end: where it is found there, nothing else is parsed.
        """
        body = self.body
        usage = _last_usage(body)
        if usage is not None and not usage.is_empty and key:
            return Counted(usage, "", key)
        assembler = ChatAssembler(b"", key=key)
        text = ""
        with suppress(ProviderError):  # an error in the stream: what came before it counts
            text = "".join(d.text for d in (*assembler.feed(body), *assembler.finish()))
        return Counted(assembler.outcome.usage, text, assembler.outcome.response_id)


def _last_usage(body: bytes) -> Usage | None:
    found = list(_STATED_USAGE.finditer(body, max(0, len(body) - _NEAR_THE_END)))
    if not found:
        return None
    start = body.rfind(b"\n", 0, found[-1].start()) + 1
    end = body.find(b"\n", found[-1].end())
    line = body[start : end if end >= 0 else len(body)]
    event = read.json_object(line.removeprefix(b"data:"))
    return parse_usage(event.get("usage")) if event is not None else None


def _states_usage(line: bytes) -> bool:
    if not line.startswith(b"data:") or not _NO_CHOICES.search(line):
        return False
    event = read.json_object(line.removeprefix(b"data:"))
    return event is not None and event.get("choices") == [] and bool(event.get("usage"))
