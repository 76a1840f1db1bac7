"""What proves an answer: look again, and take the evidence away."""

from __future__ import annotations

import json
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from chat import receipts
from chat.access import answer_for
from chat.models import Message, Receipt
from chat.views.sending import back_to
from marketplace.fragments import wants_fragment


@require_POST
def check(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """Ask the provider for the signature once more."""
    answer = answer_for(request.user, network, pk)
    receipt = _receipt(answer)
    if receipt.can_retry:
        receipt = receipts.check(receipt.pk, budget=0)
    if not wants_fragment(request):
        return back_to(request, answer.conversation)
    return render(request, "chat/_receipt.html", {"answer": answer, "receipt": receipt})


@require_GET
def evidence(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """The evidence of a check as a file that anybody can judge again."""
    receipt = _receipt(answer_for(request.user, network, pk))
    if receipt.evidence is None:
        raise Http404("This answer has not been checked.")
    text = json.dumps(receipt.evidence, indent=2, ensure_ascii=False)
    name = f"evidence-{pk}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private"}
    return HttpResponse(text, content_type="application/json", headers=headers)


def _receipt(answer: Message) -> Receipt:
    receipt: Receipt | None = getattr(answer, "receipt", None)
    if receipt is None:
        raise Http404("This answer has no receipt.")
    return receipt
