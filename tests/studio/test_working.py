"""A work is done once, ends in a stated state, and is kept with what it cost and what proves it."""

from __future__ import annotations

import base64
import json

import pytest
from django.core.files.storage import default_storage

from accounts.models import ProviderSession, Usage, Wallet
from accounts.subjects import of as subjects_of
from marketplace.models import Service
from studio import files, proofs, transitions
from studio.models import File, Work
from tests.studio import stage
from zgcompute.evidence import verify_evidence
from zgcompute.testing_providers import Fault

pytestmark = pytest.mark.django_db


def test_pictures_come_with_fee_proof_and_settings(alice: Wallet, painter: Service) -> None:
    provider = stage.fake(painter)
    work = stage.done(stage.order(alice, painter), provider)
    assert (work.state, work.outcome) == ("complete", "verified")
    assert work.fee == 2 * painter.output_price == provider.unsettled
    assert [file.is_shown for file in work.results] == [True, True]
    assert work.settings == {"n": 2, "size": "512x512"}
    assert json.loads(provider.bodies[0])["n"] == 2


def test_the_evidence_of_pictures_verifies_offline(alice: Wallet, painter: Service) -> None:
    work = stage.done(stage.order(alice, painter), stage.fake(painter))
    assert verify_evidence(work.evidence).outcome == "verified"


def test_an_edit_keeps_before_and_after(alice: Wallet, editor: Service) -> None:
    work = stage.done(stage.order(alice, editor), stage.fake(editor))
    assert (work.state, work.outcome) == ("complete", "verified")
    assert work.source is not None
    assert work.source.width == 4
    assert len(work.results) == 1
    assert work.fee == editor.output_price


def test_a_transcript_is_billed_by_its_seconds(alice: Wallet, listener: Service) -> None:
    provider = stage.fake(listener, answer="Good morning")
    work = stage.done(stage.order(alice, listener), provider)
    assert (work.state, work.outcome, work.text) == ("complete", "verified", "Good morning")
    usage = Usage.objects.get()
    assert usage.fee == work.fee == provider.unsettled
    assert (usage.units, usage.unit) == (2, "second")
    assert usage.fee == 2 * listener.input_price


def test_usage_counts_pictures_and_leads_to_the_work(alice: Wallet, painter: Service) -> None:
    work = stage.done(stage.order(alice, painter), stage.fake(painter))
    usage = Usage.objects.get()
    assert (usage.units, usage.unit, usage.kind) == (2, "image", "text-to-image")
    subject = subjects_of([usage])[usage.pk]
    assert (subject.url, subject.outcome) == (work.get_absolute_url(), "verified")


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (Fault.TAMPERED_ANSWER, "failed"),
        (Fault.WRONG_SIGNER, "failed"),
        (Fault.LATE_SIGNATURE, "verified"),
    ],
)
def test_a_doubtful_result_is_never_called_verified(
    alice: Wallet, painter: Service, fault: Fault, outcome: str
) -> None:
    work = stage.done(stage.order(alice, painter), stage.fake(painter, fault=fault))
    assert (work.state, work.outcome) == ("complete", outcome)


def test_a_missing_signature_is_looked_for_again(alice: Wallet, painter: Service) -> None:
    provider = stage.fake(painter, fault=Fault.LATE_SIGNATURE)
    pending = stage.order(alice, painter)
    assert transitions.claim(pending.pk, painter.snapshot())
    transitions.complete(pending.pk, painter.snapshot(), _asked(pending, painter, provider))
    first = proofs.check(pending.pk, budget=0, connect=lambda *_: provider)
    assert (first.outcome, first.can_retry) == ("not checked", True)
    again = proofs.check(pending.pk, budget=0, connect=lambda *_: provider)
    assert (again.outcome, again.can_retry) == ("verified", False)


def _asked(work: Work, service: Service, provider: object) -> object:
    from studio.asking import Order, ask

    order = Order(work.kind, service.snapshot(), work.model, work.prompt, work.settings)
    return ask(provider, "app-sk-dGVzdA==", order)  # type: ignore[arg-type]


def _b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


_SVG = _b64(b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')
_REFUSED = json.dumps({"error": "Rate limit exceeded. Please slow down."}).encode()
REPLIES = {  # what comes: its status and body, the state, a word of it, may it be billed
    "429": (429, _REFUSED, "failed", "RateLimited", False),
    "500": (500, b'{"error":"Internal Server Error"}', "failed", "UpstreamFailed", False),
    "HTML": (200, b"<html><script>alert(1)</script></html>", "failed", "MalformedReply", True),
    "garbage base64": (
        *(200, stage.pictures_reply("%%%", "%%%")),
        *("failed", "MalformedReply", True),
    ),
    "an SVG": (200, stage.pictures_reply(_SVG, _SVG), "failed", "MalformedReply", True),
    "nothing": (200, b"", "failed", "MalformedReply", True),
    "one picture of two": (
        *(200, stage.pictures_reply(_b64(stage.png()))),
        *("complete", "", False),
    ),
    "a picture that is a bomb": (
        *(200, stage.pictures_reply(_b64(stage.bomb()), _b64(stage.png()))),
        *("complete", "", False),
    ),
}


@pytest.mark.parametrize("case", REPLIES)
def test_whatever_comes_ends_in_a_stated_state_after_one_request(
    case: str, alice: Wallet, painter: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proofs, "PATIENCE", 0.0)
    status, body, state, kind, may_be_billed = REPLIES[case]
    door = stage.FixedDoor(status, body)
    pending = stage.order(alice, painter)
    work = stage.done(pending, stage.behind(door, painter))
    assert (work.state, work.problem_kind, work.may_be_billed) == (state, kind, may_be_billed)
    assert bool(work.advice) == (state == "failed")
    stage.done(pending, stage.behind(door, painter))
    assert door.orders == 1
    assert all(file.media_type == "image/png" for file in work.results)


def test_a_bomb_of_a_picture_is_kept_but_not_shown(alice: Wallet, painter: Service) -> None:
    door = stage.FixedDoor(200, stage.pictures_reply(_b64(stage.bomb()), _b64(stage.png())))
    work = stage.done(stage.order(alice, painter), stage.behind(door, painter))
    assert [file.is_shown for file in work.results] == [False, True]


def test_a_refused_session_is_forgotten(alice: Wallet, painter: Service) -> None:
    body = b'{"error":"validate session: session token expired"}'
    work = stage.done(
        stage.order(alice, painter), stage.behind(stage.FixedDoor(400, body), painter)
    )
    assert work.problem_kind == "SessionExpired"
    assert not ProviderSession.objects.exists()


@pytest.mark.parametrize(("fault", "may_be_billed"), [("disconnect", True), ("unreachable", False)])
def test_only_a_request_that_never_left_surely_costs_nothing(
    fault: str, may_be_billed: bool, alice: Wallet, painter: Service
) -> None:
    client = stage.fake(painter, fault=Fault(fault))
    work = stage.done(stage.order(alice, painter), client)
    assert (work.state, work.may_be_billed) == ("failed", may_be_billed)


def test_without_a_session_nothing_is_sent(alice: Wallet, painter: Service) -> None:
    pending = stage.order(alice, painter)
    ProviderSession.objects.all().delete()
    provider = stage.fake(painter)
    work = stage.done(pending, provider)
    assert (work.state, work.may_be_billed, provider.bodies) == ("failed", False, [])


def test_a_lost_work_is_called_interrupted(alice: Wallet, painter: Service) -> None:
    work = stage.order(alice, painter)
    transitions.claim(work.pk, painter.snapshot())
    Work.objects.update(touched_at=work.created_at - 2 * transitions.LOST_AFTER)
    assert transitions.interrupt_lost(stage.NETWORK) == 1
    work.refresh_from_db()
    assert (work.state, work.may_be_billed) == ("interrupted", True)
    assert "unsettled fees" in work.advice


def test_a_work_that_was_never_sent_costs_nothing(alice: Wallet, painter: Service) -> None:
    work = stage.order(alice, painter)
    transitions.interrupt(work.pk)
    work.refresh_from_db()
    assert (work.state, work.may_be_billed) == ("failed", False)


def test_deleting_a_work_keeps_what_another_one_uses(alice: Wallet, editor: Service) -> None:
    first = stage.done(stage.order(alice, editor), stage.fake(editor))
    second = stage.order(alice, editor)
    shared = first.source.name  # type: ignore[union-attr]
    second.files.update(name=shared)  # as the works of earlier releases shared their bytes
    own = first.results[0].name
    assert not files.delete(second)  # it is still on its way
    assert files.delete(first)
    assert default_storage.exists(shared)
    assert not default_storage.exists(own)
    assert File.objects.count() == 1
