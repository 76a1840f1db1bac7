"""A provider's asynchronous jobs: pictures ordered now, fetched when done (PROTOCOL §3.2, pure)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from zgcompute import _reading as read
from zgcompute.errors import MalformedReply, ProviderRefused

JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)
_STATES = ("pending", "processing", "completed", "failed")


@dataclass(frozen=True, slots=True)
class Job:
    """A job as the provider describes it; `reply` is the finished pictures' body, as JSON.

    `state` is pending, processing, completed or failed; `error` says why it failed.
    """

    job_id: str
    state: str
    error: str = ""
    response_id: str = ""
    reply: bytes = b""

    @property
    def is_open(self) -> bool:
        """Tell whether it is still being worked on."""
        return self.state in ("pending", "processing")


def parse_job(body: bytes, *, key: str) -> Job:
    """Read what a provider says of a job; `key` is the reply's ZG-Res-Key.

    Raises MalformedReply for what is no job.
    """
    keys = read.mapping(read.json_object(body))
    job_id, state = keys.get("jobId"), keys.get("status")
    if not isinstance(job_id, str) or not JOB_ID.fullmatch(job_id) or state not in _STATES:
        raise MalformedReply("The provider's reply is not about a job.")
    data = keys.get("data")  # some builds send it as text
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return Job(
        job_id=job_id,
        state=str(state),
        error=read.text(keys.get("errorMessage"), limit=400),
        response_id=read.text(key, limit=200),
        reply=text.encode("utf-8", "replace") if state == "completed" else b"",
    )


def offers_no_jobs(error: ProviderRefused) -> bool:
    """Tell whether a provider refused an order only because it does no jobs."""
    return error.status in (404, 405, 501) or "not enabled" in error.detail
