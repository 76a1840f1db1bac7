"""Asynchronous jobs: where each was ordered, and what its pictures prove when they are done."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from zgcompute._exchanges import accepted
from zgcompute._limits import IMAGES, HttpReply
from zgcompute.errors import Error
from zgcompute.fees import image_fee
from zgcompute.inference import REFUSED_SESSION
from zgcompute.jobs import JOB_ID, Job, parse_job
from zgcompute.serving.attempts import Opened
from zgcompute.serving.calls import EDITS_JOB, IMAGES_JOB, Call
from zgcompute.serving.problems import Problem, problem_of
from zgcompute.serving.proofs import Proofs
from zgcompute.serving.targets import ProviderTarget, Target

MOST_KEPT = 1000


@dataclass(frozen=True, slots=True)
class _Order:
    target: ProviderTarget
    model: str
    request_sha256: str
    pictures: int


class Jobs:
    """The latest orders; providers forget theirs after half an hour."""

    def __init__(self, targets: Sequence[Target], proofs: Proofs) -> None:
        self._targets = [target for target in targets if isinstance(target, ProviderTarget)]
        self._proofs = proofs
        self._orders: OrderedDict[str, _Order] = OrderedDict()

    def note(self, call: Call, opened: Opened, body: bytes) -> None:
        """Remember an order that was taken; `body` is the provider's reply."""
        if not isinstance(opened.target, ProviderTarget):
            return
        job = parse_job(body, key="")
        order = _Order(opened.target, opened.model, opened.request_sha256, call.pictures)
        self._orders[job.job_id] = order
        while len(self._orders) > MOST_KEPT:
            self._orders.popitem(last=False)

    async def ask(self, job_id: str) -> tuple[HttpReply, dict[str, str]]:
        """The provider's word on a job, and the headers of its proof; raises Problem."""
        order = self._orders.get(job_id)
        target = order.target if order is not None else self._only_maker(job_id)
        try:
            reply = await _asked(target, job_id)
            job = parse_job(reply.body, key=reply.headers.get("zg-res-key", ""))
        except Error as error:
            raise problem_of(error, provider=target.name) from error
        headers = {"zg-provider": target.name}
        if job.state == "completed" and order is not None:
            headers |= await self._proof(order, job)
        return reply, headers

    async def _proof(self, order: _Order, job: Job) -> dict[str, str]:
        proof = await self._proofs.of_pictures(
            order.target,
            order.model,
            order.request_sha256,
            job.reply,
            job.response_id,
            image_fee(order.target.service, order.pictures),
        )
        return {**proof.headers, "zg-res-key": job.response_id}

    def _only_maker(self, job_id: str) -> ProviderTarget:
        """A job from before a restart can only be found where there is no choice."""
        makers = [t for t in self._targets if t.models_for(IMAGES_JOB) or t.models_for(EDITS_JOB)]
        if len(makers) != 1 or not JOB_ID.fullmatch(job_id):
            raise Problem(404, "There is no such job.", "invalid_request_error", "job_not_found")
        return makers[0]


async def _asked(target: ProviderTarget, job_id: str) -> HttpReply:
    url = f"{target.service.url.rstrip('/')}/v1/async/jobs/{quote(job_id, safe='')}"
    may_renew = True
    while True:
        key = await target.authorization()
        headers = {"authorization": f"Bearer {key}"}
        reply = await target.door.send("GET", url, IMAGES, headers, b"")
        try:
            return accepted(reply)
        except REFUSED_SESSION:
            if not (may_renew and target.key_was_refused(key)):
                raise
        may_renew = False
