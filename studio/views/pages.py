"""The studio's pages: order a work, and look at those that were made."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRedirect, reswap, retarget

from accounts.access import WalletRequest, signed_in
from accounts.limits import limit
from accounts.readiness import readiness
from marketplace.access import service_or_404
from marketplace.fragments import wants_fragment
from marketplace.models import Service
from marketplace.network import network_or_404
from marketplace.offers import models_of
from studio import engine, works
from studio.forms import WorkForm
from studio.kinds import FORMS, SPEECH, Place, kind_of
from studio.rooms import home_context, quote_context, ready_context, wallet_of
from studio.works import OrderRefused
from zgcompute.fees import MAX_SPEECH_SECONDS

ORDERS_PER_MINUTE = 30  # PROTOCOL §2.3: what a provider takes of one user


@require_GET
def home(request: HttpRequest, network: str, place: Place) -> HttpResponse:
    """Choose a provider (?provider=), see what is missing, order, look at what was made."""
    network_or_404(network)
    return render(request, "studio/home.html", home_context(request, network, place))


@require_GET
def ready(request: HttpRequest, network: str, address: str, place: Place) -> HttpResponse:
    """The form, or the step before it: asked for after each step."""
    service = _service(network, address, place)
    context = ready_context(request, network, place, service)
    return render(request, "studio/_ready.html", context)


@require_GET
def estimate(request: HttpRequest, network: str, address: str) -> HttpResponse:
    """What a recording of `?seconds=` will cost, and whether that can be paid."""
    service = _service(network, address, SPEECH)
    seconds = request.GET.get("seconds", "")
    if not (seconds.isdecimal() and len(seconds) <= 6):
        raise Http404("There is no such length.")
    length = min(max(1, int(seconds)), MAX_SPEECH_SECONDS)
    model = request.GET.get("model", "")[:300] or service.model
    context = quote_context(wallet_of(request), service, model, length)
    return render(request, "studio/_estimate.html", context)


@require_POST
@signed_in
def orders(request: WalletRequest, network: str, place: Place) -> HttpResponse:
    """Take an order and leave it to the engine; the page shows how far it is."""
    service = _service(network, request.POST.get("provider", ""), place)
    limit(request, "order", ORDERS_PER_MINUTE)
    kind = kind_of(service)
    models = models_of(service)
    form = FORMS[kind](
        request.POST, request.FILES, wallet=request.user, network=network, models=models
    )
    try:
        _require_ready(request, service, form)
        work, is_new = works.order(request.user, service, kind, form)
    except OrderRefused as refusal:
        return _refused(request, network, place, form, refusal)
    if is_new:
        engine.start(work.pk)  # it is committed when it is returned
    made = f"{place.url(network)}?again={work.pk}#work-{work.pk}"
    return HttpResponseClientRedirect(made) if wants_fragment(request) else redirect(made)


def _require_ready(request: WalletRequest, service: Service, form: WorkForm) -> None:
    """Raise OrderRefused with the first reason why it cannot be sent."""
    room = readiness(request.user, service.network, service)
    if not room.is_open:
        raise OrderRefused("This provider cannot be used. Choose another one.")
    if room.next_step is not None:
        raise OrderRefused(f"One step is missing before this can be sent: {room.next_step.title}.")
    if not form.is_valid():
        raise OrderRefused("Correct what is marked below, then send it again.")


def _refused(
    request: HttpRequest, network: str, place: Place, form: WorkForm, refusal: OrderRefused
) -> HttpResponse:
    """The form as it was sent, with what refused it and the step that helps."""
    sent = request.POST.get("provider", "")
    is_fragment = wants_fragment(request)
    context = (
        ready_context(request, network, place, _service(network, sent, place), form)
        if is_fragment
        else home_context(request, network, place, form, sent)
    )
    steps = {step.key: step for step in context["room"].steps}
    context |= {"refusal": str(refusal), "refusal_step": steps.get(refusal.step)}
    name = "studio/_ready.html" if is_fragment else "studio/home.html"
    shown = render(request, name, context, status=422)
    return reswap(retarget(shown, "#ready"), "outerHTML") if is_fragment else shown


def _service(network: str, address: str, place: Place) -> Service:
    service = service_or_404(network_or_404(network), address)
    if service.service_type not in place.types:
        raise Http404("This provider makes something else.")
    return service
