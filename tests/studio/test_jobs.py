"""Works done as jobs at the provider survive the loss of their engine, and are billed once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from accounts.models import Usage, Wallet
from marketplace.models import Service
from studio import jobs, transitions, working
from studio.asking import Order
from studio.models import Work
from tests.studio import stage
from zgcompute.jobs import Job

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs.by_job, "__defaults__", (lambda _: None,))


def _claimed_job(alice: Wallet, service: Service, provider: Any) -> Work:
    """A work whose engine was lost right after the provider took its job."""
    work = stage.order(alice, service, as_job=True)
    transitions.claim(work.pk, service.snapshot())
    order = Order(
        work.kind, service.snapshot(), work.model, work.prompt, work.settings, _source(work)
    )
    job, request = jobs.order_job(provider, "app-sk-dGVzdA==", order)
    transitions.keep_job(work.pk, job.job_id, request)
    Work.objects.update(touched_at=work.created_at - 2 * transitions.LOST_AFTER)
    return work


def _source(work: Work) -> bytes:
    return work.source.read() if work.source else b""


@pytest.mark.parametrize("kind", ["image", "edit"])
def test_a_job_ends_like_a_direct_order(
    kind: str, alice: Wallet, painter: Service, editor: Service
) -> None:
    service = {"image": painter, "edit": editor}[kind]
    provider = stage.fake(service)
    work = stage.done(stage.order(alice, service, as_job=True), provider)
    assert (work.state, work.outcome, bool(work.job_id)) == ("complete", "verified", True)
    assert work.fee == provider.unsettled == Usage.objects.get().fee
    assert len(provider.bodies) == 1


def test_a_provider_without_jobs_is_asked_directly(alice: Wallet, painter: Service) -> None:
    class NoJobs(stage.FixedDoor):
        def post(self, url: str, *_: Any) -> Any:
            if "/v1/async/" in url:
                return stage.HttpReply(503, {}, b'{"error":"async processing is not enabled"}')
            return super().post()

    pictures = stage.pictures_reply(*[_png64()] * 2)
    door = NoJobs(200, pictures)
    work = stage.done(stage.order(alice, painter, as_job=True), stage.behind(door, painter))
    assert (work.state, work.job_id, door.orders) == ("complete", "", 1)


def test_a_full_queue_is_a_refusal_that_costs_nothing(alice: Wallet, painter: Service) -> None:
    body = b'{"error":"async job queue is full, please try again later"}'
    door = stage.FixedDoor(503, body)
    work = stage.done(stage.order(alice, painter, as_job=True), stage.behind(door, painter))
    assert (work.state, work.problem_kind) == ("failed", "ProviderBusy")
    assert (work.may_be_billed, door.orders) == (False, 1)


def test_a_lost_job_is_looked_after_until_its_end(alice: Wallet, painter: Service) -> None:
    provider = stage.fake(painter)
    work = _claimed_job(alice, painter, provider)
    assert transitions.interrupt_lost(stage.NETWORK) == 0  # it goes on at the provider
    assert working.resume_lost(stage.NETWORK, connect=lambda *_: provider) == 1
    assert Work.objects.get().state == "running"
    assert working.resume_lost(stage.NETWORK, connect=lambda *_: provider) == 0  # just looked
    Work.objects.update(touched_at=work.created_at - 2 * transitions.LOST_AFTER)
    working.resume_lost(stage.NETWORK, connect=lambda *_: provider)
    work = Work.objects.get()
    assert (work.state, work.outcome, len(work.results)) == ("complete", "verified", 2)
    assert work.fee == provider.unsettled
    assert len(provider.bodies) == 1


@pytest.mark.parametrize(
    ("reply", "kind", "may_be_billed"),
    [
        ({"jobId": "j", "status": "failed", "errorMessage": "no GPU"}, "UpstreamFailed", False),
        ({"error": "job not found"}, "JobLost", True),
        ({"jobId": "j", "status": "completed", "data": {"data": []}}, "MalformedReply", True),
    ],
)
def test_a_job_that_goes_wrong_is_said_so(
    reply: dict[str, Any], kind: str, may_be_billed: bool, alice: Wallet, painter: Service
) -> None:
    class Door(stage.FixedDoor):
        def get(self, *_: Any) -> Any:
            status = 404 if "error" in reply else 200
            return stage.HttpReply(status, {}, json.dumps(reply).encode())

    door = Door(202, b'{"jobId":"j","status":"pending"}')
    work = stage.done(stage.order(alice, painter, as_job=True), stage.behind(door, painter))
    assert (work.state, work.problem_kind) == ("failed", kind)
    assert (work.may_be_billed, door.orders) == (may_be_billed, 1)
    assert work.advice


def test_a_providers_absence_is_waited_for(alice: Wallet, painter: Service) -> None:
    from zgcompute.errors import ProviderUnreachable

    class Away(type(stage.fake(painter))):  # type: ignore[misc]
        looks = 0

        def job(self, api_key: str, job_id: str) -> Job:
            self.looks += 1
            if self.looks == 1:
                raise ProviderUnreachable("It cannot be reached.")
            found: Job = super().job(api_key, job_id)
            return found

    work = stage.done(stage.order(alice, painter, as_job=True), Away(painter.snapshot()))
    assert work.state == "complete"


def _png64() -> str:
    import base64

    return base64.b64encode(stage.png()).decode()
