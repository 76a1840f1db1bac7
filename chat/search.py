"""Search in everything a wallet has asked and been answered: the database's own full text.

SQLite keeps an FTS5 index beside the rows of SearchText, PostgreSQL an index over them; both are
made by the migration. Each row begins with a word for its wallet and network, so that an index
finds one wallet's words without reading those of others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import BooleanField, ExpressionWrapper, F, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce, Substr

from accounts.models import Wallet
from chat import words
from chat.models import Conversation, Message, SearchText

PAGE = 20
MAX_QUERY = 200  # characters
_BEFORE, _AFTER = 60, 140  # characters shown around the first place found


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a text; `is_hit` where it is what was looked for."""

    text: str
    is_hit: bool


@dataclass(frozen=True, slots=True)
class Hit:
    """A message, or a title, that says what was looked for, with the words around it."""

    conversation: Conversation
    message_id: UUID | None
    is_question: bool
    parts: list[Part]


@dataclass(frozen=True, slots=True)
class Hits:
    """What a search found, newest first, titles before messages; `query` as it was understood."""

    query: str
    hits: list[Hit]
    has_more: bool
    show: int = PAGE

    @property
    def more(self) -> int:
        return self.show + PAGE


def find(wallet: Wallet, network: str, query: str, show: int = PAGE) -> Hits:
    """Look for messages and titles that say every word of `query`, or a longer one."""
    query = " ".join(query.split())[:MAX_QUERY]
    wanted = words.terms(query)
    if not wanted:
        return Hits(query, [], has_more=False, show=show)
    rows = list(_matching(wallet, network, wanted)[: show + 1])
    hits = [_hit(row, wanted) for row in rows[:show]]
    return Hits(query, hits, has_more=len(rows) > show, show=show)


def keep_message(message: Message) -> None:
    """Make a message's text findable, as it is now."""
    with transaction.atomic():
        SearchText.objects.filter(message=message).delete()
        SearchText.objects.bulk_create(texts_of(message))


def keep_title(conversation: Conversation) -> None:
    """Make a conversation's title findable, as it is now."""
    with transaction.atomic():
        SearchText.objects.filter(conversation=conversation, message=None).delete()
        SearchText.objects.bulk_create(title_of(conversation))


def texts_of(message: Message) -> list[SearchText]:
    """The rows, not stored yet, that make a message findable; our own questions are not."""
    if message.is_continuation:
        return []
    conversation = message.conversation
    return [
        _text(conversation, found, message=message, start=start)
        for start, found in words.pieces(message.text)
    ]


def title_of(conversation: Conversation) -> list[SearchText]:
    """The row, not stored yet, that makes a title findable; none where there is no title."""
    found = words.words(conversation.title)
    return [_text(conversation, found)] if found else []


def _text(conversation: Conversation, found: str, **where: object) -> SearchText:
    scope = _scope(conversation.wallet_id, conversation.network)
    return SearchText(conversation=conversation, words=f"{scope} {found}", **where)


def _scope(wallet_id: int, network: str) -> str:
    """A word that only rows of this wallet and network begin with."""
    return f"zgwallet{wallet_id}n{words.words(network).replace(' ', '')}"


def _matching(wallet: Wallet, network: str, wanted: list[words.Term]) -> QuerySet[Any]:
    scope = _scope(wallet.pk, network)
    mine = SearchText.objects.filter(
        conversation__wallet=wallet, conversation__network=network, conversation__deleted_at=None
    )
    if connection.vendor == "postgresql":
        found = RawSQL(_IN_POSTGRESQL, [_tsquery(scope, wanted)])  # noqa: S611
    else:
        found = RawSQL(_IN_SQLITE, [_fts5(scope, wanted)])  # noqa: S611
    piece = Substr("message__text", F("start") + 1, words.PIECE)
    rows: QuerySet[Any] = (
        mine.filter(pk__in=found)
        .select_related("conversation")
        .annotate(
            role=F("message__role"),
            piece=Coalesce(piece, F("conversation__title")),
            said_at=Coalesce("message__created_at", "conversation__updated_at"),
            is_message=ExpressionWrapper(Q(message__isnull=False), BooleanField()),
        )
    )
    return rows.order_by("is_message", "-said_at", "pk")


def _hit(row: Any, wanted: list[words.Term]) -> Hit:
    return Hit(
        conversation=row.conversation,
        message_id=row.message_id,
        is_question=row.role == Message.Role.USER,
        parts=parts(row.piece, wanted),
    )


def parts(text: str, wanted: list[words.Term]) -> list[Part]:
    """Cut the surroundings of the first place found out of `text`, with all places in them.

    They are shown as words: Markdown's signs of headings, quotes, emphasis, code and the heads of
    tables are left out.
    """
    text = _MARKDOWN.sub(r"\2", text)
    found = words.places(text, wanted)
    start = max(0, found[0][0] - _BEFORE) if found else 0
    stop = min(len(text), start + _BEFORE + _AFTER)
    cut, at = [Part("… " if start else "", False)], start
    for begin, end in found:
        if end <= stop:
            cut += [Part(text[at:begin], False), Part(text[begin:end], True)]
            at = end
    cut.append(Part(text[at:stop] + (" …" if stop < len(text) else ""), False))
    return [Part(_SPACE.sub(" ", part.text), part.is_hit) for part in cut if part.text]


def _fts5(scope: str, wanted: list[words.Term]) -> str:
    """FTS5's language; words are letters and digits, so nothing has to be escaped."""
    return " AND ".join([f'"{scope}"', *(f'"{" ".join(term)}" *' for term in wanted)])


def _tsquery(scope: str, wanted: list[words.Term]) -> str:
    """PostgreSQL's language, likewise."""
    phrases = (" <-> ".join(f"'{word}'" for word in term) for term in wanted)
    return " & ".join([f"'{scope}'", *(f"({phrase}:*)" for phrase in phrases)])


_SPACE = re.compile(r"\s")
_MARKDOWN = re.compile(
    r"^[ \t]*\|[-:| \t]+$|^[ \t]*(?:#{1,6}|>)[ \t]+"
    r"|(?<![\w*`])(\*{1,2}|`)(?![\s*`])(.{1,200}?)(?<![\s*`])\1(?![\w*`])",
    re.MULTILINE,
)
_IN_SQLITE = "SELECT rowid FROM chat_search WHERE chat_search MATCH %s"
# OFFSET keeps the planner from looking through each conversation instead of the index.
_IN_POSTGRESQL = "SELECT id FROM chat_searchtext WHERE vector @@ to_tsquery('simple', %s) OFFSET 0"
