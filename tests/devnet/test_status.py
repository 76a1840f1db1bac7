"""The devnet's status service: it reports what it met, in the shape that the SDK reads."""

from __future__ import annotations

import time

import pytest

from devnet import accounts
from devnet.__main__ import CONTROL_PORT
from devnet.providers.profiles import PROFILES
from devnet.status import PORT_OFFSET, Watched
from devnet.testing import Devnet
from marketplace import health, model_rows, reporting
from marketplace.models import NetworkState, Reported, Service
from tests.devnet.bench import PROVIDER, profile_of
from tests.marketplace.factories import make_service
from tests.zgcompute.raw_server import Exchange, serving
from zgcompute.errors import ProviderRefused
from zgcompute.networks import DEVNET
from zgcompute.status_api import HealthStatus, ReportedHealth, StatusApi


def test_its_port_is_the_built_in_networks() -> None:
    assert DEVNET.status_api == f"http://127.0.0.1:{CONTROL_PORT + PORT_OFFSET}"
    assert PORT_OFFSET not in {profile.port_offset for profile in PROFILES}


@pytest.mark.usefixtures("local_server")
class TestChecks:
    def checked(self, *answers: str) -> Watched:
        """A provider that was asked once for each of `answers`, the status lines of its replies."""
        lines = iter(answers)

        def script(exchange: Exchange) -> None:
            exchange.reply(b"", status=next(lines))

        with serving(script) as server:
            watched = Watched(profile_of("aurora"), PROVIDER, server.url)
            for _ in answers:
                watched.check()
        return watched

    @pytest.mark.parametrize(
        ("answers", "status", "uptime"),
        [
            (["200 OK"], "healthy", 100.0),
            (["404 Not Found"], "healthy", 100.0),
            (["200 OK", "200 OK", "200 OK", "500 Oops"], "warning", 75.0),
            (["200 OK", "500 Oops", "502 Bad"], "critical", 33.33),
        ],
    )
    def test_the_share_of_answers_decides(
        self, answers: list[str], status: str, uptime: float
    ) -> None:
        entry = self.checked(*answers).describe()
        assert (entry["status"], entry["checks"]["uptime"]) == (status, uptime)
        assert entry["checks"]["total"] == len(answers)

    def test_who_does_not_answer_has_no_response_time(self) -> None:
        watched = self.checked()
        watched.check()
        entry = watched.describe()
        assert (entry["status"], entry["performance"]) == ("critical", {})

    def test_who_was_never_asked_is_unknown(self) -> None:
        entry = Watched(profile_of("aurora"), PROVIDER, "http://127.0.0.1:1").describe()
        assert (entry["status"], entry["lastCheck"]) == ("unknown", None)


@pytest.mark.chain
class TestRunning:
    def reports(self, devnet: Devnet) -> dict[str, ReportedHealth]:
        api = StatusApi(devnet.network.status_api, local=True)
        try:
            return {entry.model: entry for entry in api.health()}
        finally:
            api.close()

    def test_every_registered_provider_was_really_asked(self, devnet: Devnet) -> None:
        reports = self.reports(devnet)
        assert set(reports) == {profile.model for profile in PROFILES}
        aurora, borealis = reports["devnet-chat"], reports["devnet-silent"]
        assert aurora.provider == devnet.address("aurora").lower()
        assert (aurora.status, aurora.uptime) == (HealthStatus.HEALTHY, 10_000)
        assert aurora.response_time_ms is not None
        assert aurora.first_token_ms is None
        assert aurora.checked_at is not None
        assert abs(aurora.checked_at - time.time()) < 60
        assert (borealis.status, borealis.uptime) == (HealthStatus.CRITICAL, 0)

    def test_the_cards_are_the_providers_own(self, devnet: Devnet) -> None:
        api = StatusApi(devnet.network.status_api, local=True)
        found = {entry.model: entry for entry in api.models()}
        api.close()
        assert found["devnet-reasoner"].provider == devnet.address("cumulus").lower()
        assert found["devnet-reasoner"].card.context_length == 131_072
        assert "devnet-silent" not in found

    def test_it_can_be_stopped(self, devnet: Devnet) -> None:
        devnet.stop_status()
        with pytest.raises(ProviderRefused, match="503"):
            self.reports(devnet)
        devnet.reset()
        assert self.reports(devnet)

    @pytest.mark.django_db
    def test_the_site_fills_in_for_a_broker_without_a_list(self, devnet: Devnet) -> None:
        devnet.options("aurora", lists_models=False)
        service = make_service(
            model="devnet-chat", provider=devnet.address("aurora"), url=devnet.url("aurora")
        )
        silent = make_service(
            model="devnet-silent",
            provider=accounts.provider("borealis").address,
            url="http://127.0.0.1:9",
        )
        health.probe_services(devnet.network)
        assert not service.model_rows.exists()
        reporting.refresh(devnet.network)
        row = model_rows.of_service(service)
        assert row is not None
        assert (row.is_reported, row.context_length) == (True, 32_768)
        assert Reported.objects.get(service=service).status == "healthy"
        assert Reported.objects.get(service=silent).status == "critical"

        devnet.options("aurora", lists_models=True)
        Service.objects.update(probed_at=None)
        health.probe_services(devnet.network)
        row = model_rows.of_service(service)
        assert row is not None
        assert not row.is_reported

        devnet.stop_status()
        reporting.refresh(devnet.network)
        state = NetworkState.of("devnet")
        assert "503" in state.status_problem
        assert Reported.objects.count() == 2
