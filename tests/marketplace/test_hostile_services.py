"""Services registered on a real chain by somebody who wishes us ill: shown, and harmless."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from devnet import accounts
from devnet.deploy import INFERENCE, ServiceOffer, register_services
from devnet.node import Node
from devnet.testing import Devnet
from marketplace import catalog, health, model_names, model_rows
from marketplace.models import Service
from zgcompute._chain import RpcChain
from zgcompute._codec import inference_interface
from zgcompute.model_cards import parse_cards

pytestmark = [pytest.mark.chain, pytest.mark.django_db]

SCRIPT = "<script>alert(1)</script>"
BREAKOUT = "\"'><img src=x onerror=alert(1)><svg onload=alert(1)>"
BIDI = "safe\u202eelbisrever\u202c\u2066x\u2069\u200f"
HUGE = "W" * 4_096
TEMPLATE = "{{ settings.SECRET_KEY }}{% load x %}${7*7}"
FIRST = 13  # accounts that no other test registers
# model, service type, URL, verifiability, additional information
FIELDS = [
    (SCRIPT, SCRIPT, "javascript:alert(1)", SCRIPT, SCRIPT),
    (BREAKOUT, BREAKOUT, 'https://x.example/"onmouseover="alert(1)', BREAKOUT, BREAKOUT),
    (BIDI, BIDI, "https://evil.example/\u202egpj.exe", BIDI, json.dumps({"n": BIDI})),
    (HUGE, "w" * 300, "https://" + "h" * 1_000 + ".example", "v" * 300, "[" * 4_000),
    (TEMPLATE, "chatbot", "data:text/html,<script>alert(1)</script>", "TeeML", '{"TEEVerifier":'),
    (
        "nul\x00 \x1b[31m\r\n",
        "chatbot",
        "https://user:secret@127.0.0.1/",
        "",
        '{"MultiModel":true,"tieredPricing":{"tiers":[{"maxInputTokens":-1,"inputMultiplier":'
        '"x"}]},"cacheTokenBilling":{"divisor":0}}',
    ),
]
CARD = {
    "id": SCRIPT,
    "name": BREAKOUT + BIDI,
    "description": SCRIPT + HUGE,
    "context_length": 10**30,
    "architecture": {"input_modalities": [SCRIPT, BIDI], "output_modalities": "text"},
    "supported_parameters": [BREAKOUT, 7, None],
    "expiration_date": BIDI,
    "pricing": {"prompt": "-1", "completion": [], "tiered_pricing": "x"},
}


class Tags(HTMLParser):
    """Every element of a page with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.fixture
def hostile(devnet: Devnet) -> Iterator[list[Service]]:
    """The services as mirrored, each with a hostile list of models; off the chain afterwards."""
    cache.clear()
    providers = [accounts.account(FIRST + n).address for n in range(len(FIELDS))]
    offers = [
        ServiceOffer(provider, kind, url, model, proof, 2**255, 2**200, info, provider)
        for provider, (model, kind, url, proof, info) in zip(providers, FIELDS, strict=True)
    ]
    node = Node(devnet.rpc_url)
    try:
        register_services(devnet.rpc_url, offers)
        assert catalog.sync(RpcChain(devnet.network), "devnet") is not None
        services = list(Service.objects.filter(provider__in=providers))
        cards = parse_cards(json.dumps({"data": [CARD, {"id": BIDI}]}).encode())
        model_rows.keep({service.pk: cards for service in services}, timezone.now())
        yield services
    finally:
        for provider in providers:
            exists = inference_interface().encode("serviceExists", provider)
            if int.from_bytes(node.read(INFERENCE, exists)):
                node.send(provider, INFERENCE, inference_interface().encode("removeService"))
        cache.clear()


def test_every_page_shows_them_harmlessly(
    hostile: list[Service], devnet: Devnet, client: Client
) -> None:
    assert len(hostile) == len(FIELDS)
    everyone = "&".join(f"provider={service.provider}" for service in hostile[:4])
    urls = [
        "/devnet/",
        "/devnet/?view=table",
        "/devnet/?q=%3Cscript%3E",
        f"/devnet/compare/?{everyone}",
        *(service.get_absolute_url() for service in hostile),
        *(model_names.url("devnet", service.model) for service in hostile),
        model_names.url("devnet", SCRIPT),
    ]
    for url in urls:
        response = client.get(url)
        assert response.status_code == 200, url
        _assert_harmless(response.content.decode(), url)


def test_a_change_to_something_hostile_is_shown_harmlessly(
    hostile: list[Service], devnet: Devnet, client: Client
) -> None:
    service = hostile[0]
    Service.objects.filter(pk=service.pk).update(model="before", url="https://before.example")
    catalog.sync(RpcChain(devnet.network), "devnet")
    html = client.get(service.get_absolute_url()).content.decode()
    assert "before" in html
    _assert_harmless(html, "changes")


def test_programs_get_them_as_data(hostile: list[Service], devnet: Devnet, client: Client) -> None:
    found = client.get("/api/v1/devnet/models").json()
    assert SCRIPT in [model["id"] for model in found["data"]]
    for service in hostile:
        response = client.get(f"/api/v1/devnet/providers/{service.provider}")
        assert response.headers["Content-Type"] == "application/json"
        assert response.json()["provider"] == service.provider


def test_none_of_them_stops_a_round_of_probes(hostile: list[Service], devnet: Devnet) -> None:
    Service.objects.exclude(pk__in=[service.pk for service in hostile]).update(
        probed_at=timezone.now()
    )
    assert health.probe_services(devnet.network) == len(FIELDS)
    assert not Service.objects.filter(pk__in=[s.pk for s in hostile], reachable=True).exists()


def _assert_harmless(html: str, url: str) -> None:
    for tag, attributes in Tags(html).found:
        assert tag != "img" or attributes.get("src") != "x", (url, attributes)
        assert tag not in {"iframe", "object", "embed", "base", "style"}, (url, tag)
        assert not any(name.startswith("on") for name in attributes), (url, attributes)
        if tag == "script":
            assert (attributes.get("src") or "").startswith("/static/"), (url, attributes)
        for name in ("href", "src", "action", "hx-get"):
            scheme = urlsplit(attributes.get(name) or "").scheme
            assert scheme in ("", "http", "https"), (url, attributes)
    assert not set(html) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200f\x00")
    assert "W" * 700 not in html, url
    assert SCRIPT not in html, url
