"""A key made in place: shown once, good for the provider, and refused once it is revoked."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest
from playwright.sync_api import expect

from devnet.testing import Devnet
from tests.browser.person import CHAIN_MS, Person

pytestmark = [pytest.mark.browser]


@pytest.mark.past_the_site(requests=3)
def test_a_key_works_until_it_is_revoked(ready: Person, devnet: Devnet) -> None:
    page, aurora = ready.page, devnet.address("aurora")
    ready.visit(f"account/keys/?provider={aurora}")
    first = _make(ready, "night build")
    second = _make_another(ready, aurora, "day build")
    assert first != second
    expect(page.get_by_text(first)).to_have_count(0)
    for key in (first, second):
        status, answer = _ask(devnet, key)
        assert (status, answer["object"]) == (200, "chat.completion")

    page.get_by_role("button", name="Revoke night build, slot 0").click()
    expect(page.get_by_text("call revokeToken")).to_be_visible()
    page.get_by_role("button", name="Open wallet").click()
    row = page.get_by_role("row").filter(has_text="night build")
    expect(row.get_by_text("revoked", exact=True)).to_be_visible(timeout=CHAIN_MS)
    devnet.reset()  # providers remember accounts for minutes, and now look again
    status, answer = _ask(devnet, first)
    assert status == 400
    assert "session token has been revoked" in answer["error"]
    assert _ask(devnet, second)[0] == 200


def test_a_key_made_on_the_build_page_is_in_its_code(ready: Person, devnet: Devnet) -> None:
    page, aurora = ready.page, devnet.address("aurora")
    ready.visit(f"build/{aurora}/?language=python")
    code = page.locator("#code-python-stream")
    page.get_by_text("Streaming", exact=True).click()
    expect(code).to_contain_text("ZG_API_KEY")
    assert page.url.endswith("?language=python&mode=stream")
    key = _make(ready, "my program")
    expect(code).to_contain_text(f'api_key="{key}"')
    page.get_by_text("curl", exact=True).click()
    expect(page.locator("#code-curl-stream")).to_be_visible()
    expect(code).to_be_hidden()
    page.reload()
    expect(page.locator("#code-curl-stream")).to_contain_text("$ZG_API_KEY")
    assert key not in page.content()


def _make(person: Person, label: str) -> str:
    """Make a key and return what the page shows of it, this once."""
    page = person.page
    page.get_by_label("Label").fill(label)
    page.get_by_role("button", name="Create key").click()
    page.get_by_role("button", name="Sign with wallet").click()
    shown = page.locator("#new-key")
    expect(shown).to_contain_text("app-sk-")
    return shown.inner_text()


def _make_another(person: Person, provider: str, label: str) -> str:
    person.visit(f"account/keys/?provider={provider}")
    row = person.page.get_by_role("row").filter(has_text="night build")
    expect(row.get_by_text("active", exact=True)).to_be_visible()
    return _make(person, label)


def _ask(devnet: Devnet, key: str) -> tuple[int, dict[str, str]]:
    body = {"model": "devnet-chat", "messages": [{"role": "user", "content": "Hello"}]}
    request = urllib.request.Request(
        f"{devnet.url('aurora')}/v1/proxy/chat/completions",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)
