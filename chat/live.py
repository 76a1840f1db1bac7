"""An answer while it grows: what has been received, and what the pages have been told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from chat.blocks import Cutter
from chat.rendering import to_safe_html


@dataclass(frozen=True, slots=True)
class Event:
    """One message to the pages that follow an answer; `data` is JSON-able.

    text {text, is_code}: append to the unfinished tail. block {html, tail, is_code}: finished
    Markdown, and the tail that is left. reasoning {text}: append. pace {text}: speed and cost so
    far, in the place of the last. answer {html}: the whole
    message anew. receipt {html}: cost and proof. done {}: nothing more will come.
    """

    name: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Piece:
    """What has grown since the last look: `block` is finished Markdown, `tail` follows it.

    Where no block was finished `tail` is empty: the old one grows by `text`.
    """

    text: str
    reasoning: str
    block: str
    tail: str
    is_code: bool  # the tail is code whose fence is still open

    def events(self) -> list[Event]:
        """The events that bring the pages up to date; formats the finished block."""
        events = [Event("reasoning", {"text": self.reasoning})] if self.reasoning else []
        if self.block:
            block = {"html": to_safe_html(self.block), "tail": self.tail}
            events.append(Event("block", {**block, "is_code": self.is_code}))
        elif self.text:
            events.append(Event("text", {"text": self.text, "is_code": self.is_code}))
        return events


@dataclass(frozen=True, slots=True)
class Shown:
    """What the pages have been told up to the event `stream_id`."""

    text: str = ""
    reasoning: str = ""
    stream_id: int = 0


@dataclass(slots=True)
class Live:
    """The growing text of one answer. Not thread-safe: it belongs to the engine's loop."""

    text: str = ""
    reasoning: str = ""
    size: int = 0  # characters of both, shown or not yet
    _new_text: list[str] = field(default_factory=list)
    _new_reasoning: list[str] = field(default_factory=list)
    _cutter: Cutter = field(default_factory=Cutter)
    _cut: int = 0  # characters of `text` that were shown as blocks

    def add(self, text: str, reasoning: str) -> None:
        """Take in a piece of the provider's stream."""
        self.size += len(text) + len(reasoning)
        if text:
            self._new_text.append(text)
        if reasoning:
            self._new_reasoning.append(reasoning)

    def take(self) -> Piece:
        """Count what came in as shown, and return it."""
        text, reasoning = _drain(self._new_text), _drain(self._new_reasoning)
        self.text += text
        self.reasoning += reasoning
        self._cutter.feed(text)
        start, self._cut = self._cut, self._cutter.finished
        return Piece(
            text=text,
            reasoning=reasoning,
            block=self.text[start : self._cut],
            tail=self.text[self._cut :] if start < self._cut else "",
            is_code=self._cutter.is_in_code,
        )


def _drain(parts: list[str]) -> str:
    """Join and empty `parts`; PostgreSQL stores no NUL."""
    text = "".join(parts).replace("\0", "\N{REPLACEMENT CHARACTER}")
    parts.clear()
    return text
