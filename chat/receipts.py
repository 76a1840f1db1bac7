"""What an answer cost and what proves it: the bill is written once, the proof looked for until it
is found or gone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts import usage
from accounts.models import Usage
from accounts.proven import FIRST_RETRY, fee_fields
from accounts.tasks import refresh_wallet_later
from chat import transitions
from chat.assignments import Assignment
from chat.models import Message, Receipt
from marketplace import health
from marketplace.network import served
from zgcompute import types
from zgcompute.answers import ChatOutcome
from zgcompute.checks import SignatureSource, check_response
from zgcompute.fees import Fee, chat_fee
from zgcompute.providers import HttpDoor, Provider, door
from zgcompute.verification import Verdict

PATIENCE = 8.0  # seconds; a signature is there a moment after the answer
Connect = Callable[[types.Service, bool], SignatureSource]
CHECKS_OF_A_PROVIDER = 5  # in one round of the workers

_BROKEN_OFF = "The answer broke off: the bytes received are not whole, so no signature fits them."
_NEVER_LOOKED = "This site stopped before it could ask for the signature."


@dataclass(frozen=True, slots=True)
class Facts:
    """What the engine knows when the provider has ended; `outcome` is None where it broke off.

    `text` is the whole answer, also what came after a stop; the times are of the provider's
    stream in milliseconds.
    """

    outcome: ChatOutcome | None
    text: str
    first_token_ms: int | None
    duration_ms: int | None


def write(work: Assignment, facts: Facts) -> int:
    """Store the receipt of an answer, and its usage where the fee is known; returns its key."""
    outcome = facts.outcome
    fee = chat_fee(work.service, outcome.usage, facts.text, card=work.card) if outcome else None
    with transaction.atomic():
        Receipt.objects.filter(message_id=work.message_id, reason=_NEVER_LOOKED).delete()
        receipt, is_new = Receipt.objects.get_or_create(
            message_id=work.message_id,
            defaults={
                "service": _service_record(work.service),
                "first_token_ms": facts.first_token_ms,
                "duration_ms": facts.duration_ms,
                **(_outcome_fields(outcome) if outcome else {"reason": _BROKEN_OFF}),
                **(fee_fields(fee) if fee else {}),
            },
        )
        if is_new and fee and outcome:
            receipt.usage = _record_usage(work, fee, outcome)
            receipt.save(update_fields=["usage"])
            refresh_wallet_later(work.wallet.pk, work.network)  # its unsettled fees have grown
            _record_speed(work, facts, receipt.output_tokens)
    return receipt.pk


def check(receipt_id: int, *, budget: float = PATIENCE, connect: Connect | None = None) -> Receipt:
    """Ask the provider for the signature, judge the answer, and store verdict and evidence.

    Does nothing where the answer broke off or was judged before. Waits at most `budget` seconds
    for a signature that is not there yet.
    """
    receipt = Receipt.objects.select_related("message__conversation").get(pk=receipt_id)
    if receipt.next_check_at is None:
        return receipt
    network = served()[receipt.message.conversation.network]
    verdict = check_response(
        (connect or _connect)(receipt.asked_service, network.local),
        receipt.response_id,
        request_sha256=receipt.request_sha256,
        response_sha256=receipt.response_sha256,
        model=receipt.message.asked_model,
        budget=budget,
    )
    return _keep(receipt, verdict)


def check_due(network: str) -> int:
    """Look again for the signatures that were missing, and close what lost its engine.

    Returns how many receipts were looked at.
    """
    _settle_abandoned(network)
    due = Receipt.objects.filter(
        message__conversation__network=network, next_check_at__lte=timezone.now()
    )
    keys = _fairly(due.order_by("next_check_at"))
    for key in keys:
        check(key, budget=0)
    return len(keys)


def abandon(message: Message) -> None:
    """Close an answer whose bill and proof nobody will learn any more, and say so."""
    if message.state in Message.READABLE:
        Receipt.objects.get_or_create(message=message, defaults={"reason": _NEVER_LOOKED})
    transitions.close(message.pk)


def _keep(receipt: Receipt, verdict: Verdict) -> Receipt:
    """Store the verdict, unless somebody who looked at the same time has found the last one."""
    columns = receipt.verdict_fields(verdict, receipt.message.conversation.network, timezone.now())
    Receipt.objects.filter(pk=receipt.pk, next_check_at__isnull=False).update(**columns)
    receipt.refresh_from_db()
    return receipt


def _fairly(due: QuerySet[Receipt]) -> list[int]:
    """The first of each provider's: one that lets us wait must not hold up the others."""
    by_provider: dict[str, list[int]] = {}
    for pk, provider in due.values_list("pk", "message__conversation__provider")[:1000]:
        by_provider.setdefault(provider, []).append(pk)
    return [pk for keys in by_provider.values() for pk in keys[:CHECKS_OF_A_PROVIDER]][:50]


def _settle_abandoned(network: str) -> None:
    """Close the answers that ended, but whose engine was lost before bill and proof."""
    abandoned = Message.objects.abandoned(timezone.now() - transitions.LOST_AFTER).ended()
    for message in abandoned.filter(conversation__network=network)[:50]:
        abandon(message)


def _outcome_fields(outcome: ChatOutcome) -> dict[str, Any]:
    tokens = outcome.usage
    return {
        "response_id": outcome.response_id,
        "request_sha256": outcome.request_sha256,
        "response_sha256": outcome.response_sha256,
        "input_tokens": tokens.prompt_tokens if tokens else None,
        "output_tokens": tokens.completion_tokens if tokens else None,
        "next_check_at": timezone.now() + FIRST_RETRY,
    }


def _service_record(service: types.Service) -> dict[str, Any]:
    record = asdict(service)
    for name in ("input_price", "output_price"):
        record[name] = str(record[name])
    return record


def _record_usage(work: Assignment, fee: Fee, outcome: ChatOutcome) -> Usage:
    return usage.record(
        work.wallet,
        work.network,
        work.service.provider,
        work.model,
        work.service.service_type,
        fee,
        outcome.usage,
    )


def _record_speed(work: Assignment, facts: Facts, tokens: int | None) -> None:
    health.record_answer(
        work.network,
        work.service.provider,
        work.model,
        facts.first_token_ms,
        tokens,
        facts.duration_ms,
    )


def _connect(service: types.Service, is_local: bool) -> SignatureSource:
    return Provider(service, door=_door(is_local))


@cache
def _door(is_local: bool) -> HttpDoor:
    return door(local=is_local)
