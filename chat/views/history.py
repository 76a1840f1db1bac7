"""A wallet's conversations: the list, the search in it, and what can be done with one of them."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from chat import shelf
from chat.access import conversation_for
from chat.forms import TitleForm
from chat.rooms import history_context, wallet_of
from marketplace.fragments import wants_fragment
from marketplace.network import network_or_404
from marketplace.problems import problem


@require_GET
def history(request: HttpRequest, network: str) -> HttpResponse:
    """All conversations by day, or with ?q= what was said; ?show= is how many."""
    network_or_404(network)
    context = history_context(request, network)
    template = "chat/_history.html" if wants_fragment(request) else "chat/history.html"
    return render(request, template, context)


@require_POST
def pin(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """Keep a conversation at the top of the list."""
    shelf.pin(conversation_for(request.user, network, pk))
    return redirect("chat:conversation", network, pk)


@require_POST
def unpinning(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """Let a conversation take its place by day again."""
    shelf.unpin(conversation_for(request.user, network, pk))
    return redirect("chat:conversation", network, pk)


@require_POST
def title(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """Call a conversation by another name."""
    conversation = conversation_for(request.user, network, pk)
    form = TitleForm(request.POST)
    if not form.is_valid():
        words = "A title has 1 to 120 characters."
        return problem(request, words, title="Not renamed", status=422)
    shelf.rename(conversation, form.cleaned_data["title"])
    return redirect("chat:conversation", network, pk)


@require_POST
def deletion(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """Delete a conversation; for some days it can be taken back. Its usage stays in the account."""
    if not shelf.delete(conversation_for(request.user, network, pk)):
        advice = "Wait for it, or stop it; then delete the conversation."
        return problem(request, "An answer is still on its way.", advice, status=409)
    return redirect(f"{reverse('chat:home', args=(network,))}?deleted={pk}")


@require_POST
def restoration(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """Bring a deleted conversation back."""
    wallet = wallet_of(request)
    if wallet is None or not shelf.restore(wallet, network, pk):
        raise Http404("There is no such deleted conversation here.")
    return redirect("chat:conversation", network, pk)
