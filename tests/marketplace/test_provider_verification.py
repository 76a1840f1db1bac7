"""A provider's verification: asked for by anybody, run by a worker, never called what it is not."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from devnet.providers.attestation import broker_report, model_report
from devnet.providers.profiles import PROFILES, Profile
from marketplace import standing, tasks, verifying
from marketplace.models import ProviderVerification, Service
from marketplace.network import served
from marketplace.verifications import KEEP_EVIDENCE, LOST, fingerprint
from tests.marketplace.factories import make_service, make_state
from zgcompute import types
from zgcompute.attestation import Overall, verify_provider_evidence
from zgcompute.errors import ProviderUnreachable, ReplyTooLarge

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def profile(name: str) -> Profile:
    return next(profile for profile in PROFILES if profile.name == name)


class Source:
    """A provider of the devnet, without its server."""

    def __init__(self, service: types.Service, problem: Exception | None = None) -> None:
        self.service = service
        self._problem = problem
        self._profile = profile("cumulus")

    def quote(self) -> bytes:
        if self._problem is not None:
            raise self._problem
        return json.dumps(broker_report(self._profile)).encode()

    def attestation_report(self, model: str) -> bytes:
        return json.dumps(model_report(self._profile)).encode()


@pytest.fixture(autouse=True)
def queue(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The networks whose workers were called; no broker is needed."""
    asked: list[str] = []
    monkeypatch.setattr(tasks, "verify_later", asked.append)
    return asked


@pytest.fixture
def service() -> Service:
    make_state()
    cumulus = profile("cumulus")
    return make_service(
        "cumulus",
        tee_signer=cumulus.tee_key.address,
        additional_info=cumulus.additional_info,
    )


def url(service: Service, rest: str = "") -> str:
    return f"{service.get_absolute_url()}verification/{rest}"


def page(client: Client, service: Service, **headers: str) -> str:
    response = client.get(url(service), headers=headers)
    assert response.status_code == 200
    return response.content.decode()


def run(problem: Exception | None = None) -> None:
    verifying.run_waiting(served()["devnet"], lambda service: Source(service, problem), None)


def finished(service: Service, overall: Overall) -> ProviderVerification:
    """A stored result, as if its checks had come out so."""
    now = timezone.now()
    row = ProviderVerification.objects.create(
        service=service,
        asked_at=now - timedelta(minutes=5),
        started_at=now,
        finished_at=now,
        record=fingerprint(service),
        overall=overall.value,
    )
    service.last_verification = row
    service.save()
    return row


def test_nobody_has_asked_yet(client: Client, service: Service) -> None:
    html = page(client, service)
    assert "Hardware and code: Never checked" in html
    assert 'hx-trigger="every 1s"' not in html
    assert "Never checked" in client.get(service.get_absolute_url()).content.decode()


def test_asking_starts_one_that_the_page_watches(
    client: Client, service: Service, queue: list[str]
) -> None:
    response = client.post(url(service))
    assert queue == ["devnet"]
    assert response.headers["Location"] == url(service)
    assert "Checking now: waiting for its turn" in page(client, service)
    assert 'hx-trigger="every 1s"' in page(client, service)
    assert client.post(url(service), headers=HTMX).status_code == 200
    assert ProviderVerification.objects.count() == 1


def test_a_devnet_provider_fails_by_its_missing_hardware_signature(
    client: Client, service: Service
) -> None:
    client.post(url(service))
    run()
    html = page(client, service)
    assert "Hardware and code: Failed" in html
    assert "not hardware-backed" in html
    assert "notice--good" not in html
    assert "The model server’s report" in html or "The model server&#x27;s report" in html
    assert "Failed: The quote is signed by its attestation key (broker)" in html
    assert "Failed" in client.get(service.get_absolute_url()).content.decode()


def test_a_provider_that_is_down_could_not_be_checked(client: Client, service: Service) -> None:
    Service.objects.filter(pk=service.pk).update(additional_info="")
    client.post(url(service))
    run(ProviderUnreachable("No answer."))
    html = page(client, service)
    assert "Hardware and code: Could not be checked" in html
    assert "No answer." in html
    assert "notice--good" not in html


def test_a_reply_without_end_fails(client: Client, service: Service) -> None:
    client.post(url(service))
    run(ReplyTooLarge("The provider sent more than 8 MB."))
    assert "Hardware and code: Failed" in page(client, service)


@pytest.mark.parametrize("overall", [Overall.FAILED, Overall.UNCHECKED])
def test_only_verified_is_called_so(service: Service, overall: Overall) -> None:
    finished(service, overall)
    assert standing.assess(service).word not in ("Verified",)
    assert standing.assess(service).tone != "good"


def test_a_result_is_about_the_record_that_was_judged(client: Client, service: Service) -> None:
    finished(service, Overall.VERIFIED)
    assert standing.assess(service).word == "Verified"
    assert "Hardware and code: Verified" in page(client, service)
    service.tee_signer = "0x" + "7" * 40
    service.save()
    assert standing.assess(service).word == "Not checked since it changed"
    assert "Hardware and code: Verified" not in page(client, service)


def test_an_unacknowledged_or_removed_provider_loses_its_result(service: Service) -> None:
    finished(service, Overall.VERIFIED)
    service.removed_at = timezone.now()
    assert standing.assess(service).word == "Not checked since it changed"


def test_every_list_says_what_was_found(client: Client, service: Service) -> None:
    places = ("/devnet/", "/devnet/?view=table", "/devnet/models/cumulus-chat/")
    for place in places:
        assert "Hardware: never checked" in client.get(place).content.decode()
    client.post(url(service))
    run()
    for place in places:
        assert "Hardware: failed" in client.get(place).content.decode()
    compared = client.get(f"/devnet/compare/?provider={service.provider}").content.decode()
    assert "See the checks" in compared
    assert ">Verified" not in compared


@pytest.mark.parametrize("overall", Overall)
def test_programs_are_told_the_same_word(
    client: Client, service: Service, overall: Overall
) -> None:
    provider = f"/api/v1/devnet/providers/{service.provider}"
    assert client.get(provider).json()["verification"] == {
        "verdict": "never checked",
        "checked_at": None,
    }
    finished(service, overall)
    assert client.get(provider).json()["verification"]["verdict"] == overall.value
    endpoint = client.get("/api/v1/devnet/models").json()["data"][0]["endpoints"][0]
    assert endpoint["verification"]["verdict"] == overall.value
    Service.objects.update(tee_signer="0x" + "7" * 40)
    assert client.get(provider).json()["verification"]["verdict"] == "changed"


def test_the_evidence_can_be_taken_and_checked_again(client: Client, service: Service) -> None:
    assert client.get(url(service, "evidence/")).status_code == 404
    client.post(url(service))
    run()
    response = client.get(url(service, "evidence/"))
    assert response.headers["Content-Disposition"].startswith('attachment; filename="evidence-0x')
    verdict = verify_provider_evidence(json.loads(response.content))
    assert verdict.overall is Overall.FAILED
    row = ProviderVerification.objects.get()
    assert row.result["checks"] == [asdict(check) for check in verdict.checks]


def test_reports_are_offered_exactly_as_they_came(client: Client, service: Service) -> None:
    client.post(url(service))
    run()
    response = client.get(url(service, "reports/broker_attestation_report.json"))
    assert response.content == json.dumps(broker_report(profile("cumulus"))).encode()
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert client.get(url(service, "reports/other.json")).status_code == 404
    html = page(client, service)
    assert "reports/model_server_attestation_report.json" in html
    assert "curl -s -d @broker_attestation_report.json http://localhost:8080/verify" in html


def test_a_provider_is_not_asked_again_at_once(client: Client, service: Service) -> None:
    client.post(url(service))
    run()
    response = client.post(url(service), headers=HTMX)
    assert response.status_code == 429
    html = response.content.decode()
    assert "Again in" in html
    assert "Hardware and code: Failed" in html
    ProviderVerification.objects.update(asked_at=timezone.now() - verifying.PAUSE)
    assert client.post(url(service)).status_code == 302


def test_one_network_is_not_flooded(client: Client) -> None:
    make_state()
    services = [make_service(f"provider {n}") for n in range(verifying.PER_MINUTE + 1)]
    statuses = [client.post(url(service)).status_code for service in services]
    assert statuses == [302] * verifying.PER_MINUTE + [429]


def test_one_that_no_worker_finishes_ends_by_itself(client: Client, service: Service) -> None:
    client.post(url(service))
    ProviderVerification.objects.update(asked_at=timezone.now() - LOST - timedelta(seconds=1))
    assert "Checking now" not in page(client, service)
    run()
    html = page(client, service)
    assert "Could not be checked" in html
    assert "No worker of this site finished it in time" in html


def test_each_is_run_once(service: Service) -> None:
    row = verifying.ask(service)
    assert row.start()
    assert not row.start()
    assert verifying.run_waiting(served()["devnet"], Source, None) == 0


def test_old_evidence_is_let_go(service: Service) -> None:
    for _ in range(KEEP_EVIDENCE + 2):
        verifying.ask(service)
        run()
        ProviderVerification.objects.update(asked_at=timezone.now() - timedelta(hours=1))
    assert ProviderVerification.objects.exclude(evidence="").count() == KEEP_EVIDENCE
    assert ProviderVerification.objects.count() == KEEP_EVIDENCE + 2


def test_the_page_shows_what_is_done_while_it_runs(client: Client, service: Service) -> None:
    class Slow(Source):
        def attestation_report(self, model: str) -> bytes:
            self.html = page(client, service)
            return super().attestation_report(model)

    source = Slow(service.snapshot())
    verifying.ask(service)
    verifying.run_waiting(served()["devnet"], lambda _: source, None)
    assert "Checking now: Fetching the report of the model server" in source.html
    assert 'id="checks-broker"' in source.html
    assert 'id="checks-model-server"' not in source.html


def test_hostile_values_render_harmlessly(client: Client, service: Service) -> None:
    info = {"TargetSeparated": True, "TargetTeeAddress": "<script>alert(1)</script>"}
    service.verifiability = "<img src=x onerror=alert(1)>\u202e"
    service.additional_info = json.dumps(info)
    service.model = "<script>alert(1)</script>"
    service.save()
    verifying.ask(service)
    run()
    html = page(client, service)
    assert "<script>alert" not in html
    assert "<img src=x" not in html
    assert "\u202e" not in html


def test_few_queries(
    client: Client, service: Service, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    verifying.ask(service)
    run()
    with django_assert_max_num_queries(5):
        page(client, service)


def test_unknown_providers_are_not_found(client: Client, service: Service) -> None:
    address = "0x" + "9" * 40
    assert client.get(f"/devnet/providers/{address}/verification/").status_code == 404
    assert client.post(f"/devnet/providers/{address}/verification/").status_code == 404
