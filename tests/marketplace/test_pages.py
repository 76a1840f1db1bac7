"""The catalog and provider pages, asked as a browser asks; the database is all they may read."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from marketplace.models import NetworkState
from tests.marketplace.factories import address, make_service, make_state

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def page(client: Client, url: str = "/devnet/", status: int = 200, **headers: str) -> str:
    response = client.get(url, headers=headers)
    assert response.status_code == status
    return response.content.decode()


def provider_url(name: str = "aurora", network: str = "devnet") -> str:
    return f"/{network}/providers/{address(name)}/"


class TestCatalog:
    def test_lists_services_with_price_unit_proof_and_health(self, client: Client) -> None:
        make_state()
        make_service("aurora")
        html = page(client)
        assert "aurora-chat" in html
        assert ">0.4</data>" in html
        assert "0G per 1M tokens" in html
        assert "Answers can be verified" in html
        assert "Not probed yet" in html
        assert f'href="{provider_url()}"' in html

    def test_offers_chat_for_open_chat_services_only(self, client: Client) -> None:
        make_state()
        make_service("aurora")
        make_service("dusk", tee_signer_acknowledged=False)
        make_service("prisma", service_type="text-to-image")
        make_service("gone", removed_at=timezone.now())
        html = page(client)
        assert f"/devnet/chat/?provider={address('aurora')}" in html
        assert html.count("/devnet/chat/?provider=") == 1
        assert "Not open for use: signer not acknowledged" in html
        assert "gone-chat" not in html

    @pytest.mark.parametrize(
        ("kind", "verb", "place"),
        [
            ("chatbot", "Chat", "chat"),
            ("text-to-image", "Generate", "images"),
            ("image-editing", "Edit", "images"),
            ("speech-to-text", "Transcribe", "speech"),
        ],
    )
    def test_catalog_and_provider_lead_to_where_it_is_used(
        self, client: Client, kind: str, verb: str, place: str
    ) -> None:
        make_state()
        make_service("aurora", service_type=kind)
        for html in (page(client), page(client, provider_url())):
            link = html.partition(f'href="/devnet/{place}/?provider={address("aurora")}"')[2]
            assert verb in link.partition("</a>")[0]

    def test_shows_health_in_words(self, client: Client) -> None:
        now = timezone.now()
        make_state()
        make_service("aurora", reachable=True, probed_at=now, latency_ms=42)
        make_service(
            "borealis", reachable=False, probed_at=now, down_since=now, probe_problem="No answer."
        )
        make_service("old", reachable=True, probed_at=now - timedelta(hours=2), latency_ms=1)
        html = page(client)
        assert "Reachable, 42 ms" in html
        assert "Down since" in html
        assert "No answer." in html
        assert "Not probed since" in html

    def test_marks_addresses_that_must_not_be_called(self, client: Client) -> None:
        make_state("testnet")
        make_service("plain", network="testnet", url="http://plain.example")
        html = page(client, "/testnet/")
        assert "Unsafe URL: The provider&#x27;s URL is not encrypted" in html
        assert "?provider=" not in html

    def test_private_addresses_are_fine_on_a_local_network(self, client: Client) -> None:
        make_state()
        make_service("aurora", url="http://127.0.0.1:8601")
        assert "Unsafe URL" not in page(client)

    def test_a_tiny_price_never_becomes_nothing(self, client: Client) -> None:
        make_state()
        make_service("tiny", input_price=1, output_price=2)
        html = page(client)
        assert ">0.000000000001</data>" in html

    def test_the_table_has_units_in_its_heads(self, client: Client) -> None:
        make_state()
        make_service("aurora")
        make_service("prisma", service_type="text-to-image")
        html = page(client, "/devnet/?view=table")
        assert html.count("<table") == 2
        assert "0G per image" in html

    def test_speech_services_with_and_without_a_transcript_price_share_a_table(
        self, client: Client
    ) -> None:
        make_state()
        make_service("echo", service_type="speech-to-text", output_price=0)
        make_service("canary", service_type="speech-to-text", output_price=5)
        assert "Transcript" in page(client, "/devnet/?view=table")

    def test_hostile_text_stays_text(self, client: Client) -> None:
        make_state()
        make_service(
            "mallory",
            model="<script>alert(1)</script>\u202eevil" + "W" * 200,
            service_type='"><img src=x onerror=alert(1)>',
            verifiability="<b>TeeML</b>",
            url="javascript:alert(1)",
        )
        for url in ("/devnet/", "/devnet/?view=table", provider_url("mallory")):
            html = page(client, url)
            assert "<script>alert" not in html
            assert "<img src=x" not in html
            assert "<b>TeeML" not in html
            assert 'href="javascript:' not in html
            assert "\u202e" not in html

    def test_more_is_shown_on_request(self, client: Client) -> None:
        make_state()
        for number in range(50):
            make_service(f"p{number}")
        first = page(client)
        assert first.count('class="entry"') == 48
        assert 'href="?show=96"' in first
        assert "48 of 50 shown" in first
        assert page(client, "/devnet/?show=96").count('class="entry"') == 50

    @pytest.mark.parametrize("query", ["", "?view=table", "?q=p&type=chatbot&sort=price"])
    def test_the_number_of_queries_does_not_grow(
        self, client: Client, query: str, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        make_state()
        for number in range(60):
            make_service(f"p{number}")
        with django_assert_max_num_queries(5):
            page(client, f"/devnet/{query}")


class TestUrlAsState:
    def test_the_form_shows_what_was_asked(self, client: Client) -> None:
        make_state()
        make_service("aurora")
        html = page(client, "/devnet/?q=aur&sort=price&view=table&type=chatbot")
        assert 'value="aur"' in html
        assert '<option value="price" selected>' in html
        assert '<input type="hidden" form="search" name="view" value="table">' in html
        assert "1 of 1 service" in html

    def test_htmx_gets_the_fragment_and_a_clean_url(self, client: Client) -> None:
        make_state()
        response = client.get("/devnet/?q=&type=&sort=price&view=cards", headers=HTMX)
        assert "<html" not in response.content.decode()
        assert response.headers["HX-Push-Url"] == "/devnet/?sort=price"
        assert "HX-Request" in response.headers["Vary"]

    def test_a_page_that_asks_for_itself_leaves_no_trail(self, client: Client) -> None:
        response = client.get("/devnet/", headers={**HTMX, "HX-Trigger": "catalog"})
        assert "HX-Push-Url" not in response.headers

    def test_a_history_restore_gets_the_whole_page(self, client: Client) -> None:
        html = page(client, **HTMX, **{"HX-History-Restore-Request": "true"})
        assert "<html" in html

    def test_nonsense_in_the_url_is_ignored(self, client: Client) -> None:
        make_state()
        make_service("aurora")
        assert "aurora-chat" in page(client, "/devnet/?sort=x&view=x&type=x&show=x&q=%00")


class TestStates:
    def test_a_network_never_read_shows_the_layout_and_says_so(self, client: Client) -> None:
        html = page(client)
        assert "for the first time" in html
        assert "skeleton" in html
        assert 'hx-trigger="every 3s"' in html
        assert not NetworkState.objects.exists()

    def test_a_network_never_read_and_unreachable_gives_the_reason(self, client: Client) -> None:
        NetworkState.of("devnet").record_problem("No RPC node answered.")
        html = page(client)
        assert "has not been read before" in html
        assert "No RPC node answered." in html
        assert "Retry" in html

    def test_an_unreachable_chain_keeps_its_list_with_its_age(self, client: Client) -> None:
        state = make_state(services_at=timezone.now() - timedelta(minutes=10))
        state.record_problem("No RPC node answered.")
        make_service("aurora")
        html = page(client)
        assert "The chain cannot be reached; this list is from" in html
        assert "aurora-chat" in html
        assert "Chain not reachable" in html

    def test_a_list_that_cannot_be_read_is_said_to_be_old(self, client: Client) -> None:
        make_state().record_services_problem("The node refused the call.")
        html = page(client)
        assert "The list of services cannot be read" in html
        assert "The node refused the call." in html

    def test_workers_that_stand_still_are_noticed(self, client: Client) -> None:
        old = timezone.now() - timedelta(minutes=10)
        make_state(services_at=old, seen_at=old)
        html = page(client)
        assert "has not been refreshed since" in html
        assert "Out of date" in html

    def test_an_empty_network_is_no_failure(self, client: Client) -> None:
        make_state()
        html = page(client)
        assert "This network has no providers" in html
        assert "notice--warn" not in html

    def test_no_match_is_no_empty_network(self, client: Client) -> None:
        make_state()
        make_service("aurora")
        html = page(client, "/devnet/?q=nothing-like-it&view=table")
        assert "Nothing matches “nothing-like-it”" in html
        assert 'href="?view=table">Clear filters' in html

    def test_the_footer_fragment_says_how_fresh_we_are(self, client: Client) -> None:
        make_state()
        html = page(client, "/devnet/health/")
        assert "Live" in html
        assert "1234" in html
        assert "<html" not in html


class TestProvider:
    def test_shows_the_record_in_full(self, client: Client) -> None:
        make_state("testnet")
        make_service(
            "aurora",
            network="testnet",
            additional_info='{"TEEVerifier":"dstack","note":"tricky\\u202e<b>"}',
        )
        html = page(client, provider_url(network="testnet"))
        for text in (
            "aurora-chat",
            address("aurora"),
            address("aurora signer"),
            "https://aurora.example/v1/proxy",
            'href="https://aurora.example"',
            f"https://chainscan-galileo.0g.ai/address/{address('aurora')}",
            "400,000,000,000",
            "1,000 tokens in, 500 tokens out",
            ">0.0012</data>",
            "By the contract's owner",
            "does not by itself prove",
            "tricky\\u202e&lt;b&gt;",
        ):
            assert text in html, text

    def test_the_example_names_prices_tiers_and_cache(self, client: Client) -> None:
        make_state()
        make_service(
            "aurora",
            additional_info='{"cacheTokenBilling":{"divisor":4},"tieredPricing":{"tiers":'
            '[{"maxInputTokens":32000,"inputMultiplier":2,"outputMultiplier":1}]}}',
        )
        html = page(client, provider_url())
        assert "Cached input" in html
        assert "up to 32,000 tokens" in html
        assert ">0.8" in html

    def test_a_model_servers_own_signer_is_told_apart(self, client: Client) -> None:
        info = f'{{"TargetSeparated":true,"TargetTeeAddress":"{address("model")}"}}'
        make_service("aurora", additional_info=info)
        html = page(client, provider_url())
        assert "Signs settlements" in html
        assert address("model") in html

    @pytest.mark.parametrize("spelling", [str.lower, lambda text: "0x" + text[2:].upper()])
    def test_other_spellings_lead_to_the_one_address(
        self, client: Client, spelling: object
    ) -> None:
        make_service("aurora")
        response = client.get(f"/devnet/providers/{spelling(address('aurora'))}/")  # type: ignore[operator]
        assert response.status_code == 301
        assert response.headers["Location"] == provider_url()

    @pytest.mark.parametrize("wrong", ["0x12", "nonsense", address("stranger"), "0x" + "0" * 41])
    def test_unknown_providers_are_not_found(self, client: Client, wrong: str) -> None:
        assert "Not found" in page(client, f"/devnet/providers/{wrong}/", status=404)

    def test_a_wrong_checksum_is_not_found(self, client: Client) -> None:
        make_service("aurora")
        good = address("aurora")
        letter = next(i for i, c in enumerate(good) if i > 1 and c.isalpha())
        wrong = good[:letter] + good[letter].swapcase() + good[letter + 1 :]
        page(client, f"/devnet/providers/{wrong}/", status=404)

    def test_a_provider_of_another_network_is_not_found(self, client: Client) -> None:
        make_service("aurora", network="testnet")
        page(client, provider_url(), status=404)

    def test_a_removed_service_keeps_its_page_and_says_so(self, client: Client) -> None:
        make_service("aurora", removed_at=timezone.now())
        html = page(client, provider_url())
        assert "no longer registered" in html
        assert "?provider=" not in html

    def test_a_service_without_acknowledgement_explains_itself(self, client: Client) -> None:
        make_service("dusk", tee_signer_acknowledged=False)
        html = page(client, provider_url("dusk"))
        assert "Not open for use: signer not acknowledged." in html
        assert "Not by the contract's owner" in html

    def test_an_unsafe_url_is_neither_linked_nor_offered(self, client: Client) -> None:
        make_service("evil", network="testnet", url="https://169.254.169.254/latest")
        html = page(client, provider_url("evil", "testnet"))
        assert "This site does not call this provider." in html
        assert 'href="https://169.254' not in html
        assert "OpenAI base URL" not in html

    @pytest.mark.parametrize("info", ["", "{not json", "[" * 30_000, '"text"', "1" * 5_000])
    def test_unreadable_additional_information_breaks_nothing(
        self, client: Client, info: str
    ) -> None:
        make_service("aurora", additional_info=info)
        page(client, provider_url())

    def test_the_number_of_queries_is_small(
        self, client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        make_service("aurora")
        with django_assert_max_num_queries(5):
            page(client, provider_url())


def test_an_unknown_network_is_not_found(client: Client) -> None:
    assert "Not found" in page(client, "/nowhere/", status=404)


@pytest.mark.parametrize("url", ["/devnet/", "/devnet/health/", provider_url()])
def test_pages_are_only_read(client: Client, url: str) -> None:
    make_service("aurora")
    assert client.post(url).status_code == 405


def test_the_network_switch_stays_in_its_section(client: Client) -> None:
    make_service("aurora")
    html = page(client, provider_url())
    assert '<a href="/testnet/" >' in html or '<a href="/testnet/">' in html
    for section in ("chat/", "images/", "speech/", "account/"):
        assert f'<a href="/testnet/{section}"' in page(client, f"/devnet/{section}")


def test_every_page_but_the_catalog_has_a_search_of_it_in_its_header(client: Client) -> None:
    make_state()

    def header(path: str) -> str:
        return page(client, path).split("<main")[0]

    assert 'role="search"' in header("/devnet/compare/")
    assert 'role="search"' not in header("/devnet/")
