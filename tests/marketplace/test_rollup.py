"""The figures made of probes and answers: exact, honest about what is not known, bounded."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from marketplace import health, rollup
from marketplace.models import AnswerSample, HealthHour, HealthSample, Measured, Service
from tests.marketplace.factories import NOW, address, make_service, make_state
from zgcompute.networks import DEVNET
from zgcompute.testing import FakeProvider, Fault

pytestmark = pytest.mark.django_db


def probed(name: str = "aurora", **changes: object) -> Service:
    return make_service(name, reachable=True, probed_at=NOW, latency_ms=9, **changes)


def samples(service: Service, latencies: list[int | None], last: datetime = NOW) -> None:
    """One probe a minute up to `last`; None is one that met nobody."""
    HealthSample.objects.bulk_create(
        HealthSample(
            service=service,
            at=last - timedelta(minutes=len(latencies) - 1 - n),
            reachable=latency is not None,
            latency_ms=latency,
        )
        for n, latency in enumerate(latencies)
    )


def measured(service: Service, now: datetime = NOW) -> Measured:
    rollup.refresh("devnet", now)
    return Measured.objects.get(service=service)


def test_a_round_of_probes_leaves_a_sample_of_each_service() -> None:
    make_service("aurora")
    health.probe_services(DEVNET, FakeProvider)
    assert HealthSample.objects.get().reachable
    Service.objects.update(probed_at=None)
    health.probe_services(DEVNET, lambda service: FakeProvider(service, fault=Fault.UNREACHABLE))
    newest = HealthSample.objects.latest("pk")
    assert (newest.reachable, newest.latency_ms) == (False, None)


def test_uptime_is_rounded_down_so_that_one_miss_is_never_all() -> None:
    service = probed()
    samples(service, [*[10] * 1_199, None])
    figures = measured(service)
    assert (figures.uptime_day, figures.probes_day) == (9_991, 1_200)


def test_percentiles_are_values_that_were_measured() -> None:
    service = probed()
    samples(service, list(range(1, 101)))
    figures = measured(service)
    assert (figures.latency_p50, figures.latency_p95) == (50, 95)


def test_too_few_probes_state_nothing() -> None:
    service = probed()
    samples(service, [5] * 9)
    figures = measured(service)
    assert figures.uptime_day is None
    assert figures.uptime_month is None
    assert figures.latency_p50 is None
    assert figures.probes_day == 9


def test_hours_stay_when_the_probes_are_gone() -> None:
    service = probed()
    samples(service, [5] * 30 + [None] * 30)
    rollup.refresh("devnet", NOW)
    later = NOW + timedelta(days=3)
    figures = measured(service, later)
    assert not HealthSample.objects.exists()
    assert HealthHour.objects.count() == 2
    assert (figures.uptime_day, figures.uptime_month) == (None, 5_000)
    assert figures.days[-4] == [60, 30]
    assert sum(probes for probes, _ in figures.days) == 60


def test_hours_are_forgotten_after_thirty_days() -> None:
    service = probed()
    samples(service, [5] * 20)
    rollup.refresh("devnet", NOW)
    assert measured(service, NOW + timedelta(days=31)).uptime_month is None
    assert not HealthHour.objects.exists()


def test_a_second_round_in_the_same_hour_replaces_its_row() -> None:
    service = probed()
    samples(service, [5] * 2, NOW)
    rollup.refresh("devnet", NOW)
    samples(service, [5] * 3, NOW + timedelta(minutes=5))
    rollup.refresh("devnet", NOW + timedelta(minutes=5))
    assert sum(HealthHour.objects.values_list("probes", flat=True)) == 5


def test_figures_are_made_again_only_after_a_pause() -> None:
    samples(probed(), [5])
    assert rollup.refresh("devnet", NOW) == 1
    assert rollup.refresh("devnet", NOW + timedelta(seconds=30)) == 0
    assert rollup.refresh("devnet", NOW + timedelta(seconds=61)) == 1


def test_the_queries_do_not_grow_with_the_services(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for n in range(40):
        samples(probed(f"p{n}"), [5] * 12)
    with django_assert_max_num_queries(12):
        assert rollup.refresh("devnet", NOW) == 40


class TestAnswers:
    def record(self, first: int | None = 200, tokens: int | None = 100, whole: int = 1_200) -> None:
        health.record_answer("devnet", address("aurora"), "m", first, tokens, whole)

    def test_medians_of_real_answers(self) -> None:
        service = probed()
        for first in (100, 200, 900):
            self.record(first, 100, first + 1_000)
        figures = measured(service, timezone.now())
        assert (figures.first_token_p50, figures.tokens_per_second_p50) == (200, 100)
        assert figures.answers == 3

    def test_two_answers_are_not_enough(self) -> None:
        service = probed()
        self.record()
        self.record()
        assert measured(service, timezone.now()).first_token_p50 is None

    def test_short_answers_and_those_without_usage_say_nothing_of_speed(self) -> None:
        service = probed()
        self.record(tokens=3)
        self.record(tokens=None)
        self.record(first=1_200)
        figures = measured(service, timezone.now())
        assert figures.first_token_p50 == 200
        assert figures.tokens_per_second_p50 is None

    def test_what_has_no_first_token_or_no_service_is_not_kept(self) -> None:
        self.record()
        probed()
        self.record(first=None)
        assert not AnswerSample.objects.exists()

    def test_absurd_claims_fit_the_database(self) -> None:
        probed()
        self.record(tokens=2**63)
        assert AnswerSample.objects.get().tokens == 2**31 - 1


class TestPages:
    def html(self, client: Client, url: str) -> str:
        return client.get(url).content.decode()

    def test_the_catalog_and_the_provider_page_show_the_figures(self, client: Client) -> None:
        make_state()
        service = probed()
        samples(service, [*[12] * 39, None], timezone.now())
        for _ in range(3):
            health.record_answer("devnet", service.provider, "m", 340, 60, 1_340)
        rollup.refresh("devnet")
        for url in ("/devnet/", "/devnet/?view=table", service.get_absolute_url()):
            html = self.html(client, url)
            assert "97.5 %" in html
            assert "340 ms" in html
            assert "60" in html
            assert "<title>Reachability by the hour, last 24 hours</title>" in html
        assert "95 % within 12 ms" in self.html(client, service.get_absolute_url())

    def test_nothing_measured_is_said_so(self, client: Client) -> None:
        make_state()
        service = probed()
        assert "Not enough measured yet" in self.html(client, "/devnet/")
        assert "Not enough measured yet" in self.html(client, service.get_absolute_url())
        samples(service, [5] * 4, timezone.now())
        rollup.refresh("devnet")
        assert "4 probes in the last 24 hours" in self.html(client, service.get_absolute_url())
