from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from marketplace import health
from marketplace.health import Finding
from marketplace.models import Service
from tests.marketplace.factories import make_service
from zgcompute import errors, types
from zgcompute.networks import DEVNET
from zgcompute.testing import FakeProvider, Fault

pytestmark = pytest.mark.django_db


class Raising:
    """A provider whose list of models cannot be had."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def models(self) -> object:
        raise self.error


def up(service: types.Service) -> FakeProvider:
    return FakeProvider(service)


def down(service: types.Service) -> FakeProvider:
    return FakeProvider(service, fault=Fault.UNREACHABLE)


def test_a_provider_that_answers_is_reachable() -> None:
    finding = health.probe(FakeProvider())
    assert finding.reachable
    assert finding.latency_ms is not None


@pytest.mark.parametrize(
    "error",
    [
        errors.ProviderRefused("Not here.", status=404),
        errors.RateLimited("Slowly.", status=429),
        errors.MalformedReply("Not a list."),
        errors.ReplyTooLarge("Too long."),
    ],
)
def test_an_error_in_the_reply_is_still_a_reply(error: Exception) -> None:
    finding = health.probe(Raising(error))
    assert finding.reachable
    assert finding.problem == str(error)


@pytest.mark.parametrize(
    "error", [errors.ProviderUnreachable("Gone."), errors.ProviderTimeout("Slow.")]
)
def test_no_reply_means_down(error: Exception) -> None:
    assert health.probe(Raising(error)) == Finding(reachable=False, problem=str(error))


def test_an_unsafe_address_is_not_asked() -> None:
    finding = health.probe(Raising(errors.DestinationRefused("It is private.")))
    assert not finding.reachable
    assert finding.problem == "Address refused. It is private."


def test_a_round_is_written_down() -> None:
    make_service("aurora")
    assert health.probe_services(DEVNET, up) == 1
    service = Service.objects.get()
    assert service.reachable
    assert service.probed_at is not None
    assert service.down_since is None


def test_the_time_of_the_first_failure_is_kept() -> None:
    since = timezone.now() - timedelta(hours=3)
    make_service("aurora", reachable=False, down_since=since, probed_at=since)
    health.probe_services(DEVNET, down)
    service = Service.objects.get()
    assert service.down_since == since
    assert service.probe_problem == "aurora.example cannot be reached."


def test_coming_back_ends_the_outage() -> None:
    since = timezone.now() - timedelta(hours=3)
    make_service("aurora", reachable=False, down_since=since, probed_at=since, probe_problem="x")
    health.probe_services(DEVNET, up)
    service = Service.objects.get()
    assert (service.reachable, service.down_since, service.probe_problem) == (True, None, "")


def test_nobody_is_asked_twice_in_a_minute() -> None:
    make_service("aurora")
    health.probe_services(DEVNET, up)
    assert health.probe_services(DEVNET, up) == 0


def test_removed_services_and_other_networks_are_not_asked() -> None:
    make_service("aurora", removed_at=timezone.now())
    make_service("borealis", network="testnet")
    assert health.probe_services(DEVNET, up) == 0
