"""Conversations from a file: everything in it is somebody's word, and is checked before it is kept.

What a receipt says of its proof is not believed: its evidence is judged again. Even evidence that
holds does not tie the file's text to the signed hash, so an imported answer always says that it
was imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from django.db import transaction
from django.utils import timezone

from accounts.models import Wallet
from accounts.stored import NewFile
from chat import compared_files, pictures, search
from chat.exporting import FORMAT
from chat.forms import MAX_SYSTEM_PROMPT
from chat.imported_pictures import pictures_of
from chat.imported_proof import Judge
from chat.models import Conversation, Message, Picture, Receipt, SearchText
from chat.reading import ImportRefused, Part
from zgcompute._reading import loads

MAX_MESSAGES = 10_000
MAX_PICTURES = 1_000  # each is decoded while the person waits
_FORMATS = (FORMAT, "0g-compute-chat/1")  # the first one knew no pictures, and one model
_MAX_TEXT = 500_000  # characters


@dataclass(frozen=True, slots=True)
class Imported:
    """How many conversations came in, and how many were there from the same file before."""

    new: int
    known: int


@dataclass(slots=True)
class _Draft:
    """A conversation that was read whole, and is not stored yet."""

    conversation: Conversation
    messages: list[Message]
    receipts: list[Receipt]
    shown: list[tuple[Message, list[NewFile]]]


def import_file(wallet: Wallet, network: str, data: bytes) -> Imported:
    """Store the conversations of an export, each once however often its file comes.

    Raises ImportRefused, and stores nothing, where any part of it is not as it should be.
    """
    file = _file(data, network)
    parts = file.parts("conversations", MAX_MESSAGES, "Conversation")
    drafts = _drafts(parts, wallet, network)
    named = {str(part.get("id")): one.conversation for part, one in zip(parts, drafts, strict=True)}
    compared = compared_files.read(file, wallet, network, named)
    shown = [one for draft in drafts for one in draft.shown]
    with pictures.kept(shown) as rows, transaction.atomic():
        new = {draft.conversation.pk for draft in drafts if _keep(draft)}
        ours = [row for row in rows if row.message.conversation_id in new]
        Picture.objects.bulk_create(ours, batch_size=500)
        for one in compared:
            one.keep()
    return Imported(new=len(new), known=len(drafts) - len(new))


def _drafts(parts: list[Part], wallet: Wallet, network: str) -> list[_Draft]:
    if sum(len(part.items("messages", MAX_MESSAGES)) for part in parts) > MAX_MESSAGES:
        raise ImportRefused(f"The file holds more than {MAX_MESSAGES:,} messages.")
    if _count_pictures(parts) > MAX_PICTURES:
        raise ImportRefused(f"The file holds more than {MAX_PICTURES:,} pictures.")
    judge = Judge(network)
    drafts = [_draft(part, wallet, network, judge) for part in parts]
    _require_room(wallet, network, drafts)
    return drafts


def _require_room(wallet: Wallet, network: str, drafts: list[_Draft]) -> None:
    shown = [one for draft in drafts for _, several in draft.shown for one in several]
    new = sum(len(one.content) for one in shown)
    if new and pictures.bytes_of_wallet(wallet, network) + new > pictures.MOST_KEPT:
        raise ImportRefused(
            f"With its pictures yours would take more than {pictures.MOST_KEPT >> 20} MB here."
        )


def _count_pictures(parts: list[Part]) -> int:
    lists = (
        one.get("pictures")
        for part in parts
        for one in part.items("messages", MAX_MESSAGES)
        if isinstance(one, dict)
    )
    return sum(len(one) for one in lists if isinstance(one, list))


def _file(data: bytes, network: str) -> Part:
    try:
        content = loads(data)
    except ValueError:
        raise ImportRefused("The file is not JSON, or it is nested too deeply.") from None
    whole = Part(content, "The file")
    if whole.get("format") not in _FORMATS:
        raise ImportRefused(f"The file is not an export in the form {FORMAT}.")
    if (theirs := whole.text("network", 31)) != network:
        raise ImportRefused(f"The file is of the network {theirs}. Import it there.")
    return whole


def _draft(part: Part, wallet: Wallet, network: str, judge: Judge) -> _Draft:
    conversation = Conversation(
        wallet=wallet,
        network=network,
        provider=part.address("provider"),
        model=part.text("model", 300),
        title=part.text("title", 120),
        start_key=uuid5(NAMESPACE_URL, sha256(part.canonical()).hexdigest()),
        system_prompt=part.text("system_prompt", MAX_SYSTEM_PROMPT),
        parameters=part.parameters("parameters"),
        created_at=part.moment("created_at"),
        updated_at=part.moment("updated_at"),
        pinned_at=timezone.now() if part.flag("is_pinned") else None,
        imported_at=timezone.now(),
    )
    draft = _Draft(conversation, [], [], [])
    known: dict[UUID, Message] = {}
    for one in part.parts("messages", MAX_MESSAGES, f"{part.where}, message"):
        key = one.key("id")
        if key in known:
            raise ImportRefused(f"{one.where}: its id is there twice.")
        known[key] = message = _message(one, conversation, known)
        draft.messages.append(message)
        if shown := pictures_of(one, message.role):
            draft.shown.append((message, shown))
        if one.get("receipt") is not None:
            receipt = _receipt(Part(one.get("receipt"), f"{one.where}, receipt"), judge, message)
            draft.receipts.append(receipt)
    return draft


def _message(part: Part, conversation: Conversation, known: dict[UUID, Message]) -> Message:
    created_at, role = part.moment("created_at"), part.one_of("role", Message.Role.values)
    state = part.one_of("state", Message.State.values)
    return Message(
        id=uuid4(),
        conversation=conversation,
        parent=_parent(part, role, known),
        role=role,
        model=part.text("model", 300) if part.get("model") is not None else "",
        state=Message.State.INTERRUPTED if state in Message.RUNNING else state,
        text=part.text("text", _MAX_TEXT),
        reasoning=part.text("reasoning", _MAX_TEXT),
        is_continuation=part.flag("is_continuation"),
        history_cut=part.count("history_cut", 2**31 - 1),
        pictures_cut=part.maybe_count("pictures_cut", 2**15 - 1) or 0,
        problem=part.text("problem", 1_000),
        advice=part.text("advice", 1_000),
        problem_kind=part.text("problem_kind", 40),
        created_at=created_at,
        chosen_at=part.moment("chosen_at"),
        touched_at=created_at,
        ended_at=created_at,
        closed_at=timezone.now(),
    )


def _parent(part: Part, role: str, known: dict[UUID, Message]) -> Message | None:
    """A question follows an answer or nothing, an answer its question; both come before it."""
    if part.get("parent") is None:
        if role == Message.Role.USER:
            return None
        raise ImportRefused(f"{part.where}: an answer needs the question that it answers.")
    parent = known.get(part.key("parent"))
    if parent is None or parent.role == role:
        raise ImportRefused(f"{part.where}: what it follows does not come before it.")
    return parent


def _receipt(part: Part, judge: Judge, message: Message) -> Receipt:
    if message.role != Message.Role.ASSISTANT:
        raise ImportRefused(f"{part.where}: only answers have one.")
    proof = judge.judge_or_wait(part.get("evidence"), message.conversation.provider)
    counts = {
        name: part.maybe_count(name, most)
        for most, names in (
            (2**63 - 1, ("input_tokens", "output_tokens")),
            (2**31 - 1, ("first_token_ms", "duration_ms")),
        )
        for name in names
    }
    return Receipt(
        message=message,
        fee=part.neuron("fee"),
        fee_is_upper_bound=part.flag("fee_is_upper_bound"),
        fee_basis=part.text("fee_basis", 20),
        fee_lines=part.fee_lines("fee_lines"),
        response_id=part.text("response_id", 200),
        request_sha256=part.sha256("request_sha256"),
        response_sha256=part.sha256("response_sha256"),
        answered_at=part.moment("answered_at"),
        checked_at=timezone.now(),
        checks=1,
        imported_at=timezone.now(),
        **counts,
        **proof,
    )


def _keep(draft: _Draft) -> bool:
    """Store it; False where it came from such a file before (taken back where it was deleted)."""
    made = draft.conversation
    same = Conversation.objects.filter(wallet=made.wallet, start_key=made.start_key)
    if same.exists():
        same.update(deleted_at=None)
        return False
    made.save(force_insert=True)
    Message.objects.bulk_create(draft.messages, batch_size=500)
    Receipt.objects.bulk_create(draft.receipts, batch_size=500)
    texts: list[Any] = search.title_of(made)
    texts += [row for one in draft.messages for row in search.texts_of(one)]
    SearchText.objects.bulk_create(texts, batch_size=500)
    return True
