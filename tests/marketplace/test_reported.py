"""How pages tell what is reported from what was measured here."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from marketplace import model_names, model_rows
from marketplace.models import NetworkState, Reported, Service
from tests.marketplace.factories import make_service, make_state
from tests.marketplace.test_model_rows import cards
from zgcompute.networks import DEVNET, TESTNET

pytestmark = pytest.mark.django_db
TITLE = "Reported by the network's status service"


@pytest.fixture(autouse=True)
def state() -> None:
    make_state()


def report_on(service: Service, **changes: Any) -> Reported:
    columns: dict[str, Any] = {
        "model": service.model,
        "status": "healthy",
        "uptime": 9951,
        "checks_total": 1440,
        "checked_at": timezone.now() - timedelta(minutes=2),
        "read_at": timezone.now(),
    }
    NetworkState.objects.filter(status_at=None).update(status_at=timezone.now())
    return Reported.objects.create(service=service, **{**columns, **changes})


def status_service(**columns: Any) -> None:
    NetworkState.objects.filter(network="devnet").update(
        **{f"status_{name}": value for name, value in columns.items()}
    )


def up(name: str = "aurora", **changes: Any) -> Service:
    return make_service(name, reachable=True, latency_ms=9, probed_at=timezone.now(), **changes)


def down(name: str = "aurora") -> Service:
    now = timezone.now()
    return make_service(name, reachable=False, probed_at=now, down_since=now - timedelta(hours=1))


def html(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return response.content.decode()


class TestProviderPage:
    def page(self, client: Client, service: Service) -> str:
        return html(client, service.get_absolute_url())

    def test_a_report_stands_apart_with_its_own_words_and_time(self, client: Client) -> None:
        service = up()
        report_on(service, response_time_ms=1235, first_token_ms=820, tokens_per_second=1045)
        text = self.page(client, service)
        for words in (
            TITLE,
            "Reported healthy",
            "99.51 % of 1,440 checks passed",
            "1.2 s response",
            "820 ms to first token",
            "1,045 tokens/s",
            "It last checked",
            "this site has not repeated them",
        ):
            assert words in text
        assert text.index("Measured by this site") < text.index(TITLE)
        assert "but reported" not in text

    @pytest.mark.parametrize(
        ("status", "word"),
        [
            ("warning", "Reported with warnings"),
            ("critical", "Reported critical"),
            ("unknown", "Reported without a status"),
            ("<script>", "Reported without a status"),
        ],
    )
    def test_every_status_has_its_word(self, client: Client, status: str, word: str) -> None:
        service = make_service("aurora")
        report_on(service, status=status)
        assert word in self.page(client, service)

    def test_nothing_reported_ever_looks_good(self, client: Client) -> None:
        service = make_service("aurora")
        report_on(service)
        text = self.page(client, service)
        assert "state--good" not in text[text.index(TITLE) : text.index("</main>")]
        assert "Not probed yet" in text

    def test_down_for_us_but_reported_healthy_is_said(self, client: Client) -> None:
        service = down()
        report_on(service)
        text = self.page(client, service)
        assert "Down for us since" in text
        assert "but reported healthy." in text

    def test_answering_us_but_reported_critical_is_said(self, client: Client) -> None:
        service = up()
        report_on(service, status="critical")
        assert "It answered us 0 s ago, but is reported critical." in self.page(client, service)

    def test_an_old_report_contradicts_nobody(self, client: Client) -> None:
        service = down()
        report_on(service, read_at=timezone.now() - timedelta(hours=2))
        text = self.page(client, service)
        assert "but reported" not in text
        assert "read by us 2 h ago" in text

    def test_an_old_probe_contradicts_nobody(self, client: Client) -> None:
        service = make_service(
            "aurora", reachable=False, probed_at=timezone.now() - timedelta(hours=1)
        )
        report_on(service)
        assert "but reported" not in self.page(client, service)

    def test_an_unreachable_service_is_one_quiet_sentence(self, client: Client) -> None:
        service = up()
        since = timezone.now() - timedelta(hours=3)
        status_service(problem="<b>status</b> is gone.", problem_since=since)
        text = self.page(client, service)
        assert "The network's status service could not be reached since" in text
        assert "&lt;b&gt;status&lt;/b&gt; is gone." in text
        assert "What follows" not in text
        report_on(service, read_at=since)
        assert "What follows is what it said before" in self.page(client, service)

    def test_a_provider_it_does_not_know_is_no_failure(self, client: Client) -> None:
        service = up()
        assert TITLE not in self.page(client, service)
        status_service(at=timezone.now())
        assert "It says nothing of this provider" in self.page(client, service)

    def test_a_list_of_models_that_failed_alone_is_named(self, client: Client) -> None:
        service = up()
        status_service(at=timezone.now(), models_problem="Status 404.")
        assert "Its list of models could not be read. Status 404." in self.page(client, service)

    def test_a_network_without_one_says_nothing(
        self, client: Client, settings: LazySettings
    ) -> None:
        from dataclasses import replace

        settings.NETWORKS = {"devnet": replace(DEVNET, status_api=""), "testnet": TESTNET}
        service = up()
        report_on(service)
        assert TITLE not in self.page(client, service)

    def test_a_report_on_another_name_says_which_and_is_escaped(self, client: Client) -> None:
        service = make_service("aurora")
        report_on(service, model="<script>alert(1)</script>\u202e")
        text = self.page(client, service)
        assert "Its report is on the model &lt;script&gt;alert(1)" in text
        assert "<script>alert" not in text
        assert "\u202e" not in text

    def test_cards_of_the_status_service_are_marked(self, client: Client) -> None:
        service = make_service("aurora")
        now = timezone.now()
        status_service(at=now, models_at=now)
        listed = cards({"id": "aurora-chat", "name": "<script>x", "context_length": 32_768})
        model_rows.fill_in({service.pk: listed}, now)
        text = self.page(client, service)
        assert "As the network's status service lists it" in text
        assert "As the provider lists it" not in text
        assert "&lt;script&gt;x" in text
        catalog = html(client, "/devnet/")
        assert "32,768 tokens of context, says the network's status service" in catalog
        model_rows.keep({service.pk: listed}, now)
        assert "As the provider lists it at its own address" in self.page(client, service)


class TestOtherPages:
    def test_catalog_entries_stay_on_our_own_measurements(
        self, client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        report_on(up())
        status_service(problem="Gone.")
        with django_assert_max_num_queries(5):
            text = html(client, "/devnet/?view=table")
        assert "eported" not in text
        assert "Gone." not in text

    def test_compare_has_a_line_of_its_own(
        self, client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        services = [down("aurora"), up("cumulus")]
        url = "/devnet/compare/?" + "&".join(f"provider={s.provider}" for s in services)
        assert TITLE not in html(client, url)
        report_on(services[0])
        with django_assert_max_num_queries(4):
            text = html(client, url)
        assert TITLE in text
        assert "Nothing reported" in text
        assert "but reported healthy." in text

    def test_compare_names_whose_details_are_shown(self, client: Client) -> None:
        services = [up("aurora"), up("cumulus")]
        url = "/devnet/compare/?" + "&".join(f"provider={s.provider}" for s in services)
        now = timezone.now()
        model_rows.keep({services[0].pk: cards({"id": "a"})}, now)
        assert "The provider itself" not in html(client, url)
        model_rows.fill_in({services[1].pk: cards({"id": "c"})}, now)
        text = html(client, url)
        assert "The provider itself" in text
        assert "The network&#x27;s status service" in text

    def test_a_models_page_prefers_a_providers_own_card(self, client: Client) -> None:
        first, second = up("aurora", model="m"), up("cumulus", model="m", output_price=10**18)
        now = timezone.now()
        model_rows.fill_in({first.pk: cards({"id": "m", "description": "Hearsay"})}, now)
        page = model_names.url("devnet", "m")
        assert "described by the network's status service" in html(client, page)
        model_rows.keep({second.pk: cards({"id": "m", "description": "Own words"})}, now)
        text = html(client, page)
        assert "Own words" in text
        assert "described by" not in text
