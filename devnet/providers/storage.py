"""What a provider keeps in memory for a while: images by response id, and asynchronous jobs."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from devnet.providers.wire import Refusal

KEPT_FOR = 30 * 60.0  # seconds
MAX_OPEN_JOBS = 100


class ImageStore:
    """Images that answers point to by URL."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._images: dict[str, tuple[float, tuple[bytes, ...]]] = {}

    def keep(self, response_id: str, images: Sequence[bytes]) -> None:
        now = self._clock()
        self._images = {name: item for name, item in self._images.items() if item[0] > now}
        self._images[response_id.lower()] = (now + KEPT_FOR, tuple(images))

    def find(self, response_id: str, index: str) -> tuple[bytes, int]:
        """Return the image and the seconds it is still kept; raises Refusal 400 or 404."""
        if not (index.isascii() and index.isdigit() and len(index) < 6):
            raise Refusal("invalid image index")
        until, images = self._images.get(response_id.lower(), (0.0, ()))
        left = int(until - self._clock())
        if left <= 0 or int(index) >= len(images):
            raise Refusal("image not found or expired", 404)
        return images[int(index)], left


@dataclass(slots=True)
class Job:
    """One asynchronous request; `data` is the reply that a synchronous one would have had."""

    user: str
    job_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "pending"
    created_at: float = field(default_factory=time.time)
    updated_at: float = field(default_factory=time.time)
    error: str = ""
    data: dict[str, Any] | None = None
    response_id: str = ""

    def advance(self, status: str) -> None:
        self.status = status
        self.updated_at = time.time()

    @property
    def is_open(self) -> bool:
        return self.status in ("pending", "processing")

    def describe(self) -> dict[str, Any]:
        reply: dict[str, Any] = {
            "jobId": self.job_id,
            "status": self.status,
            "createdAt": _rfc3339(self.created_at),
            "updatedAt": _rfc3339(self.updated_at),
        }
        if self.error:
            reply["errorMessage"] = self.error
        if self.data is not None:
            reply["data"] = self.data
        return reply


class JobBoard:
    """The jobs of one provider, forgotten half an hour after their last change."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}

    def add(self, user: str) -> Job:
        """Start a job for `user`; raises Refusal 503 when too many are open."""
        oldest = time.time() - KEPT_FOR
        self._jobs = {
            name: job for name, job in self._jobs.items() if job.is_open or job.updated_at > oldest
        }
        if sum(job.is_open for job in self._jobs.values()) >= MAX_OPEN_JOBS:
            raise Refusal("async job queue is full, please try again later", 503)
        job = Job(user)
        self._jobs[job.job_id] = job
        return job

    def find(self, job_id: str, user: str) -> Job:
        """Return the user's job; raises Refusal 404 or 403."""
        job = self._jobs.get(job_id.lower())
        if job is None:
            raise Refusal("job not found", 404)
        if job.user != user:
            raise Refusal("you do not have permission to access this job", 403)
        return job


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
