"""How a work's row moves from pending to a stated end: each step happens once.

The guard is the `WHERE` of one UPDATE, whoever calls: an engine's thread or a worker.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts import usage
from accounts.proven import FIRST_RETRY, fee_fields
from accounts.tasks import refresh_wallet_later
from studio import files
from studio.asking import Result
from studio.models import File, Work
from zgcompute.errors import Error
from zgcompute.evidence import write_service
from zgcompute.fees import is_free
from zgcompute.types import Service

LOST_AFTER = timedelta(seconds=60)  # the engine gives a sign of life every 5
_State = Work.State


def claim(pk: UUID, service: Service) -> bool:
    """Take the pending work for one request; False where somebody else has taken it."""
    now = timezone.now()
    pending = Work.objects.filter(pk=pk, state=_State.PENDING)
    return bool(
        pending.update(
            state=_State.RUNNING,
            service=write_service(service),
            started_at=now,
            touched_at=now,
        )
    )


def keep_job(pk: UUID, job_id: str, request_sha256: str) -> None:
    """Remember the job that the provider has taken: whoever finds the work lost looks after it."""
    Work.objects.filter(pk=pk).update(job_id=job_id, request_sha256=request_sha256)


def take_lost_job(pk: UUID) -> bool:
    """Look after a job whose engine gives no sign of life; False where somebody else does."""
    now = timezone.now()
    lost = Work.objects.filter(pk=pk, state=_State.RUNNING, touched_at__lt=now - LOST_AFTER)
    return bool(lost.exclude(job_id="").update(touched_at=now))


def touch(pks: list[UUID]) -> None:
    """Give a sign of life."""
    Work.objects.running().filter(pk__in=pks).update(touched_at=timezone.now())


def complete(pk: UUID, service: Service, result: Result) -> None:
    """Keep what came, with its bill; also where the work was given up for lost meanwhile."""
    new = [files.result(picture) for picture in result.pictures]
    with files.stored(*new) as kept, transaction.atomic():
        work = Work.objects.select_for_update().select_related("wallet").get(pk=pk)
        if work.state == _State.COMPLETE:
            return  # somebody else has looked after its job
        for index, columns in enumerate(kept):
            File.objects.create(work=work, role=File.Role.RESULT, index=index, **columns)
        now = timezone.now()
        for name, value in (_end_fields(now) | _result_fields(result)).items():
            setattr(work, name, value)
        work.state = _State.COMPLETE
        work.next_check_at = now + FIRST_RETRY
        work.usage = usage.record(
            work.wallet,
            work.network,
            service.provider,
            work.model,
            service.service_type,
            result.fee,
            result.usage,
        )
        work.save()
    refresh_wallet_later(work.wallet_id, work.network)  # its unsettled fees have grown


def fail(pk: UUID, error: Error, *, may_be_billed: bool | None = None) -> None:
    """End the work because the request failed, and say whether it may be billed all the same."""
    seconds = getattr(error, "retry_after", None)
    _running(pk).update(
        **_end_fields(timezone.now()),
        state=_State.FAILED,
        problem=str(error),
        advice=error.advice,
        problem_kind=type(error).__name__[:40],
        retry_after=None if seconds is None else min(3600, max(1, round(seconds))),
        may_be_billed=not is_free(error) if may_be_billed is None else may_be_billed,
    )


def refuse(pk: UUID, error: Error) -> None:
    """End a work that was never sent."""
    fail(pk, error, may_be_billed=False)


def interrupt(pk: UUID) -> None:
    """End a work that nobody works on any more, whether it was sent or not; a job goes on."""
    now = timezone.now()
    mine = Work.objects.filter(pk=pk)
    mine.filter(state=_State.PENDING).update(
        **_end_fields(now), state=_State.FAILED, problem=_NEVER_SENT, advice=_COSTS_NOTHING
    )
    mine.filter(state=_State.RUNNING, job_id="").update(
        **_end_fields(now),
        state=_State.INTERRUPTED,
        problem=_STOPPED,
        advice=_LOOK_FIRST,
        may_be_billed=True,
    )


def interrupt_lost(network: str) -> int:
    """End the works whose engine gives no sign of life; returns how many."""
    lost = Work.objects.running().filter(
        network=network, touched_at__lt=timezone.now() - LOST_AFTER
    )
    keys = list(lost.filter(job_id="").values_list("pk", flat=True))
    for pk in keys:
        interrupt(pk)
    return len(keys)


def _running(pk: UUID) -> Any:
    return Work.objects.running().filter(pk=pk)


def _end_fields(now: Any) -> dict[str, Any]:
    return {"ended_at": now, "touched_at": now}


def _result_fields(result: Result) -> dict[str, Any]:
    return {
        **fee_fields(result.fee),
        "problem": "",
        "advice": "",
        "may_be_billed": False,
        "response_id": result.response_id,
        "request_sha256": result.request_sha256,
        "response_sha256": result.body_sha256,
        "holds_pictures": result.holds_pictures,
        "text": result.text,
        "content": result.content,
        "language": result.language,
        "answered_at": timezone.now(),
    }


_NEVER_SENT = "This site stopped before your request was sent."
_COSTS_NOTHING = "It costs nothing. Send it again."
_STOPPED = "This site stopped while the provider was at work, so what it made is lost."
_LOOK_FIRST = "The provider may have billed it: look at its unsettled fees before you ask again."
