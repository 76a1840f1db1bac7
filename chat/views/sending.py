"""What all ways of asking share: may it be sent, sent once, shown, or refused in words."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django_htmx.http import replace_url, reswap, retarget, trigger_client_event

from accounts.models import Wallet
from chat import engine
from chat.forms import QuestionForm
from chat.limits import wait_before_sending
from chat.models import Conversation
from chat.passages import Turn
from chat.rooms import room, room_of, turn_context, turns_context, wallet_of
from chat.turns import TurnRefused
from marketplace.fragments import wants_fragment
from marketplace.models import Service
from marketplace.problems import problem


class NotReady(TurnRefused):
    """Something is missing before anything can be sent; the page shows the step itself."""


def require(
    request: HttpRequest, service: Service | None, form: QuestionForm | None = None
) -> Wallet:
    """Return who asks; raises TurnRefused with the first reason why it cannot be sent."""
    wallet = wallet_of(request)
    if wallet is None:
        raise NotReady("You are signed out. Sign in, then send it again.")
    place = room(request, service.network, service) if service else None
    if place is None or not place.is_open:
        raise NotReady("This provider cannot be used. Choose another one.")
    if place.next_step is not None:
        raise NotReady(f"One step is missing before this can be sent: {place.next_step.title}.")
    if form is not None and not form.is_valid():
        raise TurnRefused(form.problem)
    if seconds := wait_before_sending(wallet):
        raise TurnRefused(f"That is a lot of messages for a minute. Wait {seconds} s.")
    return wallet


def run(turn: Turn) -> None:
    """Hand a turn that was just made to the engine; one that was there already is under way."""
    if turn.is_new:
        engine.start(turn.answer.pk)  # a turn is committed when it is returned


def back_to(request: HttpRequest, conversation: Conversation) -> HttpResponse:
    """Lead a browser without scripts to the page it came from: the conversation, or those that it
    is shown side by side with."""
    network, beside = conversation.network, conversation.comparison_id
    if beside is not None:
        page = reverse("chat:comparison", args=(network, beside))
        if urlsplit(request.headers.get("Referer", "")).path == page:
            return redirect(page)
    return redirect("chat:conversation", network, conversation.pk)


def shown_turn(request: HttpRequest, conversation: Conversation, turn: Turn) -> HttpResponse:
    """The new turn, to be added below the others."""
    if not wants_fragment(request):
        return back_to(request, conversation)
    place = room_of(request, conversation)
    context = {"conversation": conversation, **turn_context(turn, place)}
    response = render(request, "chat/_turn.html", context)
    return _at_its_address(request, response, conversation)


def shown_branch(request: HttpRequest, conversation: Conversation) -> HttpResponse:
    """All turns anew: another branch is visible now."""
    if not wants_fragment(request):
        return back_to(request, conversation)
    response = render(request, "chat/_turns.html", turns_context(request, conversation))
    return _at_its_address(request, response, conversation)


def refused(request: HttpRequest, refusal: TurnRefused) -> HttpResponse:
    """Say why, beside the composer, whose text stays; the missing step shows itself."""
    response = problem(request, str(refusal), title="Not sent", status=422)
    if wants_fragment(request):
        reswap(retarget(response, "#composer-problem"), "innerHTML")
        if isinstance(refusal, NotReady):
            trigger_client_event(response, "readiness-changed")
    return response


def _at_its_address(
    request: HttpRequest, response: HttpResponse, conversation: Conversation
) -> HttpResponse:
    """The page may have been opened at a message of another branch: that is not its state now.

    A page that shows several conversations side by side keeps its own address.
    """
    url = reverse("chat:conversation", args=(conversation.network, conversation.pk))
    current: str | None = request.htmx.current_url_abs_path  # type: ignore[attr-defined]
    is_here = current is None or current.partition("?")[0] == url
    return replace_url(response, url) if is_here else response
