"""An answer while it grows: what has been received, and what the pages have been told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from chat.growing import Growing, Grown
from chat.rendering import to_safe_html

_HEAVY = 4000  # characters of a block; formatting more is not for the engine's loop


@dataclass(frozen=True, slots=True)
class Event:
    """One message to the pages that follow an answer; `data` is JSON-able.

    text {text}: append to the tail. grown {parts, tail, kind}: finished parts [place, html], and
    the tail that is left. reasoning {text}: append. pace {text}: speed and cost so far, in the
    place of the last. ended {parts, html}: the last parts, and what follows the blocks. answer
    {html}: the whole message anew. receipt {html}: cost and proof. done {}: nothing more will come.
    """

    name: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class News:
    """What has come in since the last look."""

    text: str
    reasoning: str


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
    _growing: Growing = field(default_factory=Growing)

    def add(self, text: str, reasoning: str) -> None:
        """Take in a piece of the provider's stream."""
        self.size += len(text) + len(reasoning)
        if text:
            self._new_text.append(text)
        if reasoning:
            self._new_reasoning.append(reasoning)

    def take(self) -> News:
        """Count what came in as shown, and return it."""
        news = News(_drain(self._new_text), _drain(self._new_reasoning))
        self.text += news.text
        self.reasoning += news.reasoning
        return news

    def is_heavy(self, news: News) -> bool:
        """Tell whether formatting `news` may take long."""
        return len(news.text) + self._growing.size > _HEAVY

    def grow(self, news: News) -> list[Event]:
        """The events that bring the pages up to date; formats what is finished."""
        events = [Event("reasoning", {"text": news.reasoning})] if news.reasoning else []
        grown = self._growing.feed(news.text)
        if grown.tail is not None:
            told = {"parts": _parts(grown), "tail": grown.tail, "kind": grown.kind}
            events.append(Event("grown", told))
        elif grown.text:
            events.append(Event("text", {"text": grown.text}))
        return events

    def end(self) -> Event:
        """The event that ends the text. What the pages have is kept, unless the end of the text
        makes another HTML of its beginning: links may be defined after their use."""
        grown = self._growing.end()
        if self._growing.html == to_safe_html(self.text):
            return Event("ended", {"parts": _parts(grown)})
        return Event("answer", {})


def _parts(grown: Grown) -> list[tuple[str, str]]:
    return [(part.place, part.html) for part in grown.parts]


def _drain(parts: list[str]) -> str:
    """Join and empty `parts`; PostgreSQL stores no NUL."""
    text = "".join(parts).replace("\0", "\N{REPLACEMENT CHARACTER}")
    parts.clear()
    return text
