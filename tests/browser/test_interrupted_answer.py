"""Reloads, other tabs, a lost network, a restarted site: an answer is neither lost nor repeated."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Request, expect

from devnet.testing import Devnet
from tests.browser.line import Line
from tests.browser.person import ANSWER_MS, Person
from tests.site_fixture import running_site

pytestmark = [pytest.mark.browser]
LOST = "The connection to this site is lost."


def test_three_tabs_a_reload_and_a_lost_network_end_with_the_same_answer(
    ready: Person, devnet: Devnet
) -> None:
    devnet.options("aurora", tokens_per_second=30)
    ready.ask("long 250 words")
    _has_words(ready.page, 10)
    tab, phone = ready.page.context.new_page(), _phone(ready)
    with Line(ready.site.port) as line:
        tab.goto(ready.page.url)
        phone.goto(ready.page.url.replace(ready.site.url, line.url))
        for page in (tab, phone):
            _has_words(page, 10)
        phone.context.set_offline(True)
        line.cut()
        expect(phone.get_by_text(LOST)).to_be_visible()
        missed = len(_words(phone)) + 10
        with phone.expect_response(lambda response: response.status == 502):
            phone.context.set_offline(False)  # but the site is not there yet
        ready.page.reload()
        _has_words(ready.page, missed)
        expect(_answer(ready.page)).to_have_attribute("aria-busy", "true")
        line.mend()
        _has_words(phone, missed)
        expect(phone.get_by_text(LOST)).to_be_hidden()
        for page in (ready.page, tab, phone):
            badge = _answer(page).locator("[data-outcome=verified]")
            expect(badge).to_be_visible(timeout=ANSWER_MS)
            expect(page.locator("[data-answer]")).to_have_count(1)
        ends = [_words(page) for page in (ready.page, tab, phone)]
        phone.context.close()
    ready.page.reload()
    assert ends == [_words(ready.page)] * 3
    assert devnet.asked()[ready.wallet.address.lower()] == 1


def test_a_site_that_is_restarted_keeps_the_part_and_asks_nothing_twice(
    context: BrowserContext, devnet: Devnet, tmp_path: Path
) -> None:
    with running_site(devnet, tmp_path) as site:
        person = Person.new(context, site, devnet)
        page = person.page
        person.visit("chat/")
        person.sign_in()
        person.get_ready_to_chat()
        devnet.options("aurora", tokens_per_second=20)
        person.ask("long 400 words")
        _has_words(page, 10)
    part = _words(page)
    expect(page.get_by_text(LOST)).to_be_visible()
    with running_site(devnet, tmp_path, port=site.port):
        stopped = page.get_by_text("This site stopped while the answer was being written.")
        expect(stopped).to_be_visible(timeout=ANSWER_MS)
        expect(page.get_by_role("button", name="Send again")).to_be_visible()
        assert _words(page)[: len(part) - 1] == part[:-1]  # the last word may have grown
        assert devnet.asked()[person.wallet.address.lower()] == 1
        devnet.reset()
        page.get_by_role("button", name="Continue").dblclick()
        expect(person.answers).to_have_count(2)
        person.badge_says("verified")
        assert devnet.asked()[person.wallet.address.lower()] == 2


def test_a_form_that_is_sent_twice_gone_back_to_or_resent_is_one_request(
    ready: Person, devnet: Devnet
) -> None:
    page, forms = ready.page, []
    page.on("request", lambda request: _keep_form(request, forms))
    for _ in range(2):  # the second time by the button that goes back
        ready.composer.fill("Say hello")
        page.get_by_role("button", name="Send", exact=True).dblclick()
        expect(ready.answers).to_have_count(1)
        ready.badge_says("verified")
        conversation = page.url
        page.go_back()
    resent = page.request.post(
        forms[0].url,
        data=forms[0].post_data_buffer,
        headers={"Referer": page.url, "Content-Type": forms[0].headers["content-type"]},
    )
    assert resent.url == conversation
    assert devnet.asked()[ready.wallet.address.lower()] == 1


def test_stopping_keeps_the_part_and_says_what_is_billed(ready: Person, devnet: Devnet) -> None:
    devnet.options("aurora", tokens_per_second=30)
    ready.ask("long 200 words")
    _has_words(ready.page, 5)
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


def _phone(person: Person) -> Page:
    """Another device of the same person, whose network can be taken away alone."""
    browser = person.page.context.browser
    assert browser is not None
    context = browser.new_context(
        viewport={"width": 360, "height": 800}, storage_state=person.page.context.storage_state()
    )
    return context.new_page()


def _answer(page: Page) -> Locator:
    return page.locator("[data-answer]").last


def _has_words(page: Page, count: int) -> None:
    """Wait until the answer has grown to so many words."""
    page.wait_for_function(
        "count => { const all = [...document.querySelectorAll('[data-answer]')].at(-1)"
        "?.querySelectorAll('.prose, [data-tail]') ?? [];"
        " return [...all].map(one => one.innerText).join(' ').split(/\\s+/).length > count }",
        arg=count,
        timeout=ANSWER_MS,
    )


def _words(page: Page) -> list[str]:
    return " ".join(_answer(page).locator(".prose, [data-tail]").all_inner_texts()).split()


def _keep_form(request: Request, forms: list[Request]) -> None:
    if request.method == "POST" and request.url.endswith("/chat/new/"):
        forms.append(request)
