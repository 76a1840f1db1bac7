"""Models as providers list them: kept, shown, filtered, and never trusted with a price."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from marketplace import health, model_rows
from marketplace.models import ModelRow, Service
from marketplace.offers import offers
from marketplace.search import Search
from tests.marketplace.factories import make_service, make_state
from zgcompute.model_cards import ModelCard, parse_cards
from zgcompute.networks import DEVNET
from zgcompute.testing import FakeProvider, Fault

pytestmark = pytest.mark.django_db
MULTI = '{"MultiModel":true}'


def cards(*listed: dict[str, Any]) -> tuple[ModelCard, ...]:
    return parse_cards(json.dumps({"data": listed}).encode())


def listed(service: Service, *models: dict[str, Any]) -> Service:
    model_rows.keep({service.pk: cards(*models)}, timezone.now())
    return Service.objects.get(pk=service.pk)


def priced(model: str, prompt: int, completion: int, **more: Any) -> dict[str, Any]:
    return {"id": model, "pricing": {"prompt": str(prompt), "completion": str(completion)}, **more}


def test_a_probe_keeps_what_the_provider_lists() -> None:
    make_service("aurora")
    health.probe_services(DEVNET, FakeProvider)
    row = ModelRow.objects.get()
    assert row.model_id == "aurora-chat"
    assert row.prompt_price == 400_000_000_000


def test_a_provider_that_is_down_keeps_its_last_list() -> None:
    service = listed(make_service("aurora"), {"id": "a"})
    health.probe_services(DEVNET, lambda s: FakeProvider(s, fault=Fault.UNREACHABLE))
    assert [row.model_id for row in service.model_rows.all()] == ["a"]


def test_an_unchanged_list_is_not_written_again() -> None:
    service = listed(make_service("aurora"), {"id": "a", "context_length": 8})
    key = ModelRow.objects.get().pk
    listed(service, {"id": "a", "context_length": 8})
    assert ModelRow.objects.get().pk == key
    listed(service, {"id": "a", "context_length": 9})
    assert ModelRow.objects.get().context_length == 9


def test_endless_lists_are_cut() -> None:
    service = listed(make_service("aurora"), *({"id": f"m{n}"} for n in range(500)))
    assert service.model_rows.count() == model_rows.MOST


@pytest.mark.parametrize(
    ("models", "found"),
    [
        ([{"id": "x"}, {"id": "aurora-chat"}], "aurora-chat"),
        ([{"id": "x"}, {"id": "y", "canonical_id": "aurora-chat"}], "y"),
        ([{"id": "x"}], "x"),
        ([{"id": "x"}, {"id": "y"}], None),
        ([], None),
    ],
)
def test_the_card_of_a_single_model(models: list[dict[str, Any]], found: str | None) -> None:
    row = model_rows.of_service(listed(make_service("aurora"), *models))
    assert (row.model_id if row else None) == found


class TestPrices:
    def amounts(self, service: Service) -> dict[str, list[int]]:
        return {
            offer.name: [price.base for price in offer.price_list.prices]
            for offer in offers(service)
        }

    def test_a_single_models_card_changes_no_price(self) -> None:
        service = listed(make_service("aurora"), priced("aurora-chat", 1, 1))
        assert self.amounts(service) == {"aurora-chat": [400_000_000_000, 1_600_000_000_000]}

    def test_each_of_several_models_has_its_own(self) -> None:
        service = make_service("hub", additional_info=MULTI)
        listed(service, priced("small", 1, 2), priced("big", 400_000_000_000, 9))
        assert self.amounts(service) == {"small": [1, 2], "big": [400_000_000_000, 9]}
        assert not any(offer.price_list.is_maximum for offer in offers(service))

    @pytest.mark.parametrize(
        "model", [{"id": "m"}, priced("m", 10**30, 1), {"id": "m", "pricing": "free"}]
    )
    def test_unusable_prices_leave_the_chains_highest(self, model: dict[str, Any]) -> None:
        service = listed(make_service("hub", additional_info=MULTI), model)
        assert self.amounts(service) == {"m": [400_000_000_000, 1_600_000_000_000]}
        assert offers(service)[0].price_list.is_maximum

    def test_images_have_a_price_of_their_own(self) -> None:
        image = {"id": "i", "pricing": {"prompt": "0", "completion": "0", "image": "7"}}
        service = make_service("hub", service_type="text-to-image", additional_info=MULTI)
        assert self.amounts(listed(service, image)) == {"i": [7]}

    def test_tiers_and_cache_of_one_of_several_models(self) -> None:
        tier = {"max_input_tokens": 100, "input_multiplier": 3, "output_multiplier": 1}
        model = priced("m", 8, 9, tiered_pricing=[tier], cache_token_billing={"divisor": 4})
        offer = offers(listed(make_service("hub", additional_info=MULTI), model))[0]
        assert offer.price_list.tiers[0].input == 24 * 10**6
        assert offer.price_list.cached_input == 2 * 10**6


class TestPages:
    @pytest.fixture(autouse=True)
    def state(self) -> None:
        make_state()

    def html(self, client: Client, url: str) -> str:
        response = client.get(url)
        assert response.status_code == 200
        return response.content.decode()

    def test_the_catalog_has_an_entry_for_each_model(self, client: Client) -> None:
        service = make_service("hub", additional_info=MULTI)
        listed(service, priced("small-one", 10**6, 1, context_length=32_768), {"id": "big-one"})
        for url in ("/devnet/", "/devnet/?view=table"):
            html = self.html(client, url)
            assert "small-one" in html
            assert "big-one" in html
            assert "32,768 tokens of context" in html
        only = self.html(client, "/devnet/?q=small-one")
        assert "small-one" in only
        assert "big-one" not in only

    def test_each_model_leads_to_where_it_can_be_asked(self, client: Client) -> None:
        kind = "text-to-image"
        hub = make_service("hub", service_type=kind, additional_info=MULTI)
        listed(hub, {"id": "a/b&c", "type": kind}, {"id": "talker", "type": "chatbot"})
        html = self.html(client, "/devnet/")
        assert f"/devnet/images/?provider={hub.provider}&amp;model=a%2Fb%26c" in html
        assert "model=talker" not in html

    def test_the_provider_page_shows_what_is_listed(self, client: Client) -> None:
        model = {
            "id": "aurora-chat",
            "name": "Aurora <b>",
            "description": "Says \u202ehello",
            "context_length": 8_192,
            "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"]},
            "supported_parameters": ["temperature", "<script>"],
            "expiration_date": "2027-01-01",
        }
        service = listed(make_service("aurora"), model)
        html = self.html(client, service.get_absolute_url())
        for text in ("Aurora &lt;b&gt;", "8,192", "text, image → text", "2027-01-01"):
            assert text in html
        assert "&lt;script&gt;" in html
        assert "\u202e" not in html

    def test_queries_stay_few(
        self, client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        for n in range(60):
            listed(make_service(f"p{n}"), {"id": f"p{n}-chat"})
        with django_assert_max_num_queries(5):
            client.get("/devnet/?q=p&up=&context=")


class TestFilters:
    def found(self, **wanted: str) -> list[str]:
        rows = Search(**wanted).narrow(Service.objects.listed())  # type: ignore[arg-type]
        return sorted(service.model for service in rows)

    @pytest.fixture(autouse=True)
    def services(self) -> None:
        now = timezone.now()
        aurora = make_service("aurora", reachable=True, probed_at=now)
        listed(aurora, {"id": "aurora-chat", "context_length": 40_000})
        listed(make_service("tls", verifiability="TeeTLS", output_price=10), {"id": "tls-chat"})
        make_service("plain", verifiability="", reachable=False, probed_at=now)
        make_service("prisma", service_type="text-to-image", output_price=10**15)

    def test_by_proof_health_and_context(self) -> None:
        assert self.found(proof="TeeTLS") == ["tls-chat"]
        assert self.found(proof="other") == ["plain-chat"]
        assert self.found(up="1") == ["aurora-chat"]
        assert self.found(context="32000") == ["aurora-chat"]
        assert self.found(context="128000") == []

    def test_by_price_in_the_unit_of_each_type(self) -> None:
        assert self.found(most="0.001") == ["prisma-chat", "tls-chat"]
        assert self.found(most="0.000999") == ["tls-chat"]
        assert self.found(least="1.6") == ["aurora-chat", "plain-chat"]
        assert self.found(least="1.6", most="1.599999999999999999") == []

    def test_the_form_shows_the_filters_of_the_url(self, client: Client) -> None:
        make_state()
        html = client.get(
            "/devnet/?proof=TeeTLS&most=0.5&least=x&up=1&context=8000"
        ).content.decode()
        assert '<option value="TeeTLS" selected>' in html
        assert 'name="most" value="0.5"' in html
        assert 'name="least" value=""' in html
        assert 'name="up" value="1" checked' in html
        assert 'class="filters" open' in html
        assert "Nothing matches" in html
        assert 'href=".">Clear filters' in html

    @pytest.mark.parametrize("sort", ["speed", "uptime"])
    def test_what_was_never_measured_comes_last(self, sort: str) -> None:
        from marketplace.models import Measured

        for name, figure in (("tls-chat", 5), ("plain-chat", 9)):
            Measured.objects.create(
                service=Service.objects.get(model=name),
                refreshed_at=timezone.now(),
                uptime_day=figure,
                tokens_per_second_p50=figure,
            )
        rows = Search(sort=sort, type="chatbot").narrow(Service.objects.listed())
        assert [row.model for row in rows] == ["plain-chat", "tls-chat", "aurora-chat"]
