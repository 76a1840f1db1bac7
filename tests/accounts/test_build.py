from __future__ import annotations

import ast
import json
import shlex
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from accounts import build, keys
from accounts.models import ApiKey, Wallet
from marketplace.models import Service
from tests.accounts import cast
from zgcompute.networks import DEVNET
from zgcompute.testing import FakeChain

HOSTILE = "x\"'\\ $(touch owned) `touch owned` \u202e\u2028${1}\n<script>alert(1)</script> é😀"
KEY = "app-sk-AAAA+/=="


@pytest.fixture
def funded(chain: FakeChain, alice: Wallet, aurora: Service) -> Service:
    cast.fund(chain, cast.ALICE, aurora.provider)
    return aurora


def text_in(code: str) -> set[str]:
    """All strings of a Python snippet, as Python reads them."""
    return {node.value for node in ast.walk(ast.parse(code)) if _is_text(node)}  # type: ignore[attr-defined]


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def snippets(service: Service, **options: Any) -> dict[tuple[str, str], str]:
    made = build.guide(service, DEVNET, **options).snippets
    return {(one.language.key, one.mode): one.code for one in made}


LANGUAGES = ("curl", "python", "javascript", "zgcompute", "0g-compute-cli")


def test_chat_is_offered_in_every_language_and_two_modes(aurora: Service) -> None:
    assert set(snippets(aurora)) == {
        (language, mode) for language in LANGUAGES for mode in ("plain", "stream")
    }


@pytest.mark.parametrize("kind", ["text-to-image", "image-editing", "speech-to-text"])
def test_other_kinds_are_offered_in_every_language(aurora: Service, kind: str) -> None:
    aurora.service_type = kind
    assert set(snippets(aurora)) == {(language, "plain") for language in LANGUAGES}


def test_each_language_has_a_rule_that_hides_it() -> None:
    rules = (settings.BASE_DIR / "static/css/accounts.css").read_text("utf-8")
    for key in (*build.LANGUAGES, "plain", "stream"):
        assert f'[value="{key}"]:not(:checked)' in rules


def test_an_unknown_kind_has_no_snippet_but_a_page(client: Client, aurora: Service) -> None:
    Service.objects.update(service_type="divination")
    aurora.refresh_from_db()
    assert snippets(aurora) == {}
    page = client.get(f"/devnet/build/{aurora.provider}/")
    assert b"no example for this kind" in page.content
    assert aurora.as_listed.proxy_url.encode() in page.content


@pytest.mark.parametrize("kind", list(build.KINDS))
def test_what_a_provider_wrote_never_becomes_code(aurora: Service, kind: str) -> None:
    aurora.service_type, aurora.model = kind, HOSTILE
    for (language, mode), code in snippets(aurora, api_key=KEY).items():
        assert code.isascii(), (language, mode)
        if language == "curl":
            words = shlex.split(code.replace("\\\n", " "))
            assert not {"touch", "owned)"} & set(words)
        elif language == "0g-compute-cli":
            assert "touch" not in code  # it names the provider, which knows its model
            assert shlex.split(code)[1] == f"ZG_API_KEY={KEY}"
        elif language == "zgcompute":
            assert "touch" not in code
            assert KEY in text_in(code)
        elif language == "python":
            assert HOSTILE in text_in(code)
            assert KEY in text_in(code)
        else:
            assert json.dumps(HOSTILE) in code


def test_a_models_name_in_a_request_body_is_the_whole_name(aurora: Service) -> None:
    aurora.model = HOSTILE
    words = shlex.split(snippets(aurora)["curl", "plain"].replace("\\\n", " "))
    assert json.loads(words[words.index("-d") + 1])["model"] == HOSTILE


def test_a_models_name_never_names_a_file_to_send(aurora: Service) -> None:
    aurora.service_type, aurora.model = "speech-to-text", "@/etc/passwd;type=text/html"
    words = shlex.split(snippets(aurora)["curl", "plain"].replace("\\\n", " "))
    assert words[words.index(f"model={aurora.model}") - 1] == "--form-string"


def test_without_a_key_the_environment_is_read(aurora: Service) -> None:
    for code in snippets(aurora).values():
        assert "ZG_API_KEY" in code
        assert "app-sk" not in code


def test_a_key_that_was_made_is_in_every_snippet(aurora: Service) -> None:
    for code in snippets(aurora, api_key=KEY).values():
        assert KEY in code
        assert "environ" not in code
        assert "process.env" not in code


def test_highlighting_keeps_the_text_and_escapes_it(aurora: Service) -> None:
    shown = build.highlighted('print("<script>")\n', "python")
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


def test_an_operators_own_network_names_its_file(aurora: Service) -> None:
    own = replace(DEVNET, slug="ours", local=False)
    code = build.snippet(aurora, own, "zgcompute", "stream")
    assert 'Broker("ours", networks_file="networks.toml")' in code
    command = shlex.split(build.snippet(aurora, own, "0g-compute-cli"))
    assert command[command.index("--network") + 1] == "ours"
    assert command[command.index("--networks-file") + 1] == "networks.toml"


def test_the_page_opens_with_what_its_address_asks_for(client: Client, aurora: Service) -> None:
    path = f"/devnet/build/{aurora.provider}/"
    for query, language, mode in (
        ("", "curl", "plain"),
        ("?language=python&mode=stream", "python", "stream"),
        ("?language=cobol&mode=stream", "curl", "stream"),
        ("?language=zgcompute&mode=never", "zgcompute", "plain"),
    ):
        text = client.get(path + query).content.decode()
        assert f'name="language" value="{language}" checked' in text
        assert f'name="mode" value="{mode}" checked' in text
        assert text.count(" checked") == 2


def test_the_page_needs_no_wallet_and_its_address_one_spelling(
    client: Client, aurora: Service
) -> None:
    page = client.get(f"/devnet/build/{aurora.provider}/")
    assert b"Connect wallet" in page.content
    assert aurora.as_listed.proxy_url.encode() in page.content
    assert client.get(f"/devnet/build/{cast.stranger()}/").status_code == 404
    Service.objects.update(provider=cast.stranger())
    moved = client.get(f"/devnet/build/{cast.stranger().lower()}/")
    assert moved["Location"] == f"/devnet/build/{cast.stranger()}/"
    assert client.get("/devnet/build/nonsense/").status_code == 404


def test_a_url_that_must_not_be_called_is_in_no_code(client: Client, aurora: Service) -> None:
    Service.objects.update(url="javascript:alert(1)")
    page = client.get(f"/devnet/build/{aurora.provider}/")
    assert b"must not be called" in page.content
    assert b"javascript:alert" not in page.content


def test_a_key_made_on_the_page_is_filled_into_its_code(signed_in: Client, funded: Service) -> None:
    page = signed_in.get(f"/devnet/build/{funded.provider}/").content.decode()
    assert 'name="in_build" value="1"' in page
    fields = {"in_build": "1", "language": "python", "mode": "stream"}
    signed_in.post(
        f"/devnet/account/keys/of/{funded.provider}/prepare/",
        {"label": "bot", "lifetime": "1h", **fields},
        HTTP_HX_REQUEST="true",
    )
    key = ApiKey.objects.get()
    token = keys.request_of(key).signed_by(cast.ALICE)
    done = signed_in.post(
        f"/devnet/account/keys/{key.pk}/",
        {"signature": token.signature, **fields},
        HTTP_HX_REQUEST="true",
    ).content.decode()
    assert 'id="snippets"' in done
    assert 'hx-swap-oob="true"' in done
    assert done.count(token.api_key) == 1 + 10  # alone, and in every snippet
    assert 'value="python" checked' in done
    assert 'value="stream" checked' in done


def test_only_what_can_be_used_is_offered_to_build_with(client: Client, aurora: Service) -> None:
    assert f"/devnet/build/{aurora.provider}/" in client.get("/devnet/build/").content.decode()
    Service.objects.update(tee_signer_acknowledged=False)
    assert aurora.provider not in client.get("/devnet/build/").content.decode()
    page = client.get(f"/devnet/build/{aurora.provider}/").content.decode()
    assert "Requests to it are refused" in page
