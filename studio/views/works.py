"""One work: how far it is, its proof, its transcript as a file, and its end."""

from __future__ import annotations

import json
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.readiness import readiness
from marketplace.fragments import wants_fragment
from marketplace.network import network_or_404
from marketplace.problems import problem
from studio import files, proofs
from studio.access import work_for
from studio.kinds import place_of
from studio.models import Work
from studio.rooms import service_of, work_context

_ENDINGS = {"json": "json", "verbose_json": "json", "srt": "srt", "vtt": "vtt"}


@require_GET
def work(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """A work; its fragment asks for itself again until nothing more will come."""
    network_or_404(network)
    return _shown(request, work_for(request.user, network, pk))


@require_POST
def checks(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """Ask the provider for the signature once more."""
    shown = work_for(request.user, network, pk)
    if shown.can_retry:
        shown = proofs.check(shown.pk, budget=0)
    if not wants_fragment(request):
        return redirect(shown.get_absolute_url())
    return _shown(request, shown)


@require_GET
def evidence(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """The evidence of a check as a file that anybody can judge again."""
    shown = work_for(request.user, network, pk)
    if shown.evidence is None:
        raise Http404("This work has not been checked.")
    text = json.dumps(shown.evidence, indent=2, ensure_ascii=False)
    return _attached(text, f"evidence-{pk}.json")


@require_GET
def transcript(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """The transcript as a file, in the form that was asked for and as it came."""
    shown = work_for(request.user, network, pk)
    if not shown.content:
        raise Http404("This work has no transcript.")
    ending = _ENDINGS.get(shown.settings.get("response_format", ""), "txt")
    return _attached(shown.content, f"transcript-{str(pk)[:8]}.{ending}")


@require_POST
def deletion(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """Delete a work with its files and proof; its usage stays in the account."""
    shown = work_for(request.user, network, pk)
    if not files.delete(shown):
        return problem(request, "It is still on its way.", "Wait for its end.", status=409)
    return redirect(place_of(shown).url(network))


def _shown(request: HttpRequest, shown: Work) -> HttpResponse:
    room = readiness(shown.wallet, shown.network, service_of(shown))
    name = "studio/_work.html" if wants_fragment(request) else "studio/work.html"
    return render(request, name, {"place": place_of(shown), **work_context(shown, room)})


def _attached(text: str, name: str) -> HttpResponse:
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "private",
        "X-Content-Type-Options": "nosniff",
    }
    kind = "application/json" if name.endswith(".json") else "text/plain; charset=utf-8"
    return HttpResponse(text, content_type=kind, headers=headers)
