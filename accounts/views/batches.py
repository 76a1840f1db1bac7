"""Calls that the wallet carries out as one (EIP-5792): prepared, reported, and then followed."""

from __future__ import annotations

import json
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts import batches, forms, holdings, outcomes
from accounts.access import WalletRequest, batch_for, signed_in
from accounts.limits import limit
from accounts.models import Transaction
from accounts.rules import Refused
from accounts.tasks import follow_later
from marketplace.fragments import wants_fragment
from marketplace.network import network_or_404
from marketplace.problems import problem
from zgcompute import amounts
from zgcompute.errors import Error
from zgcompute.networks import Network

_FORM = "accounts/_transfer_form.html"


@require_POST
@signed_in
def funding(request: WalletRequest, network: str) -> HttpResponse:
    """Prepare deposit and transfer as one batch."""
    served, provider = network_or_404(network), request.POST.get("provider", "")
    limit(request, "prepare", 60)
    try:
        amount = amounts.parse(request.POST.get("amount", ""))
        key = batches.prepare(request.user, served, provider, amount)
    except Error as error:
        return _refused(request, network, provider, error)
    if not wants_fragment(request):
        return redirect("accounts:batch", network, key)
    return _panel(request, served, key)


@require_GET
@signed_in
def show(request: WalletRequest, network: str, key: UUID) -> HttpResponse:
    """A batch on a page of its own."""
    served = network_or_404(network)
    batch_for(request.user, network, key)
    return _panel(request, served, key)


@require_POST
@signed_in
def outcome(request: WalletRequest, network: str, key: UUID) -> HttpResponse:
    """What became of a batch in the wallet: declined, taken, failed, or a transaction's hash."""
    served = network_or_404(network)
    rows = batch_for(request.user, network, key)
    limit(request, "outcome", 60)
    try:
        _record(request, rows)
    except Refused as error:
        return problem(request, str(error), error.advice, status=409)
    follow_later(network)
    if wants_fragment(request):
        return _panel(request, served, key)
    return redirect("accounts:batch", network, key)


def _record(request: WalletRequest, rows: list[Transaction]) -> None:
    if request.POST.get("declined"):
        for row in rows:
            outcomes.record_rejection(row)
    elif request.POST.get("failed"):
        batches.record_failure(rows)
    elif transaction_hash := request.POST.get("hash"):
        batches.record_hash(rows, transaction_hash)
    else:
        batches.record_id(rows, request.POST.get("batch_id", ""))


def _panel(request: WalletRequest, network: Network, key: UUID) -> HttpResponse:
    rows = batch_for(request.user, network.slug, key)
    context = {
        "section": "account",
        "batch": key,
        "batch_id": rows[0].batch_id,
        "is_prepared": rows[0].state == Transaction.State.PREPARED,
        "is_unreported": rows[0].state == Transaction.State.SUBMITTED and not rows[0].hash,
        "items": [_item(row, network) for row in rows],
        "calls": json.dumps([_call(row) for row in rows]),
        "chain_id": hex(network.chain_id),
        "template": "accounts/_batch.html",
    }
    template = "accounts/_batch.html" if wants_fragment(request) else "accounts/form.html"
    return render(request, template, context)


def _item(row: Transaction, network: Network) -> dict[str, object]:
    progress = f"{row.state}-{row.confirmations}"
    return {
        "row": holdings.transaction_row(row, network),
        "transaction": row,
        "progress": progress,
    }


def _call(row: Transaction) -> dict[str, str]:
    return {"to": row.to, "data": row.data, "value": hex(row.value)}


def _refused(request: WalletRequest, network: str, provider: str, error: Error) -> HttpResponse:
    form = forms.transfer(request.user, network, provider)
    form |= {"error": error, "amount": request.POST.get("amount", "")}
    context = {"section": "account", "form": form, "template": _FORM}
    template = _FORM if wants_fragment(request) else "accounts/form.html"
    return render(request, template, context, status=422)
