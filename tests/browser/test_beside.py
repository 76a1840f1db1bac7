"""One message to two providers: each streams, bills and proves its own answer; one is picked."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from devnet.testing import Devnet
from tests.browser.person import ANSWER_MS, CHAIN_MS, Person
from tests.browser.usability import faults, too_wide

pytestmark = [pytest.mark.browser]
NAMES = ("aurora", "cumulus")


def test_two_providers_answer_side_by_side_and_one_is_gone_on_with(
    ready: Person, devnet: Devnet
) -> None:
    page = ready.page
    page.set_viewport_size({"width": 1440, "height": 900})
    ready.visit("chat/")
    page.get_by_role("link", name="Compare several").click()
    for name in NAMES:
        page.locator(f'input[value="{devnet.address(name)}"]').check()
    page.get_by_role("button", name="Put them side by side").click()
    _get_ready(ready, _column(ready, 1))
    ready.composer.fill("Say hello")
    page.get_by_role("button", name="Send", exact=True).dblclick()
    _both_are_verified(ready, answers=1)
    ready.composer.fill("Show a table")
    ready.composer.press("Enter")
    _both_are_verified(ready, answers=2)
    assert [_requests(devnet, ready, name) for name in NAMES] == [2, 2]
    _standings_compare(ready)
    page.go_back()
    page.go_forward()
    page.reload()
    _both_are_verified(ready, answers=2)
    _looks_well(ready)
    page.get_by_role("button", name="Go on with this one").nth(1).click()
    expect(page.locator("[data-answer]")).to_have_count(2)
    ready.ask("And now?")
    expect(page.locator("[data-answer]")).to_have_count(3)
    ready.badge_says("verified")
    assert [_requests(devnet, ready, name) for name in NAMES] == [2, 3]
    page.get_by_role("link", name="See them together").click()
    expect(page.get_by_text("You went on with this one")).to_be_visible()


def _get_ready(person: Person, column: Locator) -> None:
    """Fund the second provider in its own column, and start its session."""
    column.get_by_role("button", name="Review transfer").click()
    column.get_by_role("button", name="Open wallet").click()
    session = column.get_by_role("button", name="Sign with wallet")
    expect(session).to_be_visible(timeout=CHAIN_MS)
    expect(person.composer).to_be_visible()  # the first one could be asked already
    session.click()
    expect(column.locator(".beside__missing")).to_have_count(0, timeout=CHAIN_MS)


def _both_are_verified(person: Person, answers: int) -> None:
    for place in range(2):
        column = _column(person, place)
        expect(column.locator("[data-answer]")).to_have_count(answers)
        badge = column.locator("[data-answer]").last.locator("[data-outcome]")
        expect(badge).to_have_attribute("data-outcome", "verified", timeout=ANSWER_MS)
        cost = column.locator("[data-answer]").last.locator(".receipt__cost")
        expect(cost).to_have_text(re.compile(r"^0\.\d+ 0G$"))


def _standings_compare(person: Person) -> None:
    """Without a reload: both have answered, the cheaper is marked, each leads to its column."""
    standings = person.page.get_by_role("navigation", name="The providers of this page")
    expect(standings.get_by_text("Answered")).to_have_count(2)
    cheaper = standings.get_by_role("link").filter(has_text="Cheapest")
    expect(cheaper).to_have_count(1)
    expect(cheaper).to_contain_text("devnet-chat")
    person.page.set_viewport_size({"width": 360, "height": 800})
    facts = standings.locator(".standing__fact")
    assert not any(facts.evaluate_all("all => all.map(one => one.scrollWidth > one.clientWidth)"))
    second = standings.get_by_role("link").nth(1)
    second.click()
    expect(second).to_have_attribute("aria-current", "true")
    expect(_column(person, 1)).to_be_in_viewport(ratio=0.2)
    expect(_column(person, 0)).not_to_be_in_viewport()
    person.page.set_viewport_size({"width": 1440, "height": 900})


def _looks_well(person: Person) -> None:
    """Wide and narrow: nothing is wider than the screen, and axe finds nothing bad."""
    page = person.page
    for width, height in ((1440, 900), (360, 800)):
        page.set_viewport_size({"width": width, "height": height})
        assert (wider := too_wide(page)) <= 0, f"{wider} px at {width}"
    context = page.context.browser.new_context(  # type: ignore[union-attr]
        bypass_csp=True, storage_state=page.context.storage_state()
    )
    other = context.new_page()
    other.goto(page.url, wait_until="networkidle")
    found = faults(other)
    context.close()
    assert found == []


def _column(person: Person, place: int) -> Locator:
    return person.page.locator(".beside__column").nth(place)


def _requests(devnet: Devnet, person: Person, name: str) -> int:
    """How many answers the provider has billed to the person."""
    provider = next(one for one in devnet.state()["providers"] if one["name"] == name)
    counts = {user.lower(): count for user, count in provider["unsettled_requests"].items()}
    return int(counts.get(person.wallet.address.lower(), 0))
