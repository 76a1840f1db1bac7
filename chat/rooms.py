"""What a chat page shows around its messages: the provider, and what is missing before sending."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from django.http import HttpRequest

from accounts import readiness
from accounts.models import Wallet
from accounts.readiness import Readiness
from chat import search, shelf
from chat.forms import AskingForm
from chat.models import Conversation, Picture
from chat.passages import Turn, passage
from chat.remedies import Remedy, remedy
from chat.shelf import Shelf
from marketplace import offers
from marketplace.models import Service
from marketplace.network import served
from marketplace.offers import Offer
from zgcompute.networks import Network

_MINUTES = re.compile(r"-?\d{1,4}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Room(Readiness):
    """A place to ask: a service, the visitor's steps towards using it, and the next form's key.

    `offer` is the model that is asked, or None where the provider does not list it (any more);
    `choices` are all of its models, where there is a choice.
    """

    network: Network
    turn_key: UUID
    offer: Offer | None = None
    choices: tuple[Offer, ...] = ()

    @property
    def sees(self) -> bool:
        """Whether the model takes pictures."""
        return self.offer is not None and self.offer.sees

    @property
    def may_see(self) -> bool:
        """Whether it, or another that can be chosen, takes pictures."""
        return self.sees or any(one.sees for one in self.choices)


def room(request: HttpRequest, network: str, service: Service | None, model: str = "") -> Room:
    """Return the room of `service` for whoever asks its `model` ("": its own one)."""
    if service is None:
        return Room(None, [], served()[network], uuid4())
    steps = readiness.steps(wallet_of(request), network, service)
    choices = offers.chat_offers(service)
    offer = offers.named(choices, model)
    is_choice = len(choices) > 1 or offer is None
    return Room(
        service,
        steps,
        served()[network],
        uuid4(),
        offer,
        tuple(choices) if is_choice else (),
    )


def room_of(request: HttpRequest, conversation: Conversation) -> Room:
    """Return the room in which `conversation` goes on."""
    service = service_of(conversation)
    return room(request, conversation.network, service, conversation.model)


def wallet_of(request: HttpRequest) -> Wallet | None:
    """The signed-in wallet, or None."""
    return request.user if isinstance(request.user, Wallet) else None


def service_of(conversation: Conversation) -> Service | None:
    """The service that the conversation is with, as it is now."""
    services = Service.objects.on(conversation.network)
    found: Service | None = services.filter(provider=conversation.provider).first()
    return found


def chat_services(network: str) -> list[Service]:
    """The chat services of the network: those open for use first, then by name."""
    listed = Service.objects.on(network).listed().of_type("chatbot").by_name()
    services = listed.prefetch_related("model_rows")
    return sorted(services, key=lambda one: (not one.is_open, one.reachable is False))


def shelf_of(request: HttpRequest, network: str, show: int = shelf.PAGE) -> Shelf | None:
    """The visitor's own conversations; days are those of the visitor's clock where it is known."""
    wallet = wallet_of(request)
    if wallet is None:
        return None
    east = request.COOKIES.get("minutes_east", "")
    minutes = int(east) if _MINUTES.fullmatch(east) else 0
    return shelf.shelf(wallet, network, show=show, minutes_east=max(-720, min(840, minutes)))


def history_context(request: HttpRequest, network: str) -> dict[str, Any]:
    """What the page of all conversations needs: the list, or with ?q= what was found."""
    wallet, query = wallet_of(request), request.GET.get("q", "")
    context: dict[str, Any] = {"section": "chat"}
    if wallet is None or not query.strip():
        context["shelf"] = shelf_of(request, network, count(request, "show", shelf.PAGE))
    else:
        many = count(request, "show", search.PAGE)
        context["found"] = search.find(wallet, network, query, many)
    if wallet is not None:
        context["deleted"] = shelf.deleted(wallet, network)
    if "imported" in request.GET:
        context["imported"] = count(request, "imported")
        context["known"] = count(request, "known")
    return context


def just_deleted(request: HttpRequest, network: str) -> Conversation | None:
    """The conversation that ?deleted= names, where it can still be taken back."""
    wallet, pk = wallet_of(request), named(request, "deleted")
    if wallet is None or pk is None:
        return None
    gone: Conversation | None = (
        Conversation.objects.deleted_of(wallet, network).filter(pk=pk).first()
    )
    return gone


def named(request: HttpRequest, name: str) -> UUID | None:
    """What the query parameter `name` names, or None where that is nothing or nonsense."""
    try:
        return UUID(request.GET.get(name, ""))
    except ValueError:
        return None


def count(request: HttpRequest, name: str, least: int = 0) -> int:
    """The count that a query parameter states, within reason; nonsense is the least."""
    text = request.GET.get(name, "")
    sound = text.isascii() and text.isdigit() and len(text) < 6
    return max(least, int(text)) if sound else least


def conversation_context(
    request: HttpRequest, conversation: Conversation, through: UUID | None = None
) -> dict[str, Any]:
    """What the conversation page needs: its visible branch, or the one `through` a message."""
    shown = turns_context(request, conversation, through)
    return {
        "section": "chat",
        "shelf": shelf_of(request, conversation.network),
        "asking": asking_form(shown["room"].offer, conversation),
        **shown,
        **pictures_context(conversation),
    }


def pictures_context(conversation: Conversation) -> dict[str, Any]:
    """How many pictures the conversation holds, for a model that takes none."""
    count = Picture.objects.filter(message__conversation=conversation).count()
    return {"pictures_count": count}


def turns_context(
    request: HttpRequest, conversation: Conversation, through: UUID | None = None
) -> dict[str, Any]:
    """What the fragment with all shown turns needs."""
    place = room_of(request, conversation)
    shown = passage(conversation, through)
    running = conversation.messages.running().exclude(pk=shown.leaf)
    return {
        "conversation": conversation,
        "room": place,
        "passage": shown,
        "turns": [turn_context(turn, place) for turn in shown.turns],
        "running_elsewhere": running.values_list("pk", flat=True).first(),
    }


def turn_context(turn: Turn, place: Room) -> dict[str, Any]:
    """What a turn's fragments need."""
    help_for = remedy(turn.answer)
    return {
        "turn": turn,
        "question": turn.question,
        "answer": turn.answer,
        "receipt": getattr(turn.answer, "receipt", None),
        "remedy": help_for,
        "remedy_step": _step(place, help_for),
        "room": place,
    }


def offer_of(conversation: Conversation) -> Offer | None:
    """The model that the conversation asks, as its provider lists it now."""
    service = service_of(conversation)
    return offers.chat_offer(service, conversation.model) if service else None


def asking_form(
    offer: Offer | None,
    conversation: Conversation | None = None,
    data: Mapping[str, str] | None = None,
) -> AskingForm:
    """The form for how a model is asked: as sent, or as the conversation remembers it.

    It asks for a reasoning effort only where the provider's card of the model lists that.
    """
    takes_effort = offer is not None and offer.takes_effort
    known: dict[str, Any] = {}
    if conversation is not None:
        known = {"system_prompt": conversation.system_prompt, **conversation.parameters}
    return AskingForm(data, initial=known, takes_effort=takes_effort)


def _step(place: Room, help_for: Remedy | None) -> readiness.Step | None:
    if help_for is None:
        return None
    return next((step for step in place.steps if step.key == help_for.step), None)
