"""Where a growing Markdown text is finished: its complete blocks can be shown formatted already.

A pure function of the text, whatever pieces it came in, so that the engine, and a page made in
the middle of an answer, cut at the same place.
"""

from __future__ import annotations

import re

_FENCE = re.compile(r"(?P<indent> {0,3})(?P<mark>`{3,}|~{3,})(?P<info>.*)")
_LIST_LINE = re.compile(r"[ \t]|(?:[-*+]|\d{1,9}[.)])(?:[ \t\r\n]|$)")
_MAY_BECOME_LIST = frozenset(" \t-*+0123456789")


class Cutter:
    """Follows a growing text and knows how much of it is finished; each line is read once.

    A block is complete when a blank line and the start of another block follow, when a code
    fence starts, or when its fence is closed. A list is kept whole: an indented line or a new
    item continues it.
    """

    def __init__(self) -> None:
        self.finished = 0  # leading characters that are complete blocks, whatever comes next
        self._position = 0  # of the line that is not whole yet
        self._line = ""
        self._fence = ""
        self._after_blank = False

    @property
    def is_in_code(self) -> bool:
        """Tell whether what is unfinished begins with a code fence."""
        return self._fence[:1] in ("`", "~")

    def feed(self, text: str) -> None:
        """Take in what has been added."""
        *whole, self._line = (self._line + text).split("\n")
        for line in whole:
            self._take(line)
        is_free = self._after_blank and not self._fence
        if is_free and self._line.strip() and self._line[0] not in _MAY_BECOME_LIST:
            self.finished = self._position

    def _take(self, line: str) -> None:
        start, self._position = self._position, self._position + len(line) + 1
        if self._fence:
            if _closes(self._fence, line):
                self.finished = self._position if self.is_in_code else self.finished
                self._fence = ""
        elif not line.strip():
            self._after_blank = True
        else:
            self._fence = _opened_fence(line)
            if self.is_in_code or (self._after_blank and not _LIST_LINE.match(line)):
                self.finished = start
            self._after_blank = False


def finished_length(text: str) -> int:
    """Return how many leading characters of `text` are complete blocks."""
    cutter = Cutter()
    cutter.feed(text)
    return cutter.finished


def begins_with_code(text: str) -> bool:
    """Tell whether `text`, the unfinished rest of an answer, is code whose fence is still open."""
    cutter = Cutter()
    cutter.feed(text)
    return cutter.is_in_code


def _opened_fence(line: str) -> str:
    """The fence's mark, with a space before it where it is indented; "" for any other line."""
    found = _FENCE.match(line)
    if found is None or (found["mark"][0] == "`" and "`" in found["info"]):
        return ""
    return found["indent"][:1] + found["mark"]


def _closes(fence: str, line: str) -> bool:
    mark, stripped = fence.strip(), line.strip()
    return len(stripped) >= len(mark) and set(stripped) == {mark[0]}
