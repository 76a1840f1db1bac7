"""Conversations as files: JSON with everything (docs/chat-export.md), Markdown to read."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.utils import timezone

from chat import compared_files
from chat.branches import Tree
from chat.models import Conversation, Message, Picture, Receipt
from zgcompute import amounts

FORMAT = "0g-compute-chat/2"
_OF_A_CONVERSATION = ("title", "provider", "model", "system_prompt", "parameters")
_OF_A_MESSAGE = (
    *("role", "model", "state", "text", "reasoning"),
    *("is_continuation", "history_cut", "pictures_cut"),
)
_OF_A_PROBLEM = ("problem", "advice", "problem_kind")
_OF_A_RECEIPT = (
    *("fee_is_upper_bound", "fee_basis", "fee_lines", "response_id", "request_sha256"),
    *("response_sha256", "input_tokens", "output_tokens", "first_token_ms", "duration_ms"),
    *("outcome", "reason", "evidence"),
)


def to_json(network: str, conversations: Iterable[Conversation]) -> str:
    """Return `conversations` with all branches, pictures, receipts and evidence as JSON."""
    listed = list(conversations)
    content = {
        "format": FORMAT,
        "network": network,
        "exported_at": _moment(timezone.now()),
        "conversations": [_conversation(one) for one in listed],
        "comparisons": compared_files.exported(listed),
    }
    return json.dumps(content, ensure_ascii=False, indent=1)


def to_markdown(conversation: Conversation) -> str:
    """Return the visible branch as a text to read; the answers' own Markdown is left as it is."""
    messages = conversation.messages.with_proof().prefetch_related("pictures")
    rows = messages.in_bulk(Tree.of(conversation).path())
    facts = f"{conversation.model}, provider `{conversation.provider}` on {conversation.network}"
    parts = [f"# {conversation.title or 'Untitled'}", f"*{facts}*"]
    if prompt := conversation.system_prompt.strip():
        parts += ["## System prompt", prompt]
    for message in rows.values():
        parts += _section(message, conversation.model)
    return "\n\n".join(parts) + "\n"


def fee_of(receipt: Receipt) -> str:
    """The fee in words for a text; "" where it is not known."""
    if receipt.fee is None:
        return ""
    return f"{'at most ' if receipt.fee_is_upper_bound else ''}{amounts.exact(receipt.fee)} 0G"


def _conversation(conversation: Conversation) -> dict[str, Any]:
    messages = conversation.messages.with_proof().prefetch_related("pictures")
    messages = messages.order_by("created_at", "pk")
    return {
        "id": str(conversation.pk),
        **{name: getattr(conversation, name) for name in _OF_A_CONVERSATION},
        "is_pinned": conversation.pinned_at is not None,
        "created_at": _moment(conversation.created_at),
        "updated_at": _moment(conversation.updated_at),
        "messages": [_message(message) for message in messages],
    }


def _message(message: Message) -> dict[str, Any]:
    receipt: Receipt | None = getattr(message, "receipt", None)
    return {
        "id": str(message.pk),
        "parent": str(message.parent_id) if message.parent_id else None,
        **{name: getattr(message, name) for name in (*_OF_A_MESSAGE, *_OF_A_PROBLEM)},
        "created_at": _moment(message.created_at),
        "chosen_at": _moment(message.chosen_at),
        "pictures": [_picture(one) for one in message.pictures.all()],
        "receipt": _receipt(receipt) if receipt else None,
    }


def _picture(picture: Picture) -> dict[str, Any]:
    return {
        "media_type": picture.media_type,
        "sha256": picture.sha256,
        "content": picture.base64(),
    }


def _receipt(receipt: Receipt) -> dict[str, Any]:
    return {
        "fee": None if receipt.fee is None else str(receipt.fee),
        **{name: getattr(receipt, name) for name in _OF_A_RECEIPT},
        "is_imported": receipt.imported_at is not None,
        "answered_at": _moment(receipt.answered_at),
        "checked_at": _moment(receipt.checked_at) if receipt.checked_at else None,
    }


def _section(message: Message, model: str) -> list[str]:
    if message.role == Message.Role.USER:
        shown = [_shown(one) for one in message.pictures.all()]
        return ["## You", "*(asked to go on)*" if message.is_continuation else message.text, *shown]
    receipt: Receipt | None = getattr(message, "receipt", None)
    facts = [] if message.state == Message.State.COMPLETE else [f"{message.state}"]
    if receipt:
        facts += [receipt.badge.lower()]
        facts += [fee_of(receipt)] if receipt.fee is not None else []
    return [
        f"## {message.model or model}",
        message.text or f"({message.problem or 'no text'})",
        f"*{', '.join(facts)}*",
    ]


def _shown(picture: Picture) -> str:
    content = picture.base64()
    if content is None:
        return f"*({picture}, missing in this site's storage)*"
    return f"![{picture}](data:{picture.media_type};base64,{content})"


def _moment(when: datetime) -> str:
    return when.isoformat()
