"""Works that are done as jobs at the provider: they go on there even while this site is away."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256

from django.utils import timezone

from accounts import sessions
from studio import transitions
from studio.asking import JobProvider, Order, Result, edit_form, image_request, pictures_result
from studio.models import Work
from zgcompute.errors import (
    Error,
    ProviderError,
    ProviderRefused,
    SessionExpired,
    Transient,
    UpstreamFailed,
)
from zgcompute.jobs import Job, offers_no_jobs

JOB_TIME = timedelta(minutes=20)  # providers give up after 15 (PROTOCOL §3.2)
LONGEST_WAIT = 5.0  # seconds between two looks, as providers ask for
Sleep = Callable[[float], None]


class JobLost(ProviderError):
    """The provider no longer knows a job that it took, or never ends it."""

    default_advice = "Look at the provider's unsettled fees before you ask again."


def by_job(
    work: Work, client: JobProvider, api_key: str, order: Order, sleep: Sleep = time.sleep
) -> Result | None:
    """Order the work as a job and wait for it; None where the provider does no jobs.

    Raises the SDK's errors, JobLost where it may have been billed all the same.
    """
    try:
        job, request = order_job(client, api_key, order)
    except ProviderRefused as error:
        if offers_no_jobs(error):
            return None
        raise
    transitions.keep_job(work.pk, job.job_id, request)
    wait, deadline = 0.5, time.monotonic() + JOB_TIME.total_seconds()
    while time.monotonic() < deadline:
        sleep(wait)
        wait = min(LONGEST_WAIT, wait * 2)
        if result := look(client, api_key, order, job.job_id, request):
            return result
    raise JobLost("The provider does not end the job.")


def order_job(client: JobProvider, api_key: str, order: Order) -> tuple[Job, str]:
    """Order the work as a job; returns it and the hash of the request that ordered it."""
    if order.kind == Work.Kind.IMAGE:
        body = image_request(order)
        return client.order_images(api_key, body), sha256(body).hexdigest()
    form = edit_form(order)
    return client.order_edit(api_key, form), sha256(form.body).hexdigest()


def look(
    client: JobProvider, api_key: str, order: Order, job_id: str, request: str
) -> Result | None:
    """What came of the job, or None while it is under way or the provider is away."""
    try:
        job = client.job(api_key, job_id)
        if job.is_open:
            return None
        if job.state == "completed":
            reply = client.job_pictures(job, request)
            return pictures_result(order, reply)
    except Transient:
        return None
    except ProviderRefused as error:
        raise JobLost(f"The provider no longer knows its job: {error}") from error
    raise UpstreamFailed(f"The provider's job failed. {job.error}".strip())


def resume(work: Work, client: JobProvider, order: Order) -> Result | None:
    """Look after a job whose engine was lost; None while it is under way."""
    api_key = sessions.api_key_for(work.wallet, work.network, work.provider)
    if api_key is None:
        raise SessionExpired("Your session ended before the job's result was fetched.")
    result = look(client, api_key, order, work.job_id, work.request_sha256)
    began = work.started_at or work.created_at
    if result is None and timezone.now() - began > JOB_TIME:
        raise JobLost("The provider does not end the job.")
    return result


def may_be_billed(error: Error) -> bool:
    """Tell whether a job that was taken may be billed although this went wrong."""
    return not isinstance(error, UpstreamFailed)  # only completed jobs are billed
