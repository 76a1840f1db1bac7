"""Conversations as files: take them away, bring them back."""

from __future__ import annotations

from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.text import slugify
from django.views.decorators.http import require_GET, require_POST

from chat import comparisons
from chat.access import answer_for, comparison_for, conversation_for
from chat.compared_markdown import compared_to_markdown
from chat.exporting import to_json, to_markdown
from chat.forms import MAX_IMPORT, ImportForm
from chat.importing import import_file
from chat.models import Conversation
from chat.pictures import bytes_in
from chat.reading import ImportRefused
from chat.rooms import history_context, wallet_of
from marketplace.network import network_or_404
from marketplace.problems import problem


@require_GET
def export_all(request: HttpRequest, network: str) -> HttpResponse:
    """All conversations of the wallet on this network, with everything, as JSON."""
    network_or_404(network)
    wallet = wallet_of(request)
    if wallet is None:
        raise Http404("Sign in to export your conversations.")
    conversations = Conversation.objects.of(wallet, network)
    if bytes_in(conversations) * 4 // 3 > MAX_IMPORT:
        words = "With all their pictures your conversations are larger than one file may be."
        remedy = "Export them one by one: open a conversation and choose Export as JSON."
        return problem(request, words, remedy, title="Not exported", status=422)
    text = to_json(network, conversations)
    return _file(text, f"conversations-{network}.json", "application/json")


@require_GET
def export_json(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """One conversation with all its branches, pictures, receipts and evidence."""
    conversation = conversation_for(request.user, network, pk)
    return _file(to_json(network, [conversation]), _name(conversation, "json"), "application/json")


@require_GET
def export_markdown(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """The visible branch of a conversation as a text to read."""
    conversation = conversation_for(request.user, network, pk)
    return _file(to_markdown(conversation), _name(conversation, "md"), "text/markdown")


@require_GET
def export_compared_json(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """Conversations that were asked side by side, with everything."""
    compared = comparisons.conversations(comparison_for(request.user, network, pk))
    text = to_json(network, compared)
    return _file(text, _name(compared[0], "json"), "application/json")


@require_GET
def export_compared_markdown(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """The same as a text to read: how they compare, then each of them."""
    compared = comparisons.conversations(comparison_for(request.user, network, pk))
    text = compared_to_markdown(compared)
    return _file(text, _name(compared[0], "md"), "text/markdown")


@require_GET
def answer_markdown(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """One answer as its model wrote it."""
    answer = answer_for(request.user, network, pk)
    return _file(answer.text, f"answer-{pk}.md", "text/markdown")


@require_POST
def imports(request: HttpRequest, network: str) -> HttpResponse:
    """Bring conversations back from an export."""
    network_or_404(network)
    wallet = wallet_of(request)
    if wallet is None:
        raise Http404("Sign in to import conversations.")
    form = ImportForm(request.POST, request.FILES)
    try:
        if not form.is_valid():
            raise ImportRefused(str(form.errors["file"][0]))
        file: UploadedFile[bytes] = form.cleaned_data["file"]
        done = import_file(wallet, network, file.read())
    except ImportRefused as refusal:
        context = {**history_context(request, network), "import_problem": str(refusal)}
        return render(request, "chat/history.html", context, status=422)
    page = reverse("chat:history", args=(network,))
    return redirect(f"{page}?imported={done.new}&known={done.known}")


def _name(conversation: Conversation, ending: str) -> str:
    return f"{slugify(conversation.title)[:60] or 'conversation'}.{ending}"


def _file(text: str, name: str, content_type: str) -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private"}
    return HttpResponse(text, content_type=f"{content_type}; charset=utf-8", headers=headers)
