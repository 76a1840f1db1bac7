"""Another answer, other words, going on: branches that one flips through, each sent once."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from devnet.testing import Devnet
from tests.browser.person import ANSWER_MS, Person

pytestmark = [pytest.mark.browser]


def test_another_answer_is_made_once_and_flipped_through(ready: Person, devnet: Devnet) -> None:
    ready.ask("Say hello")
    ready.badge_says("verified")
    ready.page.get_by_role("button", name="Regenerate").dblclick()
    expect(_place(ready, "answer")).to_have_text("2 of 2")
    ready.badge_says("verified")
    assert _requests(devnet, ready) == 2
    previous = ready.page.get_by_role("button", name="Show the previous answer")
    previous.focus()
    ready.page.keyboard.press("Enter")
    expect(_place(ready, "answer")).to_have_text("1 of 2")
    expect(ready.page.get_by_role("button", name="There is no previous answer")).to_be_focused()
    ready.page.reload()
    expect(_place(ready, "answer")).to_have_text("1 of 2")
    other_tab = ready.page.context.new_page()
    other_tab.goto(ready.page.url)
    expect(other_tab.get_by_text("1 of 2")).to_be_visible()
    expect(ready.page.locator("[data-answer]")).to_have_count(1)


def test_a_question_in_other_words_leaves_the_first_to_flip_back_to(
    ready: Person, devnet: Devnet
) -> None:
    for question in ("Say hello", "Show a table"):
        ready.ask(question)
        ready.badge_says("verified")
    page = ready.page
    page.get_by_role("link", name="Ask in other words").first.click()
    field = page.get_by_label("Your question in other words")
    expect(field).to_be_focused()
    page.keyboard.press("Escape")
    expect(_questions(ready).first).to_have_text("Say hello")
    page.get_by_role("link", name="Ask in other words").first.click()
    field.fill("Say good morning")
    page.get_by_role("button", name="Send", exact=True).first.dblclick()
    expect(_place(ready, "question")).to_have_text("2 of 2")
    expect(page.locator("[data-answer]")).to_have_count(1)
    ready.badge_says("verified")
    assert _requests(devnet, ready) == 3
    page.get_by_role("button", name="Show the previous question").click()
    expect(page.locator("[data-answer]")).to_have_count(2)
    expect(_questions(ready)).to_have_text(["Say hello", "Show a table"])


def test_flipping_away_from_a_running_answer_and_back_loses_nothing(
    ready: Person, devnet: Devnet
) -> None:
    ready.ask("Say hello")
    ready.badge_says("verified")
    devnet.options("aurora", tokens_per_second=40)
    page = ready.page
    page.get_by_role("link", name="Ask in other words").click()
    page.get_by_label("Your question in other words").fill("long 400 words")
    page.keyboard.press("Enter")
    expect(page.locator("[data-answer]")).to_have_attribute("aria-busy", "true")
    page.wait_for_timeout(700)
    page.get_by_role("button", name="Show the previous question").click()
    page.get_by_role("link", name="Show it").click()
    expect(page.locator("[data-answer]")).to_have_attribute("aria-busy", "true")
    ready.badge_says("verified")
    words = page.locator("[data-answer] .prose").first.inner_text().split()
    page.reload()
    assert page.locator("[data-answer] .prose").first.inner_text().split() == words
    assert _requests(devnet, ready) == 2


def test_an_answer_that_broke_off_is_continued_once(ready: Person, devnet: Devnet) -> None:
    devnet.fault("aurora", "disconnect", times=1)
    ready.ask("Say hello")
    go_on = ready.page.get_by_role("button", name="Continue")
    expect(go_on).to_be_visible(timeout=ANSWER_MS)
    go_on.dblclick()
    expect(ready.page.get_by_text("A turn of its own, billed on its own")).to_be_visible()
    ready.badge_says("verified")
    expect(ready.page.locator("[data-answer]")).to_have_count(2)


def test_the_same_words_sent_twice_are_two_turns_and_a_double_click_is_one(
    ready: Person, devnet: Devnet
) -> None:
    for number in (1, 2):
        ready.composer.fill("Say hello")
        ready.page.get_by_role("button", name="Send", exact=True).dblclick()
        expect(ready.page.locator("[data-answer]")).to_have_count(number)
        ready.badge_says("verified")
    assert _requests(devnet, ready) == 2


def _questions(person: Person) -> Locator:
    return person.page.locator(".question__text")


def _place(person: Person, word: str) -> Locator:
    return person.page.get_by_role("group", name=f"Versions of this {word}").locator("span")


def _requests(devnet: Devnet, person: Person) -> int:
    """How many answers the provider has billed to the person."""
    aurora = next(one for one in devnet.state()["providers"] if one["name"] == "aurora")
    counts = {user.lower(): count for user, count in aurora["unsettled_requests"].items()}
    return int(re.sub(r"\D", "", str(counts.get(person.wallet.address.lower(), 0))))
