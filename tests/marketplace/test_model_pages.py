"""The page of a model, and services side by side."""

from __future__ import annotations

import json

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from marketplace import model_names, model_rows
from marketplace.models import Service
from tests.marketplace.factories import address, make_service, make_state
from zgcompute.model_cards import parse_cards

pytestmark = pytest.mark.django_db

ODD = ["", " ", "a b", "..", "a/../b", "a//b", "a/", "/a", "~a", "ü", "a?b#c", "<b>", "x\ny", "%2f"]


def page(client: Client, url: str, status: int = 200) -> str:
    response = client.get(url)
    assert response.status_code == status
    return response.content.decode()


@pytest.mark.parametrize("name", ["gpt-4", "deepseek/r1:free", "Qwen2.5_7B@v1+x", *ODD, "m" * 300])
def test_every_name_has_a_url_of_its_own(client: Client, name: str) -> None:
    assert model_names.decode(model_names.encode(name)) == name
    make_state()
    make_service("aurora", model=name)
    assert address("aurora") in page(client, model_names.url("devnet", name))


def test_plain_names_stay_readable() -> None:
    assert model_names.url("devnet", "deepseek/r1") == "/devnet/models/deepseek/r1/"


@pytest.mark.parametrize("key", ["~", "~!!!", "~_w", "~YQ", "~YQ==", "a//b", "..", "ü"])
def test_a_model_has_one_url_only(client: Client, key: str) -> None:
    assert not model_names.decode(key)
    page(client, f"/devnet/models/{key}/", 404)


class TestModel:
    url = "/devnet/models/llama/"

    def test_shows_all_that_offer_it(self, client: Client) -> None:
        make_state()
        make_service("aurora", model="llama")
        hub = make_service("hub", model="other", additional_info='{"MultiModel":true}')
        cards = {"id": "llama", "pricing": {"prompt": "1", "completion": "2000000"}}
        model_rows.keep(
            {hub.pk: parse_cards(json.dumps({"data": [cards, {"id": "x"}]}).encode())},
            timezone.now(),
        )
        make_service("stranger", model="Llama")
        html = page(client, self.url)
        assert "2 providers on Devnet" in html
        assert html.count('class="entry"') == 2
        assert ">0.000000000002</data>" in html or ">0.000002</data>" in html
        assert 'name="provider"' in html

    def test_one_provider_alone_is_not_compared(self, client: Client) -> None:
        make_state()
        make_service("aurora", model="llama")
        assert 'name="provider"' not in page(client, self.url)

    def test_a_model_that_is_gone_says_so(self, client: Client) -> None:
        make_state()
        make_service("aurora", model="llama", removed_at=timezone.now())
        html = page(client, self.url)
        assert "Nobody offers this model any more" in html
        assert f"/devnet/providers/{address('aurora')}/" in html

    def test_what_nobody_ever_offered_is_not_found(self, client: Client) -> None:
        make_service("aurora", model="llama", network="testnet")
        page(client, self.url, 404)

    def test_an_unreachable_chain_is_said(self, client: Client) -> None:
        make_state().record_problem("No RPC node answered.")
        make_service("aurora", model="llama")
        assert "The chain cannot be reached; this page is from" in page(client, self.url)

    def test_the_provider_page_leads_here(self, client: Client) -> None:
        make_service("aurora", model="llama")
        assert f'href="{self.url}"' in page(client, Service.objects.get().get_absolute_url())

    def test_queries_stay_few(
        self, client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        for n in range(20):
            make_service(f"p{n}", model="llama")
        with django_assert_max_num_queries(3):
            page(client, self.url)


class TestCompare:
    def url(self, *names: str) -> str:
        return "/devnet/compare/?" + "&".join(f"provider={address(name)}" for name in names)

    def test_up_to_four_stand_side_by_side_in_the_order_asked_for(self, client: Client) -> None:
        make_state()
        for n in range(5):
            make_service(f"p{n}")
        html = page(client, self.url("p3", "p1", "p1", "p0", "p2", "p4"))
        assert html.count('<th scope="col">') == 4
        assert html.index("p3-chat") < html.index("p1-chat") < html.index("p0-chat")
        assert "Only the first 4 are shown; 1 more was asked for." in html

    def test_prices_of_different_units_have_rows_of_their_own(self, client: Client) -> None:
        make_state()
        make_service("aurora")
        make_service("prisma", service_type="text-to-image")
        html = page(client, self.url("aurora", "prisma"))
        assert "0G per 1M tokens" in html
        assert "0G per image" in html
        assert "Not enough measured yet" in html
        assert "Not stated" in html

    def test_chat_services_can_be_asked_side_by_side(self, client: Client) -> None:
        make_state()
        for name in ("aurora", "cumulus"):
            make_service(name)
        make_service("prisma", service_type="text-to-image")
        wanted = f"provider={address('cumulus')}&amp;provider={address('aurora')}"
        assert f"/devnet/chat/beside/?{wanted}" in page(client, self.url("cumulus", "aurora"))
        for others in (("aurora",), ("aurora", "prisma")):
            assert "/chat/beside/" not in page(client, self.url(*others))

    @pytest.mark.parametrize("query", ["", "?provider=", "?provider=nonsense"])
    def test_nothing_to_compare_teaches(self, client: Client, query: str) -> None:
        assert "Nothing to compare yet" in page(client, f"/devnet/compare/{query}")

    def test_unknown_ones_are_said(self, client: Client) -> None:
        make_service("aurora")
        assert "1 of the addresses asked for is not listed" in page(
            client, self.url("aurora", "stranger")
        )

    def test_the_catalog_offers_it(self, client: Client) -> None:
        make_state()
        make_service("aurora")
        make_service("borealis")
        for view in ("cards", "table"):
            html = page(client, f"/devnet/?view={view}")
            assert html.count('form="compare"') == 2
            assert 'action="/devnet/compare/"' in html

    def test_queries_stay_few(
        self, client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        for n in range(4):
            make_service(f"p{n}")
        with django_assert_max_num_queries(3):
            page(client, self.url("p0", "p1", "p2", "p3"))
