"""Where a growing Markdown text falls into blocks: what is complete can be shown formatted already.

A pure function of the text, whatever pieces it came in, so that the engine, and a page made in
the middle of an answer, cut at the same place.
"""

from __future__ import annotations

import re
from enum import Enum

_FENCE = re.compile(r"(?P<indent> {0,3})(?P<mark>`{3,}|~{3,})(?P<info>.*)")
_MARKERS = re.compile(r"[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*")
_LIST_LINE = re.compile(r"[ \t]|(?:[-*+]|\d{1,9}[.)])(?:[ \t\r\n]|$)")
_INTERRUPTS = re.compile(r"(?:[-*+]|1[.)])[ \t]+\S")  # a paragraph that has not ended
_MAY_BECOME_LIST = frozenset(" \t-*+0123456789")


class Cut(Enum):
    """What a line says of the block before it."""

    NONE = "it may go on"
    BEFORE = "it ended before this line"
    AFTER = "it ended with this line"


class Cutter:
    """Follows a growing text line by line and says where its blocks end.

    A block is complete when a blank line and the start of another block follow, when a code
    fence or a list starts, or when its fence is closed. A list is kept whole: an indented line or
    a new item continues it.
    """

    def __init__(self) -> None:
        self._fence = ""
        self._after_blank = False
        self._is_list = False
        self._may_continue = False  # a list, or indented code: a blank line does not end it

    @property
    def is_in_code(self) -> bool:
        """Tell whether the present block is code whose fence is still open."""
        return self._fence[:1] in ("`", "~")

    @property
    def is_in_fence(self) -> bool:
        """Tell whether a fence is open, of the present block or somewhere in it."""
        return bool(self._fence)

    @property
    def is_plain(self) -> bool:
        """Tell whether the present block is neither list nor code: a blank line ends it."""
        return not self._may_continue and not self._fence

    def begins_block(self, start: str) -> bool:
        """Tell whether a line that begins with `start` surely ends the present block before it."""
        is_free = self._after_blank and not self._fence and bool(start.strip())
        return is_free and not (self._may_continue and start[0] in _MAY_BECOME_LIST)

    def take(self, line: str) -> Cut:
        """Take in the next line, without its end."""
        if self._fence and not self._leaves_item(line):
            return self._take_code(line)
        if not line.strip():
            self._after_blank = True
            return Cut.NONE
        is_listed = bool(_LIST_LINE.match(line))
        self._fence = _opened_fence(line, is_listed=is_listed)
        ends = self.is_in_code or self._ends_before(line, is_listed)
        self._may_continue = is_listed or (self._may_continue and not ends)
        self._is_list = (is_listed and not line[0].isspace()) or (self._is_list and not ends)
        self._after_blank = False
        return Cut.BEFORE if ends else Cut.NONE

    def _leaves_item(self, line: str) -> bool:
        """Tell whether `line` ends the list item, and so the code that was open in it."""
        return self._is_list and not self.is_in_code and line[:1].strip() != ""

    def _take_code(self, line: str) -> Cut:
        if not _closes(self._fence, line):
            return Cut.NONE
        is_block, self._fence = self.is_in_code, ""
        return Cut.AFTER if is_block else Cut.NONE

    def _ends_before(self, line: str, is_listed: bool) -> bool:
        if self._may_continue:
            return self._after_blank and not is_listed
        return self._after_blank or bool(_INTERRUPTS.match(line))


def _opened_fence(line: str, *, is_listed: bool) -> str:
    """The fence's mark, with a space before it where it is not at the line's start; "" for any
    other line."""
    begun = _MARKERS.match(line) if is_listed else None
    start = begun.end() if begun else 0
    found = _FENCE.match(line, start)
    if found is None or (found["mark"][0] == "`" and "`" in found["info"]):
        return ""
    return (" " if start else "") + found["mark"]


def _closes(fence: str, line: str) -> bool:
    mark, stripped = fence.strip(), line.strip()
    return len(stripped) >= len(mark) and set(stripped) == {mark[0]}
