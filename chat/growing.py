"""An answer's Markdown on its way to the page: each block is formatted when it is complete, and
one that takes long is shown part by part, so that nothing is formatted or sent time and again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from django.utils.safestring import SafeString, mark_safe

from chat.blocks import Cut, Cutter
from chat.growths import CodeGrowth, Growth, ListGrowth, Part, TableGrowth
from chat.rendering import SoFar, to_safe_html


@dataclass(frozen=True, slots=True)
class Grown:
    """What is new: `parts` for the blocks, and the tail after them, which is not formatted yet.

    The tail is `tail`, or where that is None, the one before with `text` behind it. Its `kind` is
    "text", "code" (the line that is being written) or "row" (of a table).
    """

    parts: list[Part]
    text: str
    tail: str | None
    kind: str


@dataclass(slots=True)
class Growing:
    """A growing text; what is made of it does not depend on the pieces that it comes in."""

    _so_far: SoFar = field(default_factory=dict)
    _cutter: Cutter = field(default_factory=Cutter)
    _done: list[str] = field(default_factory=list)  # the HTML of complete blocks
    _block: list[str] = field(default_factory=list)  # the whole lines of the present block
    _line: list[str] = field(default_factory=list)  # the line after them, in pieces
    _has_begun: bool = False  # whether anything but blanks is in that line
    _growth: Growth | None = None
    _parts: list[Part] = field(default_factory=list)
    _is_cut: bool = False  # whether the tail is another than before

    @property
    def html(self) -> SafeString:
        """The blocks as they are on the page."""
        growth = self._growth.html if self._growth else ""
        return mark_safe("".join([*self._done, growth]))  # noqa: S308  each went through the list

    @property
    def tail(self) -> str:
        """What follows the blocks."""
        shown = self._growth.shown if self._growth else 0
        return "".join(f"{line}\n" for line in self._block[shown:]) + "".join(self._line)

    @property
    def size(self) -> int:
        """Characters of the block that is not complete: formatting it takes as long."""
        return sum(map(len, self._block))

    @property
    def kind(self) -> str:
        return self._growth.kind if self._growth else "text"

    def feed(self, text: str) -> Grown:
        """Take in what has been added."""
        *ends, rest = text.split("\n")
        for end in ends:
            line, self._line, self._has_begun = "".join([*self._line, end]), [], False
            self._take(line)
        if rest:
            self._line.append(rest)
            self._look_ahead(rest)
        return self._news(text)

    def end(self) -> Grown:
        """Say that nothing follows: the rest is complete."""
        if line := "".join(self._line):
            self._line.clear()
            self._take(line)
        self._finish()
        return self._news("")

    def _news(self, text: str) -> Grown:
        parts, is_cut = self._parts, self._is_cut
        self._parts, self._is_cut = [], False
        return Grown(parts, text, self.tail if is_cut else None, self.kind)

    def _look_ahead(self, rest: str) -> None:
        if self._has_begun or not rest.strip():
            return
        self._has_begun = True
        if self._block and self._cutter.begins_block("".join(self._line)):
            self._finish()

    def _take(self, line: str) -> None:
        was_in_fence = self._cutter.is_in_fence
        cut = self._cutter.take(line)
        if cut is Cut.BEFORE:
            self._finish()
        if not self._block and not line.strip():
            self._is_cut = True
            return
        self._block.append(line)
        kind = self.kind
        if cut is Cut.AFTER:
            self._finish()
        elif self._growth is None:
            self._open()
        else:
            self._add(*self._growth.take(line, is_code=was_in_fence and self._cutter.is_in_fence))
        self._is_cut |= self.kind != kind

    def _open(self) -> None:
        """Show the present block part by part, where it is of a kind that can be."""
        if self._cutter.is_in_code:
            self._growth = CodeGrowth(self._block[0], self._so_far)
        elif len(self._block) == 1 and ListGrowth.begins(self._block[0]):
            self._growth = ListGrowth(self._block[0], self._so_far)
        elif self._cutter.is_plain and TableGrowth.begins(self._block, self._so_far):
            table, self._block = self._block[-2:], self._block[:-2]
            self._finish()
            self._block, self._growth = table, TableGrowth(table, self._so_far)
        if self._growth:
            self._add(*self._growth.start())

    def _finish(self) -> None:
        """Format the present block as a whole: what is shown of it is kept where it is the same."""
        growth, block = self._growth, "\n".join(self._block)
        self._block, self._growth = [], None
        if not block.strip():
            return
        html = to_safe_html(block + "\n", self._so_far)
        self._done.append(html)
        self._is_cut = True
        self._add(*(growth.finish(html) if growth else [Part("block", html)]))

    def _add(self, *parts: Part) -> None:
        for part in parts:
            self._is_cut = True
            last = self._parts[-1] if self._parts else None
            if last and last.place == part.place and part.place not in ("block", "anew"):
                self._parts[-1] = Part(part.place, last.html + part.html)
            else:
                self._parts.append(part)
