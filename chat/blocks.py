"""Where a growing Markdown text is finished: its complete blocks can be shown formatted already.

A pure function of the text, whatever pieces it came in, so that the engine, and a page made in
the middle of an answer, cut at the same place.
"""

from __future__ import annotations

import re

_FENCE = re.compile(r"(?P<indent> {0,3})(?P<mark>`{3,}|~{3,})(?P<info>.*)")
_LIST_LINE = re.compile(r"[ \t]|(?:[-*+]|\d{1,9}[.)])(?:[ \t\r\n]|$)")
_MAY_BECOME_LIST = frozenset(" \t-*+0123456789")


def finished_length(text: str) -> int:
    """Return how many leading characters of `text` are complete blocks, whatever comes next.

    A block is complete when a blank line and the start of another block follow, when a code
    fence starts, or when its fence is closed. A list is kept whole: an indented line or a new
    item continues it.
    """
    finished = position = 0
    fence = ""
    after_blank = False
    for line in text.split("\n"):
        start, position = position, position + len(line) + 1
        is_whole = position <= len(text)
        if fence:
            if is_whole and _closes(fence, line):
                finished = position if fence[0] != " " else finished
                fence = ""
        elif not line.strip():
            after_blank = True
        else:
            fence = _opened_fence(line) if is_whole else ""
            if (after_blank and _starts_block(line, is_whole)) or (fence and fence[0] != " "):
                finished = start
            after_blank = False
    return finished


def _starts_block(line: str, is_whole: bool) -> bool:
    if not is_whole:
        return line[0] not in _MAY_BECOME_LIST
    return not _LIST_LINE.match(line)


def _opened_fence(line: str) -> str:
    """The fence's mark, with a space before it where it is indented; "" for any other line."""
    found = _FENCE.match(line)
    if found is None or (found["mark"][0] == "`" and "`" in found["info"]):
        return ""
    return found["indent"][:1] + found["mark"]


def _closes(fence: str, line: str) -> bool:
    mark, stripped = fence.strip(), line.strip()
    return len(stripped) >= len(mark) and set(stripped) == {mark[0]}
