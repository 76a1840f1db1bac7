"""An answer while it grows: what has been received, and what the pages have been told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from chat.blocks import finished_length
from chat.rendering import to_safe_html


@dataclass(frozen=True, slots=True)
class Event:
    """One message to the pages that follow an answer; `data` is JSON-able.

    text {text}: append to the unfinished tail. block {html, tail}: finished Markdown, and the
    tail that is left. reasoning {text}: append. answer {html}: the whole message anew.
    receipt {html}: cost and proof. done {}: nothing more will come.
    """

    name: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Piece:
    """What has grown since the last look: `block` is finished Markdown, `tail` follows it."""

    text: str
    reasoning: str
    block: str
    tail: str

    def events(self) -> list[Event]:
        """The events that bring the pages up to date; formats the finished block."""
        events = [Event("reasoning", {"text": self.reasoning})] if self.reasoning else []
        if self.block:
            events.append(Event("block", {"html": to_safe_html(self.block), "tail": self.tail}))
        elif self.text:
            events.append(Event("text", {"text": self.text}))
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
    _new_text: list[str] = field(default_factory=list)
    _new_reasoning: list[str] = field(default_factory=list)
    _tail: str = ""

    def add(self, text: str, reasoning: str) -> None:
        """Take in a piece of the provider's stream."""
        if text:
            self._new_text.append(text)
        if reasoning:
            self._new_reasoning.append(reasoning)

    def take(self) -> Piece:
        """Count what came in as shown, and return it."""
        text, reasoning = _drain(self._new_text), _drain(self._new_reasoning)
        self.text += text
        self.reasoning += reasoning
        self._tail += text
        finished = finished_length(self._tail) if text else 0
        block, self._tail = self._tail[:finished], self._tail[finished:]
        return Piece(text=text, reasoning=reasoning, block=block, tail=self._tail)


def _drain(parts: list[str]) -> str:
    """Join and empty `parts`; PostgreSQL stores no NUL."""
    text = "".join(parts).replace("\0", "\N{REPLACEMENT CHARACTER}")
    parts.clear()
    return text
