"""The network's status service is read, joined to services, and never taken for our own word."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from marketplace import health, model_rows, reporting
from marketplace.models import ModelRow, NetworkState, Reported, Service
from tests.marketplace.factories import address, make_service
from tests.marketplace.test_model_rows import MULTI, cards
from tests.zgcompute.raw_server import serving
from zgcompute import errors
from zgcompute.networks import DEVNET
from zgcompute.status_api import (
    HealthStatus,
    ReportedHealth,
    ReportedModel,
    parse_health,
    parse_models,
)
from zgcompute.testing import FakeProvider

pytestmark = pytest.mark.django_db


@dataclass
class Saying:
    """A status service that says `reports` and `listed`, or fails in the way given."""

    reports: tuple[ReportedHealth, ...] | errors.Error = ()
    listed: tuple[ReportedModel, ...] | errors.Error = ()
    is_closed: bool = False

    def health(self) -> tuple[ReportedHealth, ...]:
        return self._give(self.reports)

    def models(self) -> tuple[ReportedModel, ...]:
        return self._give(self.listed)

    def close(self) -> None:
        self.is_closed = True

    def _give(self, value: Any) -> Any:
        if isinstance(value, errors.Error):
            raise value
        return value


DOWN = errors.ProviderUnreachable("status.example cannot be reached.")


def reports(*entries: dict[str, Any]) -> tuple[ReportedHealth, ...]:
    return parse_health(json.dumps({"services": entries}).encode())


def report_on(name: str, model: str = "", **changes: Any) -> dict[str, Any]:
    return {
        "provider": address(name).upper().replace("0X", "0x"),
        "model": model or f"{name}-chat",
        "status": "healthy",
        "checks": {"total": 10, "successful": 9, "uptime": 90.5},
        **changes,
    }


def listing(*found: dict[str, Any]) -> tuple[ReportedModel, ...]:
    return parse_models(json.dumps({"data": found}).encode())


def card_of(name: str, model: str = "", **changes: Any) -> dict[str, Any]:
    return {"provider": address(name), "id": model or f"{name}-chat", **changes}


def test_a_report_is_kept_with_its_service() -> None:
    make_service("aurora")
    said = Saying(reports(report_on("aurora", lastCheck="2026-05-04T14:02:00Z")))
    reporting.refresh(DEVNET, said)
    row = Reported.objects.get()
    assert (row.service.model, row.status, row.uptime) == ("aurora-chat", "healthy", 9050)
    assert (row.checks_total, row.checks_successful, row.first_token_ms) == (10, 9, None)
    assert row.checked_at == datetime(2026, 5, 4, 14, 2, tzinfo=UTC)
    assert NetworkState.of("devnet").status_at == row.read_at
    assert said.is_closed


def test_a_later_reading_takes_its_place_and_says_who_is_gone() -> None:
    make_service("aurora")
    make_service("cumulus")
    reporting.refresh(DEVNET, Saying(reports(report_on("aurora"), report_on("cumulus"))))
    reporting.refresh(DEVNET, Saying(reports(report_on("aurora", status="critical"))))
    assert [row.status for row in Reported.objects.all()] == ["critical"]


def test_unknown_and_removed_providers_and_other_networks_have_no_report() -> None:
    make_service("gone", removed_at=timezone.now())
    make_service("aurora", network="testnet")
    strangers = [report_on(name) for name in ("stranger", "gone", "aurora")]
    reporting.refresh(DEVNET, Saying(reports(*strangers)))
    assert not Reported.objects.exists()


def test_another_networks_reports_are_left_alone() -> None:
    make_service("aurora", network="testnet")
    testnet = replace(DEVNET, slug="testnet")
    reporting.refresh(testnet, Saying(reports(report_on("aurora"))))
    reporting.refresh(DEVNET, Saying())
    assert Reported.objects.count() == 1


class TestWhichReport:
    def found(self, *entries: dict[str, Any]) -> str | None:
        reporting.refresh(DEVNET, Saying(reports(*entries)))
        row = Reported.objects.first()
        return row.model if row else None

    def test_two_entries_of_one_provider_are_told_apart_by_the_model(self) -> None:
        make_service("aurora")
        assert self.found(report_on("aurora", "x"), report_on("aurora")) == "aurora-chat"
        assert self.found(report_on("aurora", "x"), report_on("aurora", "y")) is None

    def test_the_canonical_id_of_a_card_helps(self) -> None:
        service = make_service("aurora")
        both = cards({"id": "aurora-chat", "canonical_id": "canon"})
        model_rows.keep({service.pk: both}, timezone.now())
        assert self.found(report_on("aurora", "x"), report_on("aurora", "canon")) == "canon"

    def test_the_only_entry_is_that_of_a_single_model(self) -> None:
        make_service("aurora")
        assert self.found(report_on("aurora", "drifted")) == "drifted"

    def test_the_only_entry_of_a_service_with_several_models_is_of_that_model(self) -> None:
        make_service("aurora", additional_info=MULTI)
        assert self.found(report_on("aurora", "another")) is None
        assert self.found(report_on("aurora")) == "aurora-chat"


class TestFailing:
    def test_what_was_read_stays_with_its_age(self) -> None:
        make_service("aurora")
        said = Saying(reports(report_on("aurora")), listing(card_of("aurora", context_length=8)))
        reporting.refresh(DEVNET, said)
        read_at = Reported.objects.get().read_at
        reporting.refresh(DEVNET, Saying(DOWN, DOWN))
        assert Reported.objects.get().read_at == read_at
        assert ModelRow.objects.get().context_length == 8
        state = NetworkState.of("devnet")
        assert (state.status_problem, state.status_models_problem) == (str(DOWN), str(DOWN))
        assert state.status_at == read_at

    def test_the_time_of_the_first_failure_is_kept_until_it_answers(self) -> None:
        reporting.refresh(DEVNET, Saying(DOWN))
        since = NetworkState.of("devnet").status_problem_since
        reporting.refresh(DEVNET, Saying(errors.MalformedReply("Nonsense.")))
        state = NetworkState.of("devnet")
        assert (state.status_problem_since, state.status_problem) == (since, "Nonsense.")
        reporting.refresh(DEVNET, Saying())
        state = NetworkState.of("devnet")
        assert (state.status_problem_since, state.status_problem) == (None, "")

    def test_one_list_may_fail_without_the_other(self) -> None:
        make_service("aurora")
        reporting.refresh(DEVNET, Saying(reports(report_on("aurora")), DOWN))
        assert Reported.objects.exists()
        state = NetworkState.of("devnet")
        assert (state.status_problem, state.status_models_problem) == ("", str(DOWN))

    @pytest.mark.usefixtures("local_server")
    @pytest.mark.parametrize(
        ("body", "status"),
        [
            (b"{}", "500 Oops"),
            (b"<html>Welcome</html>", "200 OK"),
            (b" " * 6_000_000, "200 OK"),
            (b'{"services":{},"data":7}', "200 OK"),
        ],
    )
    def test_a_real_answer_that_is_of_no_use_is_a_recorded_problem(
        self, body: bytes, status: str
    ) -> None:
        with serving(lambda exchange: exchange.reply(body, status=status)) as server:
            reporting.refresh(replace(DEVNET, status_api=server.url))
        state = NetworkState.of("devnet")
        assert state.status_problem
        assert state.status_models_problem
        assert state.status_problem_since is not None

    def test_a_network_without_one_has_no_reports(self) -> None:
        make_service("aurora")
        said = Saying(reports(report_on("aurora")), listing(card_of("aurora")))
        reporting.refresh(DEVNET, said)
        reporting.refresh(replace(DEVNET, status_api=""))
        assert not Reported.objects.exists()
        assert not ModelRow.objects.exists()
        state = NetworkState.of("devnet")
        assert (state.status_at, state.status_models_at) == (None, None)

    def test_a_check_still_to_come_is_no_time(self) -> None:
        make_service("aurora")
        soon = (timezone.now() + timedelta(minutes=6)).isoformat()
        reporting.refresh(DEVNET, Saying(reports(report_on("aurora", lastCheck=soon))))
        assert Reported.objects.get().checked_at is None

    def test_the_widest_numbers_fit_the_database(self) -> None:
        make_service("aurora")
        checks = {"total": 2**63 - 1, "successful": 2**63 - 1, "uptime": 100}
        speed = {"response_time": {"avg": 10**9}, "tokens_per_second": {"avg": 10**9}}
        said = reports(report_on("aurora", checks=checks, performance=speed))
        reporting.refresh(DEVNET, Saying(said))
        assert Reported.objects.get().tokens_per_second == 10**9

    def test_thousands_of_entries_are_joined_in_few_queries(
        self, django_assert_max_num_queries: Any
    ) -> None:
        for n in range(40):
            make_service(f"p{n}")
        crowd = tuple(ReportedHealth(f"0x{n:040x}", "m", HealthStatus.HEALTHY) for n in range(4960))
        ours = reports(*(report_on(f"p{n}") for n in range(40)))
        with django_assert_max_num_queries(25):
            reporting.refresh(DEVNET, Saying(crowd + ours))
        assert Reported.objects.count() == 40


class TestCards:
    def sources(self, service: Service) -> list[tuple[str, str]]:
        return list(service.model_rows.values_list("model_id", "source"))

    def fill(self, *found: dict[str, Any]) -> None:
        reporting.refresh(DEVNET, Saying(listed=listing(*found)))

    def test_a_card_fills_in_for_a_list_that_could_not_be_read(self) -> None:
        service = make_service("aurora")
        self.fill(card_of("aurora", context_length=8), card_of("stranger"))
        row = model_rows.of_service(service)
        assert row is not None
        assert (row.context_length, row.source, row.is_reported) == (8, "network_status", True)

    def test_it_brings_no_prices(self) -> None:
        make_service("hub", additional_info=MULTI)
        self.fill(card_of("hub", pricing={"prompt": "1", "completion": "1"}))
        row = ModelRow.objects.get()
        assert (row.prompt_price, row.completion_price, row.tiers) == (None, None, [])

    def test_the_providers_own_list_always_wins(self) -> None:
        service = make_service("aurora")
        self.fill(card_of("aurora", "theirs"))
        health.probe_services(DEVNET, FakeProvider)
        assert self.sources(service) == [("aurora-chat", "provider")]
        self.fill(card_of("aurora", "theirs"))
        assert self.sources(service) == [("aurora-chat", "provider")]

    def test_an_empty_list_of_the_providers_own_leaves_what_fills_in(self) -> None:
        service = make_service("aurora")
        self.fill(card_of("aurora"))
        model_rows.keep({service.pk: ()}, timezone.now())
        assert self.sources(service) == [("aurora-chat", "network_status")]

    def test_rows_of_both_sources_are_put_right(self) -> None:
        service = make_service("aurora")
        self.fill(card_of("aurora", "theirs"))
        ModelRow.objects.create(service=service, position=0, model_id="own", read_at=timezone.now())
        self.fill(card_of("aurora", "theirs"))
        assert self.sources(service) == [("own", "provider")]

    def test_a_card_no_longer_listed_goes(self) -> None:
        service = make_service("aurora")
        self.fill(card_of("aurora"))
        self.fill()
        assert self.sources(service) == []

    def test_an_unchanged_card_is_not_written_again(self) -> None:
        make_service("aurora")
        self.fill(card_of("aurora"))
        key = ModelRow.objects.get().pk
        self.fill(card_of("aurora"))
        assert ModelRow.objects.get().pk == key
