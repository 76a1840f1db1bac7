"""Contract calls: prepared and explained here, sent by the wallet, followed to their end."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import trigger_client_event

from accounts import forms, holdings, outcomes, retrievals, transactions
from accounts.access import WalletRequest, signed_in, transaction_for
from accounts.deletion import ends_ledger, revivals
from accounts.limits import limit
from accounts.models import Transaction
from accounts.tasks import follow_later, rehearse_later
from marketplace.fragments import wants_fragment
from marketplace.models import NetworkState
from marketplace.network import network_or_404
from marketplace.problems import problem
from zgcompute import amounts
from zgcompute.errors import Error
from zgcompute.networks import Network

_DEPOSIT = "accounts/_deposit_form.html"
_TRANSFER = "accounts/_transfer_form.html"
_ACKNOWLEDGEMENT = "accounts/_acknowledgement_form.html"
_WITHDRAWAL = "accounts/_withdrawal_form.html"
_UNDER_WAY = (
    *Transaction.UNMINED,
    Transaction.State.MINED,
    Transaction.State.CONFIRMED,
)
STOP_POLLING = 286  # htmx's status for "this was the last answer"


@require_http_methods(["GET", "POST"])
@signed_in
def deposit(request: WalletRequest, network: str) -> HttpResponse:
    """The deposit form; a POST prepares the transaction."""
    served = network_or_404(network)
    if request.method == "GET":
        return _form(request, _DEPOSIT, forms.deposit(request.user, network))
    return _prepare(
        request,
        lambda: transactions.prepare_deposit(request.user, served, _amount(request)),
        lambda error: _form(request, _DEPOSIT, forms.deposit(request.user, network), error),
    )


@require_http_methods(["GET", "POST"])
@signed_in
def transfer(request: WalletRequest, network: str) -> HttpResponse:
    """The transfer form (for a provider); a POST prepares the transaction."""
    served = network_or_404(network)
    provider = request.POST.get("provider") or request.GET.get("provider", "")
    if request.method == "GET":
        return _form(request, _TRANSFER, forms.transfer(request.user, network, provider))
    return _prepare(
        request,
        lambda: transactions.prepare_transfer(request.user, served, provider, _amount(request)),
        lambda error: _form(
            request, _TRANSFER, forms.transfer(request.user, network, provider), error
        ),
    )


@require_POST
@signed_in
def acknowledgement(request: WalletRequest, network: str) -> HttpResponse:
    """Prepare accepting a provider's signer."""
    served, provider = network_or_404(network), request.POST.get("provider", "")
    return _prepare(
        request,
        lambda: transactions.prepare_acknowledgement(request.user, served, provider),
        lambda error: _form(request, _ACKNOWLEDGEMENT, forms.acknowledgement(provider), error),
    )


@require_POST
@signed_in
def retrieval(request: WalletRequest, network: str) -> HttpResponse:
    """Prepare bringing funds home: from one provider, from all, or (`due`) what is due only."""
    served, provider = network_or_404(network), request.POST.get("provider", "")
    due_only = bool(request.POST.get("due"))
    return _prepare(
        request,
        lambda: transactions.prepare_retrieval(request.user, served, provider, due_only=due_only),
        lambda error: _form(request, _WITHDRAWAL, forms.withdrawal(request.user, network), error),
    )


@require_http_methods(["GET", "POST"])
@signed_in
def withdrawal(request: WalletRequest, network: str) -> HttpResponse:
    """The forms for taking money out; a POST prepares paying out of the ledger."""
    served = network_or_404(network)
    if request.method == "GET":
        return _form(request, _WITHDRAWAL, forms.withdrawal(request.user, network))
    return _prepare(
        request,
        lambda: transactions.prepare_withdrawal(request.user, served, _paid_out(request, network)),
        lambda error: _form(request, _WITHDRAWAL, forms.withdrawal(request.user, network), error),
    )


@require_POST
@signed_in
def deletion(request: WalletRequest, network: str) -> HttpResponse:
    """Prepare deleting the empty ledger."""
    served = network_or_404(network)
    return _prepare(
        request,
        lambda: transactions.prepare_deletion(request.user, served),
        lambda error: _form(request, _WITHDRAWAL, forms.withdrawal(request.user, network), error),
    )


@require_GET
@signed_in
def show(request: WalletRequest, network: str, key: UUID) -> HttpResponse:
    """One transaction: its page, or its fragment while it is followed (204 where no news)."""
    served = network_or_404(network)
    transaction = transaction_for(request.user, network, key)
    if transaction.batch and not transaction.hash:
        return redirect("accounts:batch", network, transaction.batch)
    if not wants_fragment(request):
        return _panel(request, served, transaction, page=True)
    shown = request.GET.get("shown")
    if shown == _progress(transaction):
        return HttpResponse(status=204)
    response = _panel(request, served, transaction)
    if not transaction.is_open:
        response.status_code = STOP_POLLING
    if shown is not None and transaction.state not in (
        Transaction.State.SUBMITTED,
        Transaction.State.SENT,
    ):
        trigger_client_event(response, "readiness-changed", after="settle")
    return response


@require_GET
@signed_in
def fee(request: WalletRequest, network: str, key: UUID) -> HttpResponse:
    """The estimated network fee of a prepared transaction, as soon as a worker has it."""
    transaction = transaction_for(request.user, network, key)
    is_awaited = transaction.is_being_rehearsed and not transaction.reason
    context = {"transaction": transaction}
    status = 200 if is_awaited else STOP_POLLING
    return render(request, "accounts/_fee.html", context, status=status)


@require_POST
@signed_in
def outcome(request: WalletRequest, network: str, key: UUID) -> HttpResponse:
    """What became of a prepared transaction in the wallet: its hash, or that it was declined."""
    served = network_or_404(network)
    transaction = transaction_for(request.user, network, key)
    limit(request, "outcome", 60)
    if request.POST.get("declined"):
        outcomes.record_rejection(transaction)
    else:
        try:
            outcomes.record_hash(transaction, request.POST.get("hash", ""))
        except transactions.Refused as error:
            return problem(request, str(error), error.advice, status=409)
        follow_later(network)
    if wants_fragment(request):
        return _panel(request, served, transaction)
    return redirect("accounts:transaction", network, key)


def _prepare(
    request: WalletRequest,
    prepare: Callable[[], Transaction],
    form: Callable[[Error], HttpResponse],
) -> HttpResponse:
    """Show the prepared transaction; what cannot be prepared is the form with its remedy."""
    limit(request, "prepare", 60)
    try:
        transaction = prepare()
    except Error as error:
        return form(error)
    rehearse_later(transaction.pk)
    if wants_fragment(request):
        return _panel(request, network_or_404(transaction.network), transaction)
    return redirect("accounts:transaction", transaction.network, transaction.pk)


def _form(
    request: WalletRequest, template: str, form: forms.Form, error: Error | None = None
) -> HttpResponse:
    """A form as a fragment, or on a page of its own; with an error it keeps what was typed."""
    if error:
        form |= {"error": error, "amount": _typed(request) or form.get("amount", "")}
    context = {"section": "account", "form": form, "template": template}
    chosen = template if wants_fragment(request) else "accounts/form.html"
    return render(request, chosen, context, status=422 if error else 200)


def _panel(
    request: WalletRequest, network: Network, transaction: Transaction, *, page: bool = False
) -> HttpResponse:
    row = holdings.transaction_row(transaction, network)
    context = {
        "section": "account",
        "row": row,
        "transaction": transaction,
        "call": json.dumps(_call(network, transaction)),
        "progress": _progress(transaction),
        **_particulars(transaction),
    }
    template = "accounts/transaction.html" if page else "accounts/_transaction.html"
    return render(request, template, context)


def _particulars(transaction: Transaction) -> dict[str, Any]:
    """What only some calls have: a retrieval its parts and next batch, a last one its keys."""
    is_prepared = transaction.state == Transaction.State.PREPARED
    if transaction.function == "retrieveFund":
        return {"parts": retrievals.parts_of(transaction)} if is_prepared else _next(transaction)
    if is_prepared and ends_ledger(transaction):
        return {"ends_ledger": True, "revivals": revivals(transaction.wallet, transaction.network)}
    return {}


def _next(transaction: Transaction) -> dict[str, Any]:
    """What is left to retrieve after a call for several providers."""
    if transaction.provider or transaction.state not in _UNDER_WAY:
        return {}
    every, due = retrievals.plans(transaction.wallet, NetworkState.of(transaction.network))
    return {"next": every if transaction.amount else due, "next_is_due": not transaction.amount}


def _call(network: Network, transaction: Transaction) -> dict[str, str]:
    return {
        "to": transaction.to,
        "data": transaction.data,
        "value": hex(transaction.value),
        "chainId": hex(network.chain_id),
    }


def _progress(transaction: Transaction) -> str:
    return f"{transaction.state}-{transaction.confirmations}"


def _typed(request: WalletRequest) -> str:
    return request.POST.get("preset") or request.POST.get("amount", "")


def _paid_out(request: WalletRequest, network: str) -> int:
    if preset := request.POST.get("preset"):
        return forms.withdrawal_of(request.user, network, preset)
    return _amount(request)


def _amount(request: WalletRequest) -> int:
    return amounts.parse(_typed(request))
