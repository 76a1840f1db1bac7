"""A reload, a second tab and a broken connection do not lose or repeat an answer."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from devnet.testing import Devnet
from tests.browser.person import ANSWER_MS, Person

pytestmark = [pytest.mark.browser]


def test_a_reload_in_the_middle_goes_on_with_the_same_answer(ready: Person, devnet: Devnet) -> None:
    devnet.options("aurora", tokens_per_second=40)
    ready.ask("long 120 words")
    answer = ready.page.locator("[data-answer]").last
    expect(answer).to_have_attribute("aria-busy", "true")
    ready.page.wait_for_timeout(1500)
    second = ready.page.context.new_page()
    second.goto(ready.page.url)
    ready.page.reload()
    answer = ready.page.locator("[data-answer]").last
    expect(answer).to_have_attribute("aria-busy", "true")
    ready.badge_says("verified")
    expect(second.locator("[data-outcome=verified]")).to_be_visible(timeout=ANSWER_MS)
    expect(ready.page.locator("[data-answer]")).to_have_count(1)
    assert _words(second) == _words(ready.page)
    ready.page.reload()
    assert _words(second) == _words(ready.page)


def test_stopping_keeps_the_part_and_says_what_is_billed(ready: Person, devnet: Devnet) -> None:
    devnet.options("aurora", tokens_per_second=30)
    ready.ask("long 200 words")
    ready.page.wait_for_timeout(2000)
    ready.page.get_by_role("button", name="Stop the answer").click()
    expect(ready.page.get_by_text("stopped", exact=False).first).to_be_visible()
    assert _words(ready.page)


def test_a_broken_connection_keeps_the_part_and_offers_another_try(
    ready: Person, devnet: Devnet
) -> None:
    devnet.fault("aurora", "disconnect", times=1)
    ready.ask("Say hello")
    retry = ready.page.get_by_role("button", name="Send again")
    expect(retry).to_be_visible(timeout=ANSWER_MS)
    retry.click()
    ready.badge_says("verified")


def _words(page: object) -> list[str]:
    text = page.locator("[data-answer]").last.locator(".prose").first.inner_text()  # type: ignore[attr-defined]
    return text.split()
