"""Asking: each form sent is one turn, however often it arrives."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST
from django_htmx.http import reswap, retarget, trigger_client_event

from accounts.models import Wallet
from chat import engine, transitions, turns
from chat.access import answer_for, conversation_for
from chat.forms import AskingForm, QuestionForm
from chat.limits import wait_before_sending
from chat.models import Conversation
from chat.rooms import room, service_of, turn_context, wallet_of
from chat.turns import Turn, TurnRefused
from marketplace.access import service_or_404
from marketplace.fragments import wants_fragment
from marketplace.models import Service
from marketplace.network import network_or_404
from marketplace.problems import problem


@require_POST
def start(request: HttpRequest, network: str) -> HttpResponse:
    """Start a conversation with its first question."""
    service = service_or_404(network_or_404(network), request.POST.get("provider", ""))
    question, asking = QuestionForm(request.POST), AskingForm(request.POST)
    try:
        wallet = _require(request, service, question)
        if not asking.is_valid():
            raise TurnRefused("One of the settings is out of its range.")
        conversation = turns.start(
            wallet,
            service,
            key=question.key,
            system_prompt=asking.cleaned_data["system_prompt"],
            parameters=asking.parameters,
        )
        _run(turns.ask(conversation, key=question.key, text=question.cleaned_data["text"]))
    except TurnRefused as refusal:
        return _refused(request, refusal)
    return redirect("chat:conversation", network, conversation.pk)


@require_POST
def turn(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """Ask the next question of a conversation."""
    conversation = conversation_for(request.user, network, pk)
    form = QuestionForm(request.POST)
    try:
        _require(request, service_of(conversation), form)
        asked = turns.ask(conversation, key=form.key, text=form.cleaned_data["text"])
    except TurnRefused as refusal:
        return _refused(request, refusal)
    _run(asked)
    return _shown(request, "chat/_turn.html", conversation, asked)


@require_POST
def again(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """Ask the same question once more after its answer failed."""
    answer = answer_for(request.user, network, pk)
    conversation = answer.conversation
    try:
        _require(request, service_of(conversation))
        asked = turns.ask_again(answer)
    except TurnRefused as refusal:
        return _refused(request, refusal)
    _run(asked)
    return _shown(request, "chat/_answer.html", conversation, asked)


@require_POST
def stop(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """End the reading of an answer and keep the part; the page hears of it by its stream."""
    answer = answer_for(request.user, network, pk)
    if transitions.stop(answer.pk):
        engine.stop(answer.pk)
    if wants_fragment(request):
        return HttpResponse(status=204)
    return redirect("chat:conversation", network, answer.conversation_id)


def _require(
    request: HttpRequest, service: Service | None, form: QuestionForm | None = None
) -> Wallet:
    """Return who asks; raises TurnRefused with the first reason why it cannot be sent."""
    wallet = wallet_of(request)
    if wallet is None:
        raise TurnRefused("You are signed out. Sign in, then send it again.")
    place = room(request, service.network, service) if service else None
    if place is None or not place.is_open:
        raise TurnRefused("This provider cannot be used. Choose another one.")
    if place.next_step is not None:
        raise TurnRefused(f"One step is missing before this can be sent: {place.next_step.title}.")
    if form is not None and not form.is_valid():
        raise TurnRefused(form.problem)
    if seconds := wait_before_sending(wallet):
        raise TurnRefused(f"That is a lot of messages for a minute. Wait {seconds} s.")
    return wallet


def _run(turn: Turn) -> None:
    if turn.is_new:
        engine.start(turn.answer.pk)  # a turn is committed when it is returned


def _shown(
    request: HttpRequest, template: str, conversation: Conversation, turn: Turn
) -> HttpResponse:
    if not wants_fragment(request):
        return redirect("chat:conversation", conversation.network, conversation.pk)
    place = room(request, conversation.network, service_of(conversation))
    context = {"conversation": conversation, **turn_context(turn, place)}
    return render(request, template, context)


def _refused(request: HttpRequest, refusal: TurnRefused) -> HttpResponse:
    """Say why, beside the composer, whose text stays; the missing step shows itself."""
    response = problem(request, str(refusal), title="Not sent", status=422)
    if wants_fragment(request):
        reswap(retarget(response, "#composer-problem"), "innerHTML")
        trigger_client_event(response, "readiness-changed")
    return response
