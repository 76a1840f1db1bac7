"""The list of conversations: searched, deleted and taken back, exported and brought back."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from devnet.testing import Devnet
from tests.browser.person import Person
from tests.browser.usability import faults
from tests.site_fixture import Site
from zgcompute.evidence import verify_evidence

pytestmark = [pytest.mark.browser]


def test_a_search_as_one_types_leads_to_the_message(ready: Person) -> None:
    page = ready.page
    for question in ("Say hello to the Größe", "Show a table"):
        ready.ask(question)
        ready.badge_says("verified")
    first = page.url
    ready.visit("chat/")
    page.get_by_label("Search your conversations").press_sequentially("grosse")
    hit = page.locator("#conversations a").filter(has_text="You:")
    expect(hit.locator("mark")).to_have_text("Größe")
    hit.click()
    expect(page).to_have_url(re.compile(re.escape(first) + r"\?message=.*#message-"))
    expect(page.locator(".question:target .question__text")).to_have_text("Say hello to the Größe")
    expect(page.locator(".question:target")).to_be_in_viewport()
    page.get_by_label("Search your conversations").fill("nothing like this")
    expect(page.get_by_role("heading", name="Nothing found")).to_be_visible()
    page.get_by_label("Search your conversations").fill("")
    expect(page.get_by_role("heading", name="Today")).to_be_visible()


def test_what_was_deleted_can_be_taken_back(ready: Person) -> None:
    page = ready.page
    ready.ask("Say hello")
    ready.badge_says("verified")
    expect(page.locator("[data-answer][data-stream]")).to_have_count(0)
    menu = page.locator("summary").filter(has_text="Conversation")
    menu.click()
    page.get_by_label("Title").fill("Greetings")
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_role("heading", level=1, name="Greetings")).to_be_visible()
    menu.click()
    page.get_by_role("button", name="Pin to the top").click()
    expect(page.get_by_role("heading", name="Pinned")).to_be_visible()
    menu.click()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("“Greetings” is deleted.")).to_be_visible()
    expect(page.locator("#conversations a")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("heading", level=1, name="Greetings")).to_be_visible()
    expect(page.locator("[data-outcome=verified]")).to_be_visible()


def test_an_export_brings_the_same_back_into_another_account(
    ready: Person, site: Site, devnet: Devnet, context: BrowserContext, tmp_path: Path
) -> None:
    page = ready.page
    ready.ask("Show a table and code")
    ready.badge_says("verified")
    shown = page.locator("[data-answer] .prose").inner_text()
    ready.visit("chat/history/")
    page.locator("summary").filter(has_text="Export and import").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Export all as JSON").click()
    file = tmp_path / "conversations.json"
    download.value.save_as(file)
    messages = json.loads(file.read_text())["conversations"][0]["messages"]
    assert verify_evidence(messages[1]["receipt"]["evidence"]).outcome == "verified"

    browser = context.browser
    assert browser is not None
    elsewhere = browser.new_context()
    other = Person.new(elsewhere, site, devnet)
    theirs = other.page
    other.visit("chat/history/")
    other.sign_in()
    _import(theirs, file)
    expect(theirs.get_by_text("1 conversation imported.")).to_be_visible()
    theirs.locator("#conversations a").click()
    expect(theirs.get_by_text("Imported, evidence verified")).to_be_visible()
    assert theirs.locator("[data-answer] .prose").inner_text() == shown
    other.visit("chat/history/")
    _import(theirs, __file__)
    expect(theirs.get_by_text("Nothing was imported. The file is not JSON")).to_be_visible()
    elsewhere.close()


def test_what_was_written_and_not_sent_outlives_a_reload(ready: Person) -> None:
    page = ready.page
    ready.composer.fill("Say hello, one day")
    page.reload()
    expect(ready.composer).to_have_value("Say hello, one day")
    ready.composer.press("Enter")
    ready.badge_says("verified")
    ready.visit("chat/")
    expect(ready.composer).to_have_value("")


@pytest.mark.parametrize("size", [(1440, 900), (360, 800)])
def test_branches_and_lists_are_usable_by_everybody(
    ready: Person, devnet: Devnet, size: tuple[int, int]
) -> None:
    ready.ask("Show a table and code")
    ready.badge_says("verified")
    ready.page.get_by_role("button", name="Regenerate").click()
    expect(ready.page.get_by_text("2 of 2")).to_be_visible()
    ready.badge_says("verified")
    browser, chat = ready.page.context.browser, ready.page.url
    assert browser is not None
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if width < 500 else "light",
        bypass_csp=True,  # for axe's own script
        storage_state=ready.page.context.storage_state(),
    )
    page = context.new_page()
    home = ready.site.url + "/devnet/chat/"
    for url in (chat, home, home + "history/", home + "history/?q=table"):
        page.goto(url, wait_until="networkidle")
        for closed in page.locator("main summary").all():
            if closed.is_visible():
                closed.click()
        assert faults(page) == [], url
    context.close()


def _import(page: Page, file: Path | str) -> None:
    page.locator("summary").filter(has_text="Export and import").click()
    page.get_by_label("Import a file of such conversations").set_input_files(file)
    page.get_by_role("button", name="Import", exact=True).click()
