"""Without a mouse: from the catalog to a started chat; and what a search leaves ticked."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.person import CHAIN_MS, Person

pytestmark = [pytest.mark.browser]
MOST_STOPS = 120  # of the Tab key, on the longest page


def test_a_keyboard_leads_from_the_catalog_to_a_started_chat(person: Person) -> None:
    page = person.page
    person.visit("")
    expect(person.listed("devnet-chat")).to_be_visible(timeout=CHAIN_MS)
    reach(page, "Chat with devnet-chat")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/chat/"))
    reach(page, "Connect")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Test Wallet")).to_be_visible()
    reach(page, "Test Wallet")
    page.keyboard.press("Enter")
    for step in ("Sign in with wallet", "Review deposit", "Open wallet", "Review transfer"):
        press(page, step)
    for step in ("Open wallet", "Sign with wallet"):
        press(page, step)
    expect(person.composer).to_be_visible(timeout=CHAIN_MS)
    reach(page, "Your message")
    page.keyboard.type("Say hello")
    page.keyboard.press("Enter")
    person.badge_says("verified")


def test_ticks_outlive_a_search(person: Person) -> None:
    page = person.page
    person.visit("")
    expect(person.listed("devnet-chat")).to_be_visible(timeout=CHAIN_MS)
    page.get_by_label("Compare devnet-chat", exact=True).check()
    page.get_by_label("Search models and providers").fill("reason")
    expect(page.get_by_role("link", name="devnet-chat", exact=True)).to_have_count(0)
    kept = page.locator("#compare").get_by_label("Compare devnet-chat", exact=True)
    expect(kept).to_be_checked()
    page.locator("#catalog").get_by_role("checkbox").first.check()
    page.get_by_label("Search models and providers").fill("")
    expect(page.locator("#catalog").get_by_label("Compare devnet-chat", exact=True)).to_be_checked()
    expect(kept).to_have_count(0)
    page.get_by_role("button", name="Compare side by side").click()
    expect(page.locator("table.compare thead th")).to_have_count(3)


def press(page: Page, name: str) -> None:
    """Wait until the button is there, go to it with the Tab key, and press it."""
    expect(page.get_by_role("button", name=name)).to_be_visible(timeout=CHAIN_MS)
    reach(page, name)
    page.keyboard.press("Enter")


def reach(page: Page, name: str) -> None:
    """Press Tab until the focus is on what a screen reader calls `name`, and can be seen there."""
    met: list[str] = []
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        met.append(page.evaluate(_FOCUSED))
        if met[-1] == name:
            focused = page.locator(":focus-visible")
            expect(focused).to_be_in_viewport()
            return
    raise AssertionError(f"The Tab key does not reach {name!r}, but {met}.")


_FOCUSED = """() => {
  const at = document.activeElement;
  const label = at.labels?.[0] ?? at;
  return (at.getAttribute("aria-label") ?? label.textContent).replace(/\\s+/g, " ").trim();
}"""
