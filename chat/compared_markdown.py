"""Conversations side by side as a text to read: how they compare, then each of them."""

from __future__ import annotations

from collections.abc import Sequence

from chat.exporting import fee_of, to_markdown
from chat.models import Conversation
from chat.pace import seconds
from chat.passages import last_turn
from chat.standings import Standing, standings

_HEAD = ("Model", "Provider", "Last answer", "Proof", "Cost", "Time", "Speed", "")


def compared_to_markdown(conversations: Sequence[Conversation]) -> str:
    """Return the visible branches of a comparison's `conversations`, in the order of columns."""
    lasts = standings([last_turn(one) for one in conversations])
    rows = [_row(one, standing) for one, standing in zip(conversations, lasts, strict=True)]
    table = [_line(_HEAD), _line(("---",) * len(_HEAD)), *map(_line, rows)]
    title = next((one.title for one in conversations if one.title), "Untitled")
    intro = f"# {title}\n\n*{len(conversations)} providers side by side*\n\n"
    parts = [intro + "\n".join(table) + "\n", *map(to_markdown, conversations)]
    return "\n---\n\n".join(parts)


def _row(conversation: Conversation, standing: Standing) -> Sequence[str]:
    comparison, receipt = conversation.comparison, standing.receipt
    is_picked = comparison is not None and comparison.picked == conversation.place
    fee = fee_of(receipt) if receipt else ""
    duration = receipt.duration_ms if receipt else None
    speed = receipt.tokens_per_second if receipt else None
    return (
        conversation.model,
        f"`{conversation.provider}`",
        standing.words.lower(),
        receipt.badge.lower() if receipt else "",
        _marked(fee, standing.is_cheapest, "cheapest"),
        _marked("" if duration is None else seconds(duration), standing.is_fastest, "fastest"),
        "" if speed is None else f"{speed} tokens/s",
        "gone on with" if is_picked else "",
    )


def _marked(text: str, is_marked: bool, mark: str) -> str:
    return f"{text} ({mark})" if is_marked else text


def _line(cells: Sequence[str]) -> str:
    """A row of a table; a model's name is the provider's word."""
    plain = (" ".join(cell.split()).replace("\\", "\\\\").replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(plain)} |"
