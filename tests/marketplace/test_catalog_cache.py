"""Entries are printed once for many readers, and again as soon as they may have changed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from marketplace.models import Measured, NetworkState, Service
from tests.marketplace.factories import make_service, make_state

pytestmark = pytest.mark.django_db


def html(client: Client, query: str = "") -> str:
    return client.get(f"/devnet/{query}").content.decode()


def test_a_second_reader_costs_two_queries(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    make_state()
    make_service("aurora")
    first = html(client)
    with django_assert_max_num_queries(2):
        assert "aurora-chat" in html(client)
    assert "aurora-chat" in first


def test_a_look_at_the_chain_shows_at_once(client: Client) -> None:
    state = make_state()
    make_service("aurora")
    html(client)
    Service.objects.update(model="borealis")
    state.record_services(timezone.now())
    assert "borealis" in html(client)


def test_probes_and_figures_show_at_once(client: Client) -> None:
    now = timezone.now()
    make_state()
    service = make_service("aurora", reachable=True, probed_at=now, latency_ms=5)
    assert "Reachable, 5 ms" in html(client)
    later = now + timedelta(seconds=50)
    Service.objects.update(probed_at=later, reachable=False, down_since=later)
    assert "Down since" in html(client)
    Measured.objects.create(
        service=service, refreshed_at=later + timedelta(seconds=1), uptime_day=9_750
    )
    assert "97.5 %" in html(client)


def test_each_network_and_search_has_its_own(client: Client) -> None:
    state = make_state()
    NetworkState.objects.create(
        network="testnet", seen_at=state.seen_at, services_at=state.services_at
    )
    make_service("aurora")
    make_service("prisma", network="testnet")
    assert "prisma-chat" not in html(client)
    assert "prisma-chat" in client.get("/testnet/").content.decode()
    assert "<table" in html(client, "?view=table")
    assert "<table" not in html(client)
