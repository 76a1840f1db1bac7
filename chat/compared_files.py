"""Comparisons in the files of conversations (docs/chat-export.md): which conversations were asked
side by side, and which was gone on with. The conversations themselves are as in any export.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from accounts.models import Wallet
from chat.comparisons import LEAST, MOST
from chat.models import Comparison, Conversation
from chat.reading import ImportRefused, Part

_MAX_COMPARISONS = 5_000
_MAX_TEXT = 500_000  # characters


def exported(conversations: Sequence[Conversation]) -> list[dict[str, Any]]:
    """The comparisons of which at least two conversations are among these."""
    columns: dict[UUID, list[Conversation]] = {}
    for one in conversations:
        if one.comparison_id is not None:
            columns.setdefault(one.comparison_id, []).append(one)
    rows = Comparison.objects.in_bulk(columns)
    return [
        _exported(rows[key], sorted(ours, key=lambda one: one.place))
        for key, ours in columns.items()
        if len(ours) > 1
    ]


@dataclass(frozen=True, slots=True)
class ComparisonDraft:
    """A comparison that was read whole, and is not stored yet."""

    comparison: Comparison
    columns: list[Conversation]

    def keep(self) -> None:
        """Store it, once however often its file comes; its conversations are stored already."""
        made = self.comparison
        own = Conversation.objects.filter(wallet=made.wallet, comparison=None)
        free = own.filter(start_key__in=[column.start_key for column in self.columns])
        if len(self.columns) != free.count():
            return  # they are known, and compared
        made.save(force_insert=True)
        for place, column in enumerate(self.columns):
            own.filter(start_key=column.start_key).update(comparison=made, place=place)


def read(
    file: Part, wallet: Wallet, network: str, conversations: Mapping[str, Conversation]
) -> list[ComparisonDraft]:
    """The comparisons of a file, none where it is of the time before them; `conversations` are
    those read from it, by their ids in it. Raises ImportRefused."""
    if file.get("comparisons") is None:
        return []
    parts = file.parts("comparisons", _MAX_COMPARISONS, "Comparison")
    drafts = [_draft(part, wallet, network, conversations) for part in parts]
    compared = [column.start_key for draft in drafts for column in draft.columns]
    if len(compared) != len(set(compared)):
        raise ImportRefused("A conversation of the file is compared twice.")
    return drafts


def _exported(comparison: Comparison, columns: list[Conversation]) -> dict[str, Any]:
    picked = next((one for one in columns if one.place == comparison.picked), None)
    return {
        "conversations": [str(one.pk) for one in columns],
        "picked": str(picked.pk) if picked else None,
        "asked_text": comparison.asked_text,
        "created_at": comparison.created_at.isoformat(),
    }


def _draft(
    part: Part, wallet: Wallet, network: str, conversations: Mapping[str, Conversation]
) -> ComparisonDraft:
    names = part.items("conversations", MOST)
    unknown = [name for name in names if not isinstance(name, str) or name not in conversations]
    if unknown or len(names) < LEAST:
        raise ImportRefused(f"{part.where}: it needs two to four conversations of the file.")
    picked = part.get("picked")
    if picked is not None and picked not in names:
        raise ImportRefused(f"{part.where}: what was gone on with is not one of its own.")
    comparison = Comparison(
        wallet=wallet,
        network=network,
        key=uuid4(),
        asked_text=part.text("asked_text", _MAX_TEXT),
        picked=None if picked is None else names.index(picked),
        created_at=part.moment("created_at"),
    )
    return ComparisonDraft(comparison, [conversations[name] for name in names])
