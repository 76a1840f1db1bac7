"""The chat pages, and the parts of them that change by themselves."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from chat import turns
from chat.access import conversation_for
from chat.forms import AskingForm
from chat.models import Conversation
from chat.rooms import (
    asking_form,
    chat_services,
    conversation_context,
    conversations_of,
    room,
    service_of,
)
from marketplace.access import service_or_404
from marketplace.models import Service
from marketplace.network import network_or_404
from marketplace.problems import problem


@require_GET
def home(request: HttpRequest, network: str) -> HttpResponse:
    """A new conversation: choose a provider (?provider=), see what is missing, ask."""
    network_or_404(network)
    services = chat_services(network)
    conversations = conversations_of(request, network)
    context = {
        "section": "chat",
        "services": services,
        "conversations": conversations,
        "room": room(request, network, _chosen(request, services, conversations)),
        "asking": asking_form(),
    }
    return render(request, "chat/home.html", context)


@require_GET
def start_ready(request: HttpRequest, network: str, address: str) -> HttpResponse:
    """The composer of a new conversation, or the step before it: asked for after each step."""
    service = service_or_404(network_or_404(network), address)
    context = {"room": room(request, network, service), "asking": asking_form()}
    return render(request, "chat/_start.html", context)


@require_GET
def conversation(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """One conversation; a running answer goes on where the page was made."""
    network_or_404(network)
    shown = conversation_for(request.user, network, pk)
    return render(request, "chat/conversation.html", conversation_context(request, shown))


@require_GET
def ready(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """The composer of a conversation, or the step before it: asked for after each step."""
    shown = conversation_for(request.user, network, pk)
    context = {"conversation": shown, "room": room(request, network, service_of(shown))}
    return render(request, "chat/_ready.html", context)


@require_POST
def asking(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """Remember how the model is to be asked in this conversation."""
    shown = conversation_for(request.user, network, pk)
    form = AskingForm(request.POST)
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
def deletion(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """Delete a conversation with its answers and proofs; its usage stays in the account."""
    if not turns.delete(conversation_for(request.user, network, pk)):
        advice = "Wait for it, or stop it; then delete the conversation."
        return problem(request, "An answer is still on its way.", advice, status=409)
    return redirect("chat:home", network)


def _chosen(
    request: HttpRequest, services: list[Service], conversations: list[Conversation]
) -> Service | None:
    """The service that ?provider= names in any spelling, else that of the last chat, else one."""
    wanted = [request.GET.get("provider", "")] + [one.provider for one in conversations[:1]]
    by_address = {service.provider.lower(): service for service in services}
    named = (by_address.get(address.lower()) for address in wanted)
    return next(filter(None, named), services[0] if services else None)
