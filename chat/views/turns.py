"""Asking: each form sent is one turn, however often it arrives."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST
from django_htmx.http import HttpResponseClientRedirect

from chat import engine, transitions, turns
from chat.access import answer_for, conversation_for
from chat.attaching import attached
from chat.forms import QuestionForm, form_key
from chat.rooms import asking_form, offer_of, service_of
from chat.turns import TurnRefused
from chat.views.sending import back_to, refused, require, run, shown_branch, shown_turn
from marketplace.access import service_or_404
from marketplace.fragments import wants_fragment
from marketplace.network import network_or_404
from marketplace.offers import chat_offer


@require_POST
def start(request: HttpRequest, network: str) -> HttpResponse:
    """Start a conversation with its first question."""
    service = service_or_404(network_or_404(network), request.POST.get("provider", ""))
    offer = chat_offer(service, request.POST.get("model", ""))
    question = QuestionForm(request.POST, request.FILES)
    asking = asking_form(offer, data=request.POST)
    try:
        wallet = require(request, service, question)
        if offer is None:
            raise TurnRefused("This provider does not list that model. Choose another one.")
        if not asking.is_valid():
            raise TurnRefused("One of the settings is out of its range.")
        shown = attached(question, wallet, service.network, offer)
        conversation = turns.start(
            wallet,
            service,
            key=question.key,
            system_prompt=asking.cleaned_data["system_prompt"],
            parameters=asking.parameters,
            model=offer.name,
        )
        text = question.cleaned_data["text"]
        run(turns.ask(conversation, key=question.key, text=text, shown=shown))
    except TurnRefused as refusal:
        return refused(request, refusal)
    page = reverse("chat:conversation", args=(network, conversation.pk))
    return HttpResponseClientRedirect(page) if wants_fragment(request) else redirect(page)


@require_POST
def turn(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """Ask the next question of a conversation."""
    conversation = conversation_for(request.user, network, pk)
    form = QuestionForm(request.POST, request.FILES)
    try:
        wallet = require(request, service_of(conversation), form)
        shown = attached(form, wallet, network, offer_of(conversation), conversation)
        text, after = form.cleaned_data["text"], form.cleaned_data["after"]
        asked = turns.ask(conversation, key=form.key, text=text, after=after, shown=shown)
    except TurnRefused as refusal:
        return refused(request, refusal)
    run(asked)
    return shown_turn(request, conversation, asked)


@require_POST
def again(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """Ask the same question once more: after a failure, or for another answer beside this one."""
    answer = answer_for(request.user, network, pk)
    conversation = answer.conversation
    try:
        require(request, service_of(conversation))
        run(turns.ask_again(answer, key=form_key(request.POST)))
    except TurnRefused as refusal:
        return refused(request, refusal)
    return shown_branch(request, conversation)


@require_POST
def continuation(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """Ask the model to go on where an answer was stopped or broke off."""
    answer = answer_for(request.user, network, pk)
    conversation = answer.conversation
    try:
        require(request, service_of(conversation))
        run(turns.go_on(answer))
    except TurnRefused as refusal:
        return refused(request, refusal)
    return shown_branch(request, conversation)


@require_POST
def stop(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """End the reading of an answer and keep the part; the page hears of it by its stream."""
    answer = answer_for(request.user, network, pk)
    if transitions.stop(answer.pk):
        engine.stop(answer.pk)
    if wants_fragment(request):
        return HttpResponse(status=204)
    return back_to(request, answer.conversation)
