"""What events tell about listings, beside what looks at the catalog see."""

from __future__ import annotations

from itertools import permutations

import pytest

from marketplace import catalog, indexing
from marketplace.models import NetworkState, ServiceChange, ServiceEvent
from marketplace.service_events import ServiceReader
from tests.marketplace.factories import address
from zgcompute.networks import DEVNET
from zgcompute.testing import FakeChain, fake_service

pytestmark = pytest.mark.django_db

AURORA = address("aurora")


@pytest.fixture
def chain() -> FakeChain:
    made = FakeChain(DEVNET)
    register(made, input_price=5)
    catalog.sync(made, "devnet")
    return made


def register(chain: FakeChain, **changes: object) -> int:
    """Change the listing; return the block that did."""
    chain.register(fake_service(provider=AURORA, **changes))
    return chain.block_number()


def read(chain: FakeChain) -> None:
    indexing.follow(chain, DEVNET, chain.block(), [ServiceReader()])
    indexing.read_new(chain, DEVNET, chain.block_number(), [ServiceReader()])


def look(chain: FakeChain) -> None:
    catalog.sync(chain, "devnet")


def changes() -> list[tuple[str, str, str, int | None]]:
    rows = ServiceChange.objects.order_by("block_number", "pk")
    return [(row.field, row.before, row.after, row.block_number) for row in rows]


def test_two_changes_between_two_looks_are_both_kept_with_their_blocks(chain: FakeChain) -> None:
    first, second = register(chain, input_price=7), register(chain, input_price=9)
    look(chain)
    assert changes() == [("input_price", "5", "9", None)]
    read(chain)
    assert changes() == [
        ("input_price", "5", "7", first),
        ("input_price", "7", "9", second),
    ]
    at = ServiceChange.objects.get(block_number=first).at
    assert at.timestamp() == chain.block(first).timestamp


def test_a_change_is_one_row_in_whichever_order_events_and_looks_come(chain: FakeChain) -> None:
    for price, order in enumerate(permutations([read, look, read, look], 4), start=10):
        register(chain, input_price=price)
        for step in order:
            step(chain)
        assert [row for row in changes() if row[2] == str(price)] == [
            ("input_price", row[1], str(price), chain.block_number())
            for row in changes()
            if row[2] == str(price)
        ]
        assert sum(row[2] == str(price) for row in changes()) == 1


def test_leaving_and_returning_are_told_with_their_blocks(chain: FakeChain) -> None:
    chain.withdraw_service(AURORA)
    left = chain.block_number()
    look(chain)
    returned = register(chain, input_price=5)
    look(chain)
    read(chain)
    assert changes() == [("listed", "yes", "no", left), ("listed", "no", "yes", returned)]


def test_what_only_a_look_can_see_stays(chain: FakeChain) -> None:
    register(chain, input_price=5, tee_signer=address("signer"))
    read(chain)
    look(chain)
    assert changes() == [("tee_signer", fake_service().tee_signer, address("signer"), None)]


def test_a_service_that_is_listed_later_finds_its_past(chain: FakeChain) -> None:
    ServiceEvent.objects.all().delete()
    chain.register(fake_service(provider=address("dusk"), input_price=1))
    chain.register(fake_service(provider=address("dusk"), input_price=2))
    read(chain)
    assert changes() == []
    look(chain)
    assert [row[:3] for row in changes()] == [("input_price", "1", "2")]


def test_replaced_blocks_take_their_changes_back(chain: FakeChain) -> None:
    read(chain)
    register(chain, input_price=7)
    read(chain)
    chain.reorganise(1)
    register(chain, input_price=8)
    read(chain)
    assert changes() == [("input_price", "5", "8", chain.block_number())]


def test_a_past_read_backwards_tells_the_same_as_one_read_forwards(
    chain: FakeChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    for price in (7, 9, 11, 13):
        register(chain, input_price=price)
    read(chain)
    forwards = changes()
    ServiceEvent.objects.all().delete()
    ServiceChange.objects.all().delete()
    monkeypatch.setattr(indexing, "BLOCKS_AT_ONCE", 2)
    NetworkState.objects.update(history_block=chain.block_number() + 1, history_start=0)
    while indexing.read_past(chain, DEVNET, [ServiceReader()]):
        pass
    assert changes() == forwards
    assert len(forwards) == 4
