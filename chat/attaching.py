"""The pictures that a form brings: taken, counted and cleaned, or refused in words."""

from __future__ import annotations

from django.core.files.uploadedfile import UploadedFile

from accounts.models import Wallet
from accounts.pictures import clean
from accounts.stored import NewFile, read_upload
from chat import pictures
from chat.forms import QuestionForm
from chat.models import Conversation, Message, Picture
from chat.pictures import BOUNDS, MAX_UPLOAD, MOST, MOST_KEPT, MOST_TOGETHER
from chat.turns import TurnRefused
from marketplace.offers import Offer
from zgcompute.errors import InvalidBody

_SHOWN_NAME = 60  # characters


def attached(
    form: QuestionForm,
    wallet: Wallet,
    network: str,
    offer: Offer | None,
    conversation: Conversation | None = None,
    question: Message | None = None,
) -> list[NewFile]:
    """Return the pictures of a valid `form`: those of `question` that it keeps, then new ones.

    Raises TurnRefused where they are too many, lost or no pictures, or the model takes none.
    """
    kept = [] if question is None else _kept(question, form.kept_keys)
    if len(kept) + len(form.uploads) > MOST:
        raise TurnRefused(f"At most {MOST} pictures can go with a message. Remove some of them.")
    if form.uploads:
        _require_sight(offer)
        if pictures.bytes_of_wallet(wallet, network) >= MOST_KEPT:
            raise TurnRefused(
                f"Your pictures here take {MOST_KEPT >> 20} MB. Delete conversations with "
                "pictures; their room is free 7 days later."
            )
    if (kept or form.uploads) and conversation is not None:
        _require_room(conversation)
    return kept + [_cleaned(one) for one in form.uploads]


def _kept(question: Message, keys: set[str]) -> list[NewFile]:
    kept: list[Picture] = [one for one in question.pictures.all() if str(one.pk) in keys]
    try:
        return [one.copy() for one in kept]
    except FileNotFoundError:
        raise TurnRefused(
            "A picture of this question is missing in this site's storage. Untick it, then send "
            "again."
        ) from None


def _require_sight(offer: Offer | None) -> None:
    if offer is None or not offer.sees:
        raise TurnRefused(
            f"{offer.name if offer else 'This model'} takes no pictures. Remove them, or choose a "
            "model that does."
        )


def _require_room(conversation: Conversation) -> None:
    if pictures.bytes_in([conversation]) >= MOST_TOGETHER:
        raise TurnRefused(
            f"The pictures of this conversation take {MOST_TOGETHER >> 20} MB, the most that one "
            "can hold. Start a new one."
        )


def _cleaned(sent: UploadedFile[bytes]) -> NewFile:
    try:
        return NewFile.picture(clean(read_upload(sent, MAX_UPLOAD), BOUNDS))
    except InvalidBody as error:
        name = (sent.name or "picture")[:_SHOWN_NAME]
        raise TurnRefused(f"“{name}” was not sent. {error} {error.advice}") from error
