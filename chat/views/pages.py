"""The chat pages, and the parts of them that change by themselves."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from chat.access import conversation_for
from chat.rooms import (
    asking_form,
    chat_services,
    conversation_context,
    just_deleted,
    named,
    offer_of,
    pictures_context,
    room,
    room_of,
    service_of,
    shelf_of,
)
from chat.shelf import Shelf
from marketplace.access import service_or_404
from marketplace.fragments import wants_fragment
from marketplace.models import Service
from marketplace.network import network_or_404
from marketplace.offers import chat_offer, chat_offers
from marketplace.problems import problem


@require_GET
def home(request: HttpRequest, network: str) -> HttpResponse:
    """A new conversation: choose a provider (?provider=), see what is missing, ask."""
    network_or_404(network)
    services = chat_services(network)
    listed = shelf_of(request, network)
    chosen = _chosen(request, services, listed)
    place = room(request, network, chosen, request.GET.get("model", ""))
    if chosen and place.offer is None:  # an address from before the provider changed its list
        place = room(request, network, chosen)
    context = {
        "section": "chat",
        "offers": [offer for service in services for offer in chat_offers(service)],
        "compares": len(services) > 1,
        "shelf": listed,
        "just_deleted": just_deleted(request, network),
        "room": place,
        "asking": asking_form(place.offer),
    }
    return render(request, "chat/home.html", context)


@require_GET
def start_ready(request: HttpRequest, network: str, address: str) -> HttpResponse:
    """The composer of a new conversation, or the step before it: asked for after each step."""
    service = service_or_404(network_or_404(network), address)
    place = room(request, network, service, request.GET.get("model", ""))
    context = {"room": place, "asking": asking_form(place.offer)}
    return render(request, "chat/_start.html", context)


@require_GET
def conversation(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """One conversation; a running answer goes on where the page was made.

    ?message= shows the branch on which that message lies, without making it the visible one.
    """
    network_or_404(network)
    shown = conversation_for(request.user, network, pk)
    context = conversation_context(request, shown, named(request, "message"))
    return render(request, "chat/conversation.html", context)


@require_GET
def ready(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """The composer of a conversation, or the step before it: asked for after each step."""
    shown = conversation_for(request.user, network, pk)
    place = room_of(request, shown)
    context = {"conversation": shown, "room": place, **pictures_context(shown)}
    return render(request, "chat/_ready.html", context)


@require_POST
def asking(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """Remember how the model is to be asked in this conversation."""
    shown = conversation_for(request.user, network, pk)
    form = asking_form(offer_of(shown), shown, request.POST)
    is_saved = form.is_valid()
    if is_saved:
        shown.system_prompt = form.cleaned_data["system_prompt"]
        shown.parameters = form.parameters
        shown.save(update_fields=["system_prompt", "parameters"])
    if is_saved and not request.htmx:  # type: ignore[attr-defined]
        return redirect("chat:conversation", network, pk)
    context = {"conversation": shown, "asking": form, "is_saved": is_saved}
    return render(request, "chat/_asking_form.html", context, status=200 if is_saved else 422)


@require_POST
def model(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """Ask another of the provider's models from the next message on."""
    shown = conversation_for(request.user, network, pk)
    service = service_of(shown)
    offer = chat_offer(service, request.POST.get("model", "")) if service else None
    if offer is None:
        words = "This provider does not list that model. Reload the page, and choose another one."
        return problem(request, words, title="The model was not changed", status=422)
    shown.model = offer.name
    shown.save(update_fields=["model"])
    if not wants_fragment(request):
        return redirect("chat:conversation", network, pk)
    context = {
        "conversation": shown,
        "room": room_of(request, shown),
        "asking": asking_form(offer, shown),
        "swap": True,
        **pictures_context(shown),
    }
    return render(request, "chat/_model_changed.html", context)


def _chosen(request: HttpRequest, services: list[Service], listed: Shelf | None) -> Service | None:
    """The service that ?provider= names in any spelling, else that of the last chat, else one."""
    newest = listed.newest if listed else None
    wanted = [request.GET.get("provider", ""), newest.provider if newest else ""]
    by_address = {service.provider.lower(): service for service in services}
    named = (by_address.get(address.lower()) for address in wanted)
    return next(filter(None, named), services[0] if services else None)
