"""What a page of the studio shows: services, what is missing, the form, and the works so far."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.paginator import Page, Paginator
from django.http import HttpRequest

from accounts.models import Wallet
from accounts.readiness import Readiness, readiness
from marketplace.models import Service
from marketplace.offers import models_of
from marketplace.templatetags.measured import span
from studio.forms import FORMAT_NAMES, LANGUAGES, WorkForm
from studio.kinds import FORMS, Place, kind_of, place_of
from studio.models import Work
from studio.pace import pace
from studio.quotes import quote_recording
from studio.remedies import remedy
from zgcompute.uploads import MAX_UPLOAD

WORKS_PER_PAGE = 12


def wallet_of(request: HttpRequest) -> Wallet | None:
    """The signed-in wallet, or None."""
    return request.user if isinstance(request.user, Wallet) else None


def home_context(
    request: HttpRequest, network: str, place: Place, form: WorkForm | None = None, sent: str = ""
) -> dict[str, Any]:
    """What the page needs; `form` is one that was refused, for the provider `sent`."""
    wallet = wallet_of(request)
    services = services_of(network, place)
    again = _again(request, wallet, network)
    works = _works(wallet, network, place)
    service = _chosen(request, services, again, works, sent)
    return {
        "place": place,
        "services": services,
        "groups": _grouped(services),
        "home_url": place.url(network),
        "page": _paged(request, works),
        "works": [work_context(one) for one in _paged(request, works).object_list],
        **ready_context(request, network, place, service, form, again),
    }


def ready_context(
    request: HttpRequest,
    network: str,
    place: Place,
    service: Service | None,
    form: WorkForm | None = None,
    again: Work | None = None,
) -> dict[str, Any]:
    """What the form's fragment needs, or the step before it."""
    wallet = wallet_of(request)
    room = readiness(wallet, network, service)
    context: dict[str, Any] = {"place": place, "room": room}
    if service is None:
        return context
    kind, models = kind_of(service), models_of(service)
    if form is None:
        again = again or _again(request, wallet, network)
        initial = _initial(request, kind, again)
        form = FORMS[kind](wallet=wallet, network=network, models=models, initial=initial)
    return context | {
        "form": form,
        "kind": kind.value,
        "kept": form.kept,
        "price_list": models[0].price_list if models else service.price_list,
        "orders_url": place.orders_url(network),
        "most_bytes": MAX_UPLOAD,
        "most_megabytes": MAX_UPLOAD >> 20,
        "ready_url": f"{place.ready_url(network, service.provider)}?{request.GET.urlencode()}",
    }


def work_context(work: Work, room: Readiness | None = None) -> dict[str, Any]:
    """What a work's fragment needs; with `room` the step that helps is offered in place."""
    help_for = remedy(work)
    steps = room.steps if room else []
    step = help_for and next((one for one in steps if one.key == help_for.step), None)
    return {
        "work": work,
        "facts": _facts(work),
        "pace": pace(work),
        "remedy": help_for,
        "remedy_step": step,
        "home_url": place_of(work).url(work.network),
        "room": room,
    }


def quote_context(
    wallet: Wallet | None, service: Service, model: str, seconds: int
) -> dict[str, Any]:
    """What the fragment about a recording's cost needs, with the step that lets it be paid."""
    quote = quote_recording(wallet, service, model, seconds)
    room = readiness(wallet, service.network, service)
    transfer = next((step for step in room.steps if step.key == "transfer" and step.form), None)
    return {"quote": quote, "service": service, "step": transfer}


def service_of(work: Work) -> Service | None:
    """The service that made the work, as it is now."""
    found: Service | None = Service.objects.on(work.network).filter(provider=work.provider).first()
    return found


def services_of(network: str, place: Place) -> list[Service]:
    """The services of the page: those open for use first, then by name."""
    listed = Service.objects.on(network).listed().by_name()
    services = listed.filter(service_type__in=place.types)
    return sorted(services, key=lambda one: (not one.is_open, one.reachable is False))


def _grouped(services: list[Service]) -> list[tuple[str, list[Service]]]:
    """The services under the name of their type, in the order of their first."""
    groups: dict[str, list[Service]] = {}
    for service in services:
        groups.setdefault(service.type_label, []).append(service)
    return list(groups.items())


def _works(wallet: Wallet | None, network: str, place: Place) -> list[Work]:
    kinds = [Work.Kind.SPEECH] if "speech-to-text" in place.types else _PICTURES
    if wallet is None:
        return []
    mine = Work.objects.of(wallet, network).filter(kind__in=kinds)
    return list(mine.prefetch_related("files")[:_MOST])


def _paged(request: HttpRequest, works: list[Work]) -> Page[Work]:
    return Paginator(works, WORKS_PER_PAGE).get_page(request.GET.get("page"))


def _facts(work: Work) -> list[tuple[str, str]]:
    """The settings that made the work, in words, without those left to the provider."""
    chosen = {name: str(value) for name, value in work.settings.items()}
    wanted, language = chosen.get("response_format", ""), chosen.get("language", "")
    heard = work.source.seconds if work.source else None
    facts = [
        ("", span(heard) if heard else ""),
        ("", _pictures(work) if "n" in chosen else ""),
        ("Size", chosen.get("size", "").replace("x", " × ")),
        ("", "as a job" if "as_job" in chosen else ""),
        ("", FORMAT_NAMES.get(wanted, wanted)),
        ("", dict(LANGUAGES).get(language, language) if language else ""),
    ]
    return [(label, value) for label, value in facts if value]


def _pictures(work: Work) -> str:
    return "1 picture" if work.wanted == 1 else f"{work.wanted} pictures"


def _again(request: HttpRequest, wallet: Wallet | None, network: str) -> Work | None:
    """The own work whose settings `?again=` asks for."""
    key = request.GET.get("again", "")
    if wallet is None or len(key) != 36:
        return None
    try:
        return Work.objects.of(wallet, network).prefetch_related("files").get(pk=key)
    except (Work.DoesNotExist, ValueError, ValidationError):
        return None


def _initial(request: HttpRequest, kind: str, again: Work | None) -> dict[str, Any]:
    initial: dict[str, Any] = {}
    if again is not None and again.kind == kind:
        source = again.source
        initial = {"prompt": again.prompt, **again.settings, "source": source and source.pk}
        initial["model"] = again.model
    if model := request.GET.get("model"):
        initial["model"] = model[:300]
    if named := request.GET.get("source"):
        initial["source"] = named[:36]
    return initial


def _chosen(
    request: HttpRequest,
    services: list[Service],
    again: Work | None,
    works: list[Work],
    sent: str,
) -> Service | None:
    """The service that was sent or named, else that of the work to repeat, else one that fits."""
    if request.GET.get("source") and not request.GET.get("provider"):
        editors = [one for one in services if one.service_type == "image-editing"]
        services = editors or services
    wanted = [sent, request.GET.get("provider", ""), again.provider if again else ""]
    wanted += [one.provider for one in works[:1]]
    by_address = {service.provider.lower(): service for service in services}
    named = (by_address.get(address.lower()) for address in wanted)
    return next(filter(None, named), services[0] if services else None)


_PICTURES = [Work.Kind.IMAGE, Work.Kind.EDIT]
_MOST = 600  # works that the pages of a gallery go back
