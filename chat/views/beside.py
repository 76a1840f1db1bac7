"""Side by side: one form asks several providers, each in a conversation of its own."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.models import Wallet
from chat import comparisons
from chat.access import comparison_for
from chat.columns import comparison_context, standings_context, start_context
from chat.forms import QuestionForm
from chat.models import Comparison, Conversation
from chat.rooms import asking_form, chat_services, room, service_of
from chat.turns import TurnRefused
from chat.views.sending import refused, require, run
from marketplace.access import service_or_404
from marketplace.fragments import wants_fragment
from marketplace.models import Service
from marketplace.network import network_or_404


@require_http_methods(["GET", "POST"])
def beside(request: HttpRequest, network: str) -> HttpResponse:
    """Choose providers (?provider= for each) and see what each lacks; or ask them, the first time.

    As a fragment: the composer, or what comes before it.
    """
    network_or_404(network)
    if request.method == "POST":
        return _start(request, network)
    template = "chat/_beside_dock.html" if wants_fragment(request) else "chat/beside.html"
    return render(request, template, start_context(request, network))


@require_GET
def step(request: HttpRequest, network: str, address: str) -> HttpResponse:
    """What one provider of several still lacks: asked for after each step."""
    place = room(request, network, service_or_404(network_or_404(network), address))
    return render(request, "chat/_beside_step.html", {"room": place})


@require_GET
def comparison(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """Conversations side by side; as a fragment, the composer below them."""
    network_or_404(network)
    shown = comparison_for(request.user, network, pk)
    template = "chat/_beside_dock.html" if wants_fragment(request) else "chat/comparison.html"
    return render(request, template, comparison_context(request, shown))


@require_GET
def standings(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """The states, costs and times of the columns: asked for after each answer."""
    shown = comparison_for(request.user, network, pk)
    return render(request, "chat/_beside_standings.html", standings_context(shown))


@require_POST
def turns(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """Ask all the next question; with `conversation`, the one that has not been asked it yet."""
    shown = comparison_for(request.user, network, pk)
    listed, only = comparisons.conversations(shown), request.POST.get("conversation")
    meant = [one for one in listed if only in (None, str(one.pk))]
    form = QuestionForm(request.POST)
    try:
        if not form.is_valid():
            raise TurnRefused(form.problem)
        reasons = _ask(request, meant, form)
        if reasons and len(reasons) == len(meant):
            raise next(iter(reasons.values()))
    except TurnRefused as refusal:
        return refused(request, refusal)
    if not wants_fragment(request) and not reasons:
        return redirect("chat:comparison", network, pk)
    return _columns(request, shown, {pk: str(reason) for pk, reason in reasons.items()})


@require_POST
def pick(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """Go on with one conversation, on its own page."""
    listed = comparisons.conversations(comparison_for(request.user, network, pk))
    wanted = request.POST.get("conversation")
    picked = next((one for one in listed if str(one.pk) == wanted), None)
    if picked is None:
        raise Http404("That conversation is not one of these.")
    comparisons.pick(picked)
    return redirect("chat:conversation", network, picked.pk)


def _start(request: HttpRequest, network: str) -> HttpResponse:
    question, asking = QuestionForm(request.POST), asking_form(None, data=request.POST)
    try:
        wanted = request.POST.getlist("provider")
        services = comparisons.chosen(chat_services(network), wanted)
        wallet = _require_one(request, services, question)
        if not asking.is_valid():
            raise TurnRefused("One of the settings is out of its range.")
    except TurnRefused as refusal:
        return refused(request, refusal)
    made = comparisons.start(
        wallet,
        services,
        key=question.key,
        system_prompt=asking.cleaned_data["system_prompt"],
        parameters=asking.parameters,
    )
    _ask(request, comparisons.conversations(made), question)
    return redirect("chat:comparison", network, made.pk)


def _require_one(request: HttpRequest, services: Iterable[Service], form: QuestionForm) -> Wallet:
    """Return who asks; raises TurnRefused where none of the providers can be asked."""
    reasons = []
    for service in services:
        try:
            return require(request, service, form)
        except TurnRefused as refusal:
            reasons.append(refusal)
    raise reasons[0]


def _ask(
    request: HttpRequest, listed: Iterable[Conversation], form: QuestionForm
) -> dict[UUID, TurnRefused]:
    """Ask each; returns why some were not asked, which keeps nobody from asking the others."""
    reasons = {}
    for one in listed:
        try:
            require(request, service_of(one), form)
            run(comparisons.ask(one, key=form.key, text=form.cleaned_data["text"]))
        except TurnRefused as refusal:
            reasons[one.pk] = refusal
    return reasons


def _columns(request: HttpRequest, shown: Comparison, reasons: dict[UUID, str]) -> HttpResponse:
    """All columns anew, and a new key for the form: the next one that is sent is another."""
    shown.refresh_from_db()
    template = "chat/_beside_asked.html" if wants_fragment(request) else "chat/comparison.html"
    return render(request, template, comparison_context(request, shown, reasons))
