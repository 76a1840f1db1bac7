"""Looking for a work's signature until it is found or gone, and keeping the evidence."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.utils import timezone

from marketplace.network import served
from studio.models import Work
from zgcompute import types
from zgcompute.checks import SignatureSource, check_images, check_response
from zgcompute.pictures import ImageReply
from zgcompute.verification import Verdict

PATIENCE = 8.0  # seconds; a signature is there a moment after the reply
AT_A_TIME = 20  # in one round of the workers
Connect = Callable[[types.Service, bool], SignatureSource]


class _KeptReply(ImageReply):
    """A reply whose pictures are in the storage; their hashes are enough to judge it."""

    kept: str = ""

    @property
    def pictures_sha256(self) -> str:
        return self.kept


def check(pk: UUID, *, budget: float = PATIENCE, connect: Connect | None = None) -> Work:
    """Ask the provider for the signature, judge the reply, store verdict and evidence.

    Does nothing where it was judged before. Waits at most `budget` seconds.
    """
    work = Work.objects.prefetch_related("files").get(pk=pk)
    if work.next_check_at is None:
        return work
    client = (connect or _provider)(work.asked_service, served()[work.network].local)
    verdict = _verdict(work, client, budget)
    still_open = Work.objects.filter(pk=pk, next_check_at__isnull=False)
    still_open.update(**work.verdict_fields(verdict, work.network, timezone.now()))
    work.refresh_from_db()
    return work


def check_due(network: str) -> int:
    """Look again for the signatures that were missing; returns how many were looked for."""
    due = Work.objects.filter(network=network, next_check_at__lte=timezone.now())
    keys = list(due.order_by("next_check_at").values_list("pk", flat=True)[:AT_A_TIME])
    for pk in keys:
        check(pk, budget=0)
    return len(keys)


def _verdict(work: Work, client: SignatureSource, budget: float) -> Verdict:
    if work.kind != Work.Kind.SPEECH:
        return check_images(client, _reply(work), model=work.model, budget=budget)
    return check_response(
        client,
        work.response_id,
        request_sha256=work.request_sha256,
        response_sha256=work.response_sha256,
        model=work.model,
        budget=budget,
    )


def _reply(work: Work) -> ImageReply:
    reply = _KeptReply(
        pictures=(),
        response_id=work.response_id,
        request_sha256=work.request_sha256,
        body_sha256=work.response_sha256,
        holds_pictures=work.holds_pictures,
    )
    object.__setattr__(reply, "kept", ",".join(file.sha256 for file in work.results))
    return reply


def _provider(service: types.Service, is_local: bool) -> SignatureSource:
    from studio.working import provider_of

    return provider_of(service, is_local)
