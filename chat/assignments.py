"""All that the engine needs to know to get one answer, read from the database in one go."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from accounts import sessions
from accounts.models import Wallet
from chat.history import UNKNOWN, Context, request_for
from chat.models import Message
from marketplace import offers
from marketplace.models import Service
from marketplace.network import served
from zgcompute import types
from zgcompute.errors import ServiceMissing, SessionExpired
from zgcompute.model_cards import ModelCard


@dataclass(frozen=True, slots=True)
class Assignment:
    """One request to one provider; `api_key` is a secret and stays out of every text.

    `card` tells the price of the `model` where the service has several. The body is of `text_bytes`
    and of `pictures`.
    """

    message_id: UUID
    wallet: Wallet
    network: str
    is_local: bool
    service: types.Service
    api_key: str
    body: bytes
    model: str
    card: ModelCard | None = None
    text_bytes: int = 0
    pictures: int = 0

    def __repr__(self) -> str:
        return f"Assignment({self.message_id})"


def assignment(message_id: UUID) -> Assignment:
    """Read the assignment of a claimed answer.

    Raises ServiceMissing where the provider has left, SessionExpired where the wallet has no
    running session with it, InvalidBody where a picture of the conversation is lost.
    """
    related = ("conversation__wallet", "parent")
    answer = Message.objects.select_related(*related).get(pk=message_id)
    conversation = answer.conversation
    wallet, network = conversation.wallet, conversation.network
    row = _service(network, conversation.provider)
    service = row.snapshot()
    api_key = sessions.api_key_for(wallet, network, service.provider)
    if api_key is None:
        raise SessionExpired("Your session with this provider has ended.")
    offer = offers.chat_offer(row, answer.asked_model)
    request = request_for(answer, _context(offer))
    Message.objects.filter(pk=message_id).update(
        history_cut=request.left_out,
        history_cut_to=request.cut_to,
        pictures_cut=request.pictures_cut,
    )
    return Assignment(
        message_id=message_id,
        wallet=wallet,
        network=network,
        is_local=served()[network].local,
        service=service,
        api_key=api_key,
        body=request.body,
        model=answer.asked_model,
        card=offer.card if offer else None,
        text_bytes=request.text_bytes,
        pictures=request.pictures,
    )


def drop_session(work: Assignment) -> None:
    """Forget a session that the provider has refused: the next one needs a new signature."""
    sessions.forget(work.wallet, work.network, work.service.provider)


def _context(offer: offers.Offer | None) -> Context:
    if offer is None or offer.row is None:
        return UNKNOWN
    row = offer.row
    return Context(row.context_length or None, row.max_tokens, offer.sees, offer.takes_effort)


def _service(network: str, provider: str) -> Service:
    services = Service.objects.on(network).listed()
    row: Service | None = services.filter(provider=provider).first()
    if row is None:
        raise ServiceMissing("This provider is no longer registered.")
    return row
