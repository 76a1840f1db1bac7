"""Branches: see a message in its place, make its branch the visible one, ask in other words."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from chat import branches, turns
from chat.access import message_for, question_for
from chat.attaching import attached
from chat.forms import QuestionForm
from chat.models import Message
from chat.passages import turn_of
from chat.rooms import offer_of, room_of, service_of, turn_context
from chat.turns import TurnRefused
from chat.views.sending import refused, require, run, shown_branch
from marketplace.fragments import wants_fragment


@require_GET
def message(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """Lead to a message on its branch; a page that was editing it gets the question back."""
    found = message_for(request.user, network, pk)
    if wants_fragment(request) and (answer := _answer_to(found)):
        place = room_of(request, found.conversation)
        context = {"conversation": found.conversation, **turn_context(turn_of(answer), place)}
        return render(request, "chat/_question.html", context)
    page = reverse("chat:conversation", args=(network, found.conversation_id))
    return redirect(f"{page}?message={pk}#message-{pk}")


@require_POST
def choice(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """Make the branch of a message the visible one."""
    chosen = message_for(request.user, network, pk)
    branches.choose(chosen)
    return shown_branch(request, chosen.conversation)


@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """Ask a question in other words, on a branch of its own."""
    question = question_for(request.user, network, pk)
    conversation = question.conversation
    if request.method == "GET":
        template = "chat/_edit.html" if wants_fragment(request) else "chat/edit.html"
        place = room_of(request, conversation)
        context = {"question": question, "conversation": conversation, "room": place}
        return render(request, template, {"section": "chat", **context})
    form = QuestionForm(request.POST, request.FILES)
    try:
        wallet = require(request, service_of(conversation), form)
        shown = attached(form, wallet, network, offer_of(conversation), conversation, question)
        run(turns.edit(question, key=form.key, text=form.cleaned_data["text"], shown=shown))
    except TurnRefused as refusal:
        return refused(request, refusal)
    return shown_branch(request, conversation)


def _answer_to(question: Message) -> Message | None:
    answers = question.following.answers().select_related("conversation", "parent")
    found: Message | None = answers.order_by("-chosen_at").first()
    return found if question.role == Message.Role.USER else None
