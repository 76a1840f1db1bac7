"""What the account pages show of a billed answer: its conversation, and how its proof came out."""

from __future__ import annotations

from collections.abc import Sequence

from django.urls import reverse

from accounts.models import Usage
from accounts.subjects import Subject
from chat.models import Receipt
from marketplace.outcome_marks import icon, tone


def subjects_of(rows: Sequence[Usage]) -> dict[int, Subject]:
    """The answers that `rows` were billed for, by the usage's key."""
    receipts = Receipt.objects.filter(usage__in=[row.pk for row in rows])
    found = receipts.select_related("message__conversation").only(
        "usage_id",
        "outcome",
        "message__id",
        "message__conversation__id",
        "message__conversation__network",
        "message__conversation__title",
    )
    return {int(receipt.usage_id or 0): _subject(receipt) for receipt in found}


def _subject(receipt: Receipt) -> Subject:
    conversation = receipt.message.conversation
    page = reverse("chat:conversation", args=[conversation.network, conversation.pk])
    return Subject(
        title=str(conversation),
        url=f"{page}#message-{receipt.message.pk}",
        outcome=receipt.outcome,
        style=tone(receipt.outcome),
        icon=icon(receipt.outcome),
    )
