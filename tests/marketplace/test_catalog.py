from __future__ import annotations

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from marketplace import catalog, storable
from marketplace.models import NetworkState, Service
from tests.marketplace.factories import address, make_service
from zgcompute.testing import FakeChain, fake_service

pytestmark = pytest.mark.django_db


@pytest.fixture
def chain() -> FakeChain:
    return FakeChain()


def register(chain: FakeChain, name: str, **changes: object) -> None:
    chain.register(fake_service(provider=address(name), **changes))


def test_a_first_look_lists_every_service(chain: FakeChain) -> None:
    register(chain, "aurora")
    register(chain, "borealis")
    assert catalog.sync(chain, "devnet") == catalog.Changes(2, 0, 0, 0)
    assert Service.objects.on("devnet").listed().count() == 2
    assert NetworkState.of("devnet").services_at is not None


def test_a_row_gives_back_the_service_that_was_read(chain: FakeChain) -> None:
    register(chain, "aurora")
    catalog.sync(chain, "devnet")
    assert Service.objects.get().snapshot() == chain.services()[0]


def test_an_unchanged_service_is_only_seen_again(chain: FakeChain) -> None:
    register(chain, "aurora")
    catalog.sync(chain, "devnet")
    first = Service.objects.get()
    assert catalog.sync(chain, "devnet") == catalog.Changes(0, 0, 0, 0)
    again = Service.objects.get()
    assert again.seen_at > first.seen_at
    assert again.first_seen_at == first.first_seen_at


def test_a_new_price_is_taken_over(chain: FakeChain) -> None:
    register(chain, "aurora")
    catalog.sync(chain, "devnet")
    register(chain, "aurora", input_price=7)
    assert catalog.sync(chain, "devnet") == catalog.Changes(0, 1, 0, 0)
    assert Service.objects.get().input_price == 7


def test_a_service_that_is_gone_is_marked_and_kept(chain: FakeChain) -> None:
    register(chain, "aurora")
    catalog.sync(chain, "devnet")
    chain.withdraw_service(address("aurora"))
    assert catalog.sync(chain, "devnet") == catalog.Changes(0, 0, 0, 1)
    assert Service.objects.get().removed_at is not None
    assert catalog.sync(chain, "devnet") == catalog.Changes(0, 0, 0, 0)


def test_a_service_that_comes_back_is_the_same_row(chain: FakeChain) -> None:
    make_service("aurora", removed_at=timezone.now())
    register(chain, "aurora")
    changes = catalog.sync(chain, "devnet")
    assert changes is not None
    assert changes.returned == 1
    assert Service.objects.get().removed_at is None


def test_a_failed_read_removes_nothing_and_is_remembered(chain: FakeChain) -> None:
    make_service("aurora")
    chain.down = True
    assert catalog.sync(chain, "devnet") is None
    assert Service.objects.listed().count() == 1
    state = NetworkState.of("devnet")
    assert state.services_problem
    assert state.services_at is None


def test_the_next_good_read_forgets_the_problem(chain: FakeChain) -> None:
    chain.down = True
    catalog.sync(chain, "devnet")
    chain.down = False
    catalog.sync(chain, "devnet")
    assert NetworkState.of("devnet").services_problem == ""


def test_other_networks_are_left_alone(chain: FakeChain) -> None:
    make_service("aurora", network="testnet")
    catalog.sync(chain, "devnet")
    assert Service.objects.on("testnet").listed().count() == 1


def test_a_moved_service_has_not_been_probed_at_its_new_place(chain: FakeChain) -> None:
    make_service("aurora", reachable=True, probed_at=timezone.now(), latency_ms=4)
    register(chain, "aurora", url="https://elsewhere.example")
    catalog.sync(chain, "devnet")
    service = Service.objects.get()
    assert (service.reachable, service.probed_at, service.latency_ms) == (None, None, None)


def test_hostile_text_is_cut_to_what_the_database_holds(chain: FakeChain) -> None:
    register(
        chain,
        "mallory",
        service_type="t" * 5_000,
        model="nul\0 half \ud800 " + "m" * 5_000,
        verifiability="v" * 5_000,
        url="https://x.example/" + "u" * 90_000,
        additional_info="{" * 90_000,
        input_price=2**256 - 1,
    )
    catalog.sync(chain, "devnet")
    service = Service.objects.get()
    assert service.model.startswith("nul half ?")
    assert len(service.model) == 300
    assert (len(service.service_type), len(service.verifiability)) == (100, 100)
    assert (len(service.url), len(service.additional_info)) == (
        storable.MAX_URL,
        storable.MAX_ADDITIONAL_INFO,
    )
    assert service.input_price == 2**256 - 1


def test_a_time_beyond_all_calendars_is_kept_within_them() -> None:
    assert make_service(updated_at=2**63 - 1).updated.year == 9999


def test_a_thousand_services_take_a_bounded_number_of_queries(
    chain: FakeChain, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(300):
        register(chain, f"p{number}")
    catalog.sync(chain, "devnet")
    with django_assert_max_num_queries(12):
        catalog.sync(chain, "devnet")
