"""Changes of a listing, as each look at the chain finds them."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from marketplace import catalog, history
from marketplace.models import Service, ServiceChange
from tests.marketplace.factories import address, make_service
from zgcompute.testing import FakeChain, fake_service

pytestmark = pytest.mark.django_db


@pytest.fixture
def chain() -> FakeChain:
    return FakeChain()


def look(chain: FakeChain, **changes: object) -> list[tuple[str, str, str]]:
    """Register aurora with `changes`, look, and return all changes so far, newest first."""
    chain.register(fake_service(provider=address("aurora"), **changes))
    catalog.sync(chain, "devnet")
    return list(ServiceChange.objects.values_list("field", "before", "after"))


def test_a_first_look_and_an_unchanged_one_record_nothing(chain: FakeChain) -> None:
    assert look(chain) == []
    assert look(chain) == []


def test_every_changed_field_is_a_row_of_its_own(chain: FakeChain) -> None:
    look(chain, input_price=5, url="https://a.example")
    assert set(look(chain, input_price=7, url="https://b.example")) == {
        ("input_price", "5", "7"),
        ("url", "https://a.example", "https://b.example"),
    }


def test_leaving_and_returning_are_changes(chain: FakeChain) -> None:
    look(chain)
    chain.withdraw_service(address("aurora"))
    for _ in range(2):
        catalog.sync(chain, "devnet")
    assert ServiceChange.objects.get().after == "no"
    assert look(chain)[0] == ("listed", "no", "yes")


def test_a_failed_read_is_no_change(chain: FakeChain) -> None:
    look(chain)
    chain.down = True
    catalog.sync(chain, "devnet")
    assert not ServiceChange.objects.exists()


def test_acknowledgement_is_said_in_words(chain: FakeChain) -> None:
    make_service("dusk", tee_signer_acknowledged=False)
    found = history.changes(
        Service.objects.get(), {"tee_signer_acknowledged": True}, timezone.now()
    )
    assert (found[0].before, found[0].after) == ("no", "yes")


def test_a_restless_provider_fills_no_disk(
    chain: FakeChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MOST", 3)
    for price in range(6):
        look(chain, input_price=price)
    assert [after for _, _, after in look(chain, input_price=5)] == ["5", "4", "3"]
    look(chain, additional_info="x" * 30_000)
    assert len(ServiceChange.objects.first().after) == 2_000  # type: ignore[union-attr]


class TestPage:
    def html(self, client: Client) -> str:
        return client.get(Service.objects.get().get_absolute_url()).content.decode()

    def test_prices_are_in_the_unit_of_the_type(self, client: Client, chain: FakeChain) -> None:
        look(chain, input_price=10**12)
        look(chain, input_price=10**12 + 1)
        html = self.html(client)
        assert "<td>1 <span" in html
        assert "<td>1.000000000001 <span" in html
        assert "0G per 1M tokens" in html

    def test_hostile_values_stay_text(self, client: Client, chain: FakeChain) -> None:
        look(chain)
        look(chain, model="<script>alert(1)</script>\u202e")
        html = self.html(client)
        assert "<script>alert" not in html
        assert "\u202e" not in html

    def test_nothing_changed_is_said_so(self, client: Client) -> None:
        make_service("aurora")
        assert "Nothing in this listing has changed since" in self.html(client)
