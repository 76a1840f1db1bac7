"""What was spent, and who may spend: as somebody finds it after the first answer."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.person import CHAIN_MS, Person

pytestmark = [pytest.mark.browser]


def test_a_request_is_found_with_its_fee_and_proof_and_as_a_file(ready: Person) -> None:
    ready.ask("Hello")
    ready.badge_says("verified")
    ready.visit("account/usage/")
    page = ready.page
    requests = page.get_by_role("group", name="Requests")
    expect(requests).to_contain_text("verified")
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    lines = list(csv.DictReader(Path(download.value.path()).read_text().splitlines()))
    assert [line["verification"] for line in lines] == ["verified"]
    assert int(lines[0]["fee_neuron"]) > 0
    expect(page.get_by_text(f"exactly {lines[0]['fee_0g']}")).to_be_visible()
    requests.get_by_role("link", name="Hello").click()
    expect(page.locator("[data-answer]")).to_be_visible()


def test_the_overview_shows_where_the_money_is_and_what_comes_next(ready: Person) -> None:
    ready.visit("account/")
    page = ready.page
    expect(page.get_by_role("img", name="Where your money is")).to_be_visible(timeout=CHAIN_MS)
    page.get_by_text("Every part to the last digit").click()
    expect(page.get_by_role("group", name="Where your money is, as a table")).to_contain_text(
        "Everything"
    )
    expect(page.get_by_role("group", name="Latest activity")).to_contain_text("Deposit")


def test_sessions_can_be_ended_and_a_copied_cookie_ends_with_them(
    ready: Person, browser: Browser
) -> None:
    copied = browser.new_context(storage_state=ready.page.context.storage_state())
    ready.visit("account/sessions/")
    page = ready.page
    expect(page.get_by_text("this browser", exact=True)).to_be_visible()
    page.get_by_role("button", name="End the session").click()
    expect(page.get_by_text("None is running.")).to_be_visible()
    page.get_by_role("main").get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    other = copied.new_page()
    reply = other.goto(f"{ready.site.url}/devnet/account/sessions/")
    assert reply is not None
    assert reply.status == 401  # the session is gone, whoever holds its cookie
    copied.close()
