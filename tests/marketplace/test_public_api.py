"""The read API as a program meets it: every answer fits the document that describes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from jsonschema import Draft202012Validator, FormatChecker
from pytest_django import DjangoAssertNumQueries

from marketplace import api_views, model_rows, openapi
from marketplace.models import Measured, Reported, Service
from tests.marketplace.factories import address, make_service, make_state
from zgcompute.model_cards import parse_cards

pytestmark = pytest.mark.django_db
API = "/api/v1"


@pytest.fixture(autouse=True)
def nobody_has_asked() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def get(client: Client, path: str, shape: str, status: int = 200) -> Any:
    """Ask, and hold the answer against the schema called `shape`."""
    response = client.get(API + path)
    assert response.status_code == status
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    found = json.loads(response.content)
    root = {"$ref": f"#/components/schemas/{shape}", "components": {"schemas": openapi.schemas()}}
    Draft202012Validator(root, format_checker=FormatChecker()).validate(found)
    return found


def hub() -> Service:
    service = make_service("hub", additional_info='{"MultiModel":true}')
    models = [
        {"id": "small", "pricing": {"prompt": "1", "completion": "2"}, "context_length": 8},
        {"id": "aurora-chat", "pricing": {"prompt": "3", "completion": "4"}},
    ]
    cards = parse_cards(json.dumps({"data": models}).encode())
    model_rows.keep({service.pk: cards}, timezone.now())
    return service


def test_networks_say_how_fresh_they_are(client: Client) -> None:
    make_state()
    make_service("aurora")
    devnet, testnet = get(client, "/networks", "Networks")["data"]
    assert (devnet["id"], devnet["services"], devnet["block_number"]) == ("devnet", 1, 1234)
    assert (testnet["services"], testnet["services_read_at"]) == (0, None)


def test_models_have_the_endpoints_of_all_their_providers(client: Client) -> None:
    make_state()
    make_service("aurora")
    hub()
    make_service("prisma", service_type="text-to-image", input_price=0, output_price=5 * 10**15)
    make_service("odd", service_type="fortune-telling")
    found = get(client, "/devnet/models", "Models")
    models = {model["id"]: model for model in found["data"]}
    assert list(models) == ["aurora-chat", "small", "prisma-chat", "odd-chat"]
    both = models["aurora-chat"]
    assert [e["provider"] for e in both["endpoints"]] == [address("aurora"), address("hub")]
    assert both["pricing"]["neuron"] == {"prompt": "3", "completion": "4"}
    assert both["pricing"]["prompt"] == "0.000000000000000003"
    assert models["small"]["context_length"] == 8
    assert models["prisma-chat"]["pricing"]["image"] == "0.005"
    assert set(models["odd-chat"]["pricing"]["neuron"]) == {"input", "output"}


def test_the_search_of_the_catalog_works_here_too(client: Client) -> None:
    make_service("aurora")
    make_service("tls", verifiability="TeeTLS")
    assert get(client, "/devnet/models?proof=TeeTLS", "Models")["total"] == 1
    page = get(client, "/devnet/models?limit=1&offset=1", "Models")
    assert (page["total"], len(page["data"])) == (2, 1)


def test_health_is_what_was_measured_or_null(client: Client) -> None:
    service = make_service("aurora", reachable=True, probed_at=timezone.now())
    path = f"/devnet/providers/{service.provider}"
    before = get(client, path, "Provider")["models"][0]["endpoints"][0]["health"]
    assert (before["reachable"], before["uptime_24h_percent"]) == (True, None)
    Measured.objects.create(
        service=service, refreshed_at=timezone.now(), uptime_day=9_905, latency_p50=12
    )
    after = get(client, path, "Provider")["models"][0]["endpoints"][0]["health"]
    assert (after["uptime_24h_percent"], after["latency_ms_p50"]) == ("99.05", 12)


def test_what_is_reported_is_apart_from_what_was_measured(client: Client) -> None:
    service = make_service("aurora")
    path = f"/devnet/providers/{service.provider}"
    before = get(client, path, "Provider")["models"][0]["endpoints"][0]["health"]
    assert before["reported"] is None
    now = timezone.now()
    Reported.objects.create(
        service=service, model="m", status="healthy", uptime=9_951, checks_total=5, read_at=now
    )
    after = get(client, path, "Provider")["models"][0]["endpoints"][0]["health"]
    reported = after.pop("reported")
    assert (reported["status"], reported["uptime_percent"]) == ("healthy", "99.51")
    assert (reported["checked_at"], reported["first_token_ms"]) == (None, None)
    assert after == {key: value for key, value in before.items() if key != "reported"}
    listed = get(client, "/devnet/models", "Models")["data"][0]["endpoints"][0]
    assert listed["health"]["reported"] == reported


def test_details_say_whose_they_are(client: Client) -> None:
    service = make_service("aurora")
    path, now = f"/devnet/providers/{service.provider}", timezone.now()
    assert get(client, path, "Provider")["models"][0]["details_source"] is None
    cards = parse_cards(b'{"data":[{"id":"aurora-chat","context_length":8}]}')
    model_rows.fill_in({service.pk: cards}, now)
    model = get(client, path, "Provider")["models"][0]
    assert (model["context_length"], model["details_source"]) == (8, "network_status")
    model_rows.keep({service.pk: cards}, now)
    assert get(client, path, "Provider")["models"][0]["details_source"] == "provider"


def test_what_must_not_be_called_has_no_url(client: Client) -> None:
    make_service("evil", network="testnet", url="https://169.254.169.254/")
    model = get(client, "/testnet/models", "Models")["data"][0]
    assert model["endpoints"][0]["url"] is None
    assert not model["endpoints"][0]["is_open"]
    assert model["endpoints"][0]["url_problem"]


def test_a_removed_provider_is_still_found(client: Client) -> None:
    make_service("gone", removed_at=timezone.now())
    assert not get(client, f"/devnet/providers/{address('gone')}", "Provider")["is_registered"]
    assert get(client, "/devnet/models", "Models")["total"] == 0


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nowhere/models", 404),
        ("/devnet/providers/0x12", 404),
        ("/nothing", 404),
        ("/devnet/models?limit=-1", 400),
        ("/devnet/models?limit=1001", 400),
        ("/devnet/models?offset=٣", 400),
    ],
)
def test_refusals_are_json_with_a_remedy(client: Client, path: str, status: int) -> None:
    error = get(client, path, "Error", status)["error"]
    assert error["code"] == status
    assert error["remedy"]


def test_nothing_can_be_written() -> None:
    response = Client(enforce_csrf_checks=True).post(f"{API}/networks")
    assert response.status_code == 405
    assert "only reads" in response.json()["error"]["message"]
    assert response.headers["Allow"] == "GET, HEAD, OPTIONS"


def test_what_is_still_current_is_not_sent_again(client: Client) -> None:
    make_service("aurora")
    first = client.get(f"{API}/devnet/models")
    assert "max-age" in first.headers["Cache-Control"]
    etag = first.headers["ETag"]
    again = client.get(f"{API}/devnet/models", headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["Access-Control-Allow-Origin"] == "*"
    Service.objects.update(output_price=1)
    fresh = client.get(f"{API}/devnet/models", headers={"If-None-Match": etag})
    assert fresh.status_code == 200


def test_browsers_of_other_origins_may_ask(client: Client) -> None:
    response = client.options(f"{API}/networks")
    assert response.status_code == 204
    assert "If-None-Match" in response.headers["Access-Control-Allow-Headers"]


def test_too_many_requests_are_told_when_to_return(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_views, "PER_MINUTE", 2)
    assert client.get(f"{API}/networks").headers["X-RateLimit-Remaining"] == "1"
    client.get(f"{API}/networks")
    response = client.get(f"{API}/networks")
    if response.status_code == 200:  # a new minute began in between
        client.get(f"{API}/networks")
        response = client.get(f"{API}/networks")
    assert response.status_code == 429
    assert 0 < int(response.headers["Retry-After"]) <= 60
    other = client.get(f"{API}/networks", REMOTE_ADDR="192.0.2.7")
    assert other.status_code == 200


def test_no_visitor_is_followed(client: Client) -> None:
    response = client.get(f"{API}/networks")
    assert not response.cookies
    assert "Cookie" not in response.headers.get("Vary", "")


def test_queries_do_not_grow_with_the_services(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for n in range(30):
        make_service(f"p{n}")
    with django_assert_max_num_queries(3):
        client.get(f"{API}/devnet/models")


class TestDocument:
    def document(self, client: Client) -> Any:
        return client.get(f"{API}/openapi.json").json()

    def test_its_schemas_are_schemas_and_every_reference_leads_somewhere(
        self, client: Client
    ) -> None:
        document = self.document(client)
        for schema in document["components"]["schemas"].values():
            Draft202012Validator.check_schema(schema)
        names = set(document["components"]["schemas"])
        references = set(_references(document))
        assert references == {f"#/components/schemas/{name}" for name in names}

    def test_every_path_is_served_and_has_its_parameters(self, client: Client) -> None:
        make_service("aurora")
        document = self.document(client)
        assert document["openapi"].startswith("3.1")
        operations = [path["get"]["operationId"] for path in document["paths"].values()]
        assert len(set(operations)) == len(operations)
        for path, methods in document["paths"].items():
            names = {p["name"] for p in methods["get"]["parameters"] if p["in"] == "path"}
            assert names == {part[1:-1] for part in path.split("/") if part.startswith("{")}
            url = path.format(network="devnet", address=address("aurora"))
            assert client.get(API + url).status_code == 200

    def test_it_states_the_limits(self, client: Client) -> None:
        assert "120 requests per minute" in self.document(client)["info"]["description"]


def _references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _references(part)
