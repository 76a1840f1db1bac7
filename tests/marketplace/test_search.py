from __future__ import annotations

from typing import Any

import pytest
from django.http import QueryDict

from marketplace.models import Service
from marketplace.search import MOST, PAGE, Search
from tests.marketplace.factories import address, make_service


def found(**wanted: Any) -> list[str]:
    return [service.model for service in Search(**wanted).narrow(Service.objects.listed())]


def test_an_empty_query_is_the_default_state() -> None:
    assert Search.read(QueryDict("")) == Search()
    assert Search().link() == "."


def test_the_url_says_the_state_and_back() -> None:
    search = Search(q="gpt & co", type="chatbot", sort="price", view="table", show=96)
    assert Search.read(QueryDict(search.link()[1:])) == search


@pytest.mark.parametrize(
    "query", ["sort=evil", "type=evil", "view=evil", "show=evil", "show=-1", "show=٣", "show=1e9"]
)
def test_what_makes_no_sense_counts_as_not_said(query: str) -> None:
    assert Search.read(QueryDict(query)) == Search()


def test_nobody_gets_more_than_the_most() -> None:
    assert Search.read(QueryDict("show=99999")).show == MOST
    assert Search.read(QueryDict("show=1")).show == PAGE


def test_control_characters_and_length_are_taken_out_of_the_text() -> None:
    assert Search.read(QueryDict("q=a%00b%E2%80%AEc")).q == "abc"
    assert len(Search.read(QueryDict("q=" + "x" * 5_000)).q) == 100


@pytest.mark.django_db
class TestNarrow:
    def test_every_word_must_be_found_somewhere(self) -> None:
        make_service("aurora", model="openai/gpt-oss")
        make_service("cumulus", model="qwen", verifiability="TeeTLS")
        assert found(q="GPT teeml") == ["openai/gpt-oss"]
        assert found(q="gpt teetls") == []
        assert found(q=address("cumulus")[:12]) == ["qwen"]

    def test_wildcards_are_ordinary_characters(self) -> None:
        make_service("aurora", model="plain")
        assert found(q="%") == []
        assert found(q="_") == []

    def test_a_type_narrows_and_other_means_the_unnamed(self) -> None:
        make_service("aurora", model="chat")
        make_service("prisma", model="image", service_type="text-to-image")
        make_service("odd", model="odd", service_type="zgStorage")
        assert found(type="text-to-image") == ["image"]
        assert found(type="other") == ["odd"]

    def test_names_are_in_order_whatever_their_case(self) -> None:
        for model in ("beta", "Alpha", "gamma"):
            make_service(model, model=model)
        assert found() == ["Alpha", "beta", "gamma"]

    def test_services_not_open_come_last_in_their_type(self) -> None:
        make_service("a", model="a", tee_signer_acknowledged=False)
        make_service("b", model="b")
        make_service("c", model="c", service_type="text-to-image")
        assert found() == ["b", "a", "c"]

    def test_cheap_ones_come_first_beyond_the_reach_of_machine_integers(self) -> None:
        for model, price in (("dear", 10**30), ("free", 0), ("middle", 9 * 10**29)):
            make_service(model, model=model, output_price=price)
        assert found(sort="price") == ["free", "middle", "dear"]

    def test_speech_is_compared_by_its_price_per_second(self) -> None:
        speech = {"service_type": "speech-to-text"}
        make_service("dear", model="dear", input_price=9, output_price=0, **speech)
        make_service("cheap", model="cheap", input_price=1, output_price=5, **speech)
        assert found(sort="price") == ["cheap", "dear"]

    def test_the_newest_come_first(self) -> None:
        for model in ("old", "new"):
            make_service(model, model=model)
        assert found(sort="newest") == ["new", "old"]
