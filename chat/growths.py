"""Blocks that are shown while they grow: code by its lines, tables by rows, lists by items.

What has been shown is a promise: when the block is complete it is formatted as a whole, and only
where that is another HTML it is shown anew.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from chat.rendering import LINES_TOGETHER, ROWS_TOGETHER, SoFar, code_lines, part_to_safe_html

_DELIMITERS = re.compile(r" {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")
_LONGEST_HEAD = 1000  # characters of a table's first two lines, which each row is formatted with
_LONGEST_BEFORE = 10, 4000  # lines and characters that are looked at to tell if a table ends them
_ITEM = re.compile(r"(?P<indent> {0,3})(?P<mark>[-*+]|\d{1,9}[.)])(?P<gap>[ \t]+(?=\S)|[ \t]*$)")
_RULE = re.compile(r" {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}$")
_LIST = re.compile(r"(<(ul|ol)(?: start=\"\d+\")?>\n)(<li.*</li>\n)(</\2>\n)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Part:
    """HTML and its place: "block" after the last block, "anew" instead of it, or at the end of its
    "code", of the last "lines" of that, of its "table", of the last "rows" of that, or of its
    "items"."""

    place: str
    html: str


class Growth(Protocol):
    """The present block while it is shown part by part."""

    shown: int  # lines of the block

    @property
    def kind(self) -> str:
        """The kind of what is not shown yet."""
        ...

    @property
    def html(self) -> str:
        """What is shown."""
        ...

    def start(self) -> list[Part]:
        """What is shown of its beginning."""
        ...

    def take(self, line: str, *, is_code: bool) -> list[Part]:
        """Take in a line; `is_code` where it is inside of a fence in the block."""
        ...

    def finish(self, html: str) -> list[Part]:
        """What makes the block, on the page, the complete one's `html`."""
        ...


class CodeGrowth:
    """A fence that is still open, shown by whole lines without colours."""

    kind = "code"

    def __init__(self, fence: str, so_far: SoFar) -> None:
        whole = part_to_safe_html(fence + "\n", so_far)
        self._before, end, after = whole.rpartition("</code>")
        self._after = end + after
        self._lines: list[str] = []
        self.shown = 1

    @property
    def html(self) -> str:
        starts = range(0, len(self._lines), LINES_TOGETHER)
        groups = (self._lines[start : start + LINES_TOGETHER] for start in starts)
        code = "".join(_together("".join(group)) for group in groups)
        return self._before + code + self._after

    def start(self) -> list[Part]:
        return [Part("block", self.html)]

    def take(self, line: str, *, is_code: bool) -> list[Part]:
        html = code_lines(line.removesuffix("\r") + "\n")
        is_first = len(self._lines) % LINES_TOGETHER == 0
        self._lines.append(html)
        self.shown += 1
        return [Part("code", _together(html)) if is_first else Part("lines", html)]

    def finish(self, html: str) -> list[Part]:
        return [] if self.html == html else [Part("anew", html)]


class TableGrowth:
    """A table, shown by whole rows."""

    def __init__(self, head: list[str], so_far: SoFar) -> None:
        self._head, self._so_far = "\n".join([*head, ""]), so_far
        whole = part_to_safe_html(self._head, so_far)
        self._before, end, after = whole.rpartition("</table>")
        self._after = end + after
        self._rows: list[str] = []
        self._is_over = False
        self.shown = 2

    @staticmethod
    def begins(block: list[str], so_far: SoFar) -> bool:
        """Tell whether the last two lines of `block` are the head of a table."""
        lines, characters = _LONGEST_BEFORE
        if not 2 <= len(block) <= lines or not all("|" in line for line in block[-2:]):
            return False
        if not _DELIMITERS.fullmatch(block[-1].removesuffix("\r")):
            return False
        before, table = "\n".join([*block[:-2], ""]), "\n".join([*block[-2:], ""])
        if len(table) > _LONGEST_HEAD or len(before) > characters:
            return False
        html = part_to_safe_html(table, so_far)
        if not _is_table(html, rows=1):
            return False
        if not before:
            return True
        whole = part_to_safe_html(before + table, so_far)
        return whole == part_to_safe_html(before, so_far) + html

    @property
    def kind(self) -> str:
        return "text" if self._is_over else "row"

    @property
    def html(self) -> str:
        starts = range(0, len(self._rows), ROWS_TOGETHER)
        groups = (self._rows[start : start + ROWS_TOGETHER] for start in starts)
        return self._before + "".join(_body("".join(group)) for group in groups) + self._after

    def start(self) -> list[Part]:
        return [Part("block", self.html)]

    def take(self, line: str, *, is_code: bool) -> list[Part]:
        if self._is_over or not line.strip():
            return []
        html = part_to_safe_html(f"{self._head}{line}\n", self._so_far)
        if not _is_table(html, rows=2):
            self._is_over = True
            return []
        row = html[html.index("<tbody>\n") + len("<tbody>\n") : html.rindex("</tbody>")]
        is_first = len(self._rows) % ROWS_TOGETHER == 0
        self._rows.append(row)
        self.shown += 1
        return [Part("table", _body(row)) if is_first else Part("rows", row)]

    def finish(self, html: str) -> list[Part]:
        return [] if self.html == html else [Part("anew", html)]


class ListGrowth:
    """A list, shown by whole items of its first level, from the second item on."""

    kind = "text"

    def __init__(self, first: str, so_far: SoFar) -> None:
        self._so_far = so_far
        self._items: list[tuple[str, str]] = []  # Markdown and HTML
        self._before = self._after = ""
        self._is_loose = False
        self._is_odd = False  # it is shown when it is complete
        self._lines = 1
        self.shown = 0
        self._begin(first)

    @staticmethod
    def begins(line: str) -> bool:
        return bool(_ITEM.match(line)) and not _RULE.match(line)

    @property
    def html(self) -> str:
        return self._before + "".join(html for _, html in self._items) + self._after

    def start(self) -> list[Part]:
        return []

    def take(self, line: str, *, is_code: bool) -> list[Part]:
        parts: list[Part] = []
        found = None if is_code or self._is_odd else _ITEM.match(line)
        if found and len(found["indent"]) < self._offset:
            self._is_odd = found["mark"][-1] != self._mark[-1] or bool(_RULE.match(line))
            if not self._is_odd:
                parts = self._complete(is_followed=True)
                self._begin(line)
        else:
            self._item.append(line)
        self._lines += 1
        return parts

    def finish(self, html: str) -> list[Part]:
        if not self._items:
            return [Part("block", html)]
        parts = [] if self._is_odd else self._complete(is_followed=False)
        return parts if self.html == html else [Part("anew", html)]

    def _begin(self, line: str) -> None:
        found = _ITEM.match(line)
        assert found is not None
        gap = len(found["gap"])
        self._mark = found["mark"]
        self._offset = len(found["indent"]) + len(self._mark) + (gap if 1 <= gap <= 4 else 1)
        self._item = [line]

    def _complete(self, *, is_followed: bool) -> list[Part]:
        """Show the item that has been taken in; all anew where a blank line sets them apart."""
        text = "\n".join(self._item).rstrip() + "\n"
        found = _LIST.fullmatch(part_to_safe_html(text, self._so_far))
        if found is None:
            self._is_odd = True
            return []
        is_first = not self._items
        if is_first:
            self._before, self._after = found[1], found[4]
        self._items.append((text, found[3]))
        self.shown = self._lines if is_followed else self.shown
        is_apart = is_followed and not self._item[-1].strip()
        has_paragraphs = found[3][found[3].index(">") :].startswith(">\n<p>")
        if self._is_loose or is_apart or has_paragraphs:
            return self._loosen(is_first)
        return [Part("block", self.html)] if is_first else [Part("items", found[3])]

    def _loosen(self, is_first: bool) -> list[Part]:
        was_loose, self._is_loose = self._is_loose, True
        start = len(self._items) - 1 if was_loose else 0
        self._items[start:] = [
            (text, self._apart(text, html)) for text, html in self._items[start:]
        ]
        if was_loose:
            return [Part("items", self._items[-1][1])]
        return [Part("block" if is_first else "anew", self.html)]

    def _apart(self, text: str, html: str) -> str:
        """The item as it is where a blank line follows it: its texts are paragraphs."""
        whole = part_to_safe_html(f"{text}\n{self._mark} x\n", self._so_far)
        found = _LIST.fullmatch(whole)
        end = found[3].rfind("<li>\n<p>x</p>\n</li>\n") if found else -1
        return found[3][:end] if found and end > 0 else html


def _is_table(html: str, *, rows: int) -> bool:
    is_one = html.startswith('<div class="prose__table"') and html.endswith("</table></div>")
    return is_one and html.count("<tr>") == rows


def _body(rows: str) -> str:
    return f"<tbody>\n{rows}</tbody>\n"


def _together(lines: str) -> str:
    return f'<span class="code__lines">{lines}</span>'
