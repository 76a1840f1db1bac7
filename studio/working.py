"""The life of one work away from any request: claimed, asked for once, kept, billed, checked."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from uuid import UUID

from django.utils import timezone

from accounts import sessions
from marketplace.models import Service
from marketplace.network import served
from studio import jobs, proofs, transitions
from studio.asking import JobProvider, Order, Result, ask
from studio.models import Work
from studio.offered import card_of
from zgcompute import types
from zgcompute.errors import (
    Error,
    ServiceMissing,
    SessionExpired,
    SessionInvalid,
    SessionRevoked,
)
from zgcompute.providers import HttpDoor, Provider, door

JOBS_AT_A_TIME = 20  # in one round of the workers
log = logging.getLogger(__name__)
Connect = Callable[[types.Service, bool], JobProvider]


class Broken(Error):
    """Something failed on our side after the request may have left."""

    default_advice = "Look at the provider's unsettled fees before you ask again."


@dataclass(frozen=True, slots=True)
class _Assignment:
    """One request to one provider; `api_key` is a secret and stays out of every text."""

    order: Order
    api_key: str

    def __repr__(self) -> str:
        return f"_Assignment({self.order.kind})"


def work_on(pk: UUID, connect: Connect | None = None) -> None:
    """Do the pending work `pk`; does nothing where somebody has claimed it."""
    work = Work.objects.select_related("wallet").prefetch_related("files").get(pk=pk)
    try:
        assignment = _assignment(work)
    except Error as error:
        transitions.refuse(pk, error)
        return
    except Exception:
        log.exception("work %s could not be begun", pk)
        transitions.refuse(pk, Broken(_NOT_BEGUN, advice="Send it again, with the file."))
        return
    service = assignment.order.service
    if not transitions.claim(pk, service):
        return
    client = (connect or provider_of)(service, served()[work.network].local)
    if _ask(work, client, assignment):
        proofs.check(pk, connect=lambda *_: client)


def resume_lost(network: str, connect: Connect | None = None) -> int:
    """Look after the jobs whose engines were lost; returns how many were looked at."""
    lost = Work.objects.running().filter(
        network=network, touched_at__lt=timezone.now() - transitions.LOST_AFTER
    )
    keys = list(lost.exclude(job_id="").values_list("pk", flat=True)[:JOBS_AT_A_TIME])
    for pk in keys:
        if transitions.take_lost_job(pk):
            _resume(pk, connect or provider_of)
    return len(keys)


def _resume(pk: UUID, connect: Connect) -> None:
    work = Work.objects.select_related("wallet").prefetch_related("files").get(pk=pk)
    service = work.asked_service
    client = connect(service, served()[work.network].local)
    try:
        result = jobs.resume(work, client, _order(work, service))
    except Error as error:
        transitions.fail(pk, error, may_be_billed=jobs.may_be_billed(error))
        return
    if result is not None:
        transitions.complete(pk, service, result)
        proofs.check(pk, connect=lambda *_: client)


def _ask(work: Work, client: JobProvider, assignment: _Assignment) -> bool:
    """Send the request and keep what comes; tells whether anything did."""
    try:
        result = _result(work, client, assignment)
        transitions.complete(work.pk, assignment.order.service, result)
    except Error as error:
        if isinstance(error, SessionExpired | SessionRevoked | SessionInvalid):
            sessions.forget(work.wallet, work.network, work.provider)
        transitions.fail(work.pk, error)
        return False
    except Exception:
        log.exception("work %s broke", work.pk)
        transitions.fail(work.pk, Broken("Something broke on our side while it was being made."))
        return False
    return True


def _result(work: Work, client: JobProvider, assignment: _Assignment) -> Result:
    order, api_key = assignment.order, assignment.api_key
    as_job = order.settings.get("as_job")
    result = jobs.by_job(work, client, api_key, order) if as_job else None
    return result or ask(client, api_key, order)


def _assignment(work: Work) -> _Assignment:
    listed = Service.objects.on(work.network).listed()
    row: Service | None = listed.filter(provider=work.provider).first()
    if row is None:
        raise ServiceMissing("This provider is no longer registered.")
    api_key = sessions.api_key_for(work.wallet, work.network, work.provider)
    if api_key is None:
        raise SessionExpired("Your session with this provider has ended.")
    return _Assignment(_order(work, row.snapshot()), api_key)


def _order(work: Work, service: types.Service) -> Order:
    source = work.source
    return Order(
        kind=work.kind,
        service=service,
        model=work.model,
        card=card_of(work.network, work.provider, work.model),
        prompt=work.prompt,
        settings=dict(work.settings),
        source=source.read() if source else b"",
    )


def provider_of(service: types.Service, is_local: bool) -> JobProvider:
    """The real provider, over connections that this process shares."""
    return Provider(service, door=_door(is_local))


@cache
def _door(is_local: bool) -> HttpDoor:
    return door(local=is_local)


_NOT_BEGUN = "What you sent could not be read from this site's storage."
