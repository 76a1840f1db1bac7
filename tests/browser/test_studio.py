"""Pictures made and edited, recordings written down: from an empty wallet to the settled fee."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, CDPSession, Page, expect

from devnet.testing import Devnet
from tests.browser.person import ANSWER_MS, CHAIN_MS, Person
from tests.browser.usability import SIZES, faults, too_wide
from tests.site_fixture import Site
from tests.studio import sounds
from tests.studio.stage import png, wav

pytestmark = [pytest.mark.browser]


@pytest.fixture(params=SIZES)
def somebody(
    request: pytest.FixtureRequest, browser: Browser, site: Site, devnet: Devnet
) -> Iterator[Person]:
    """Somebody new at a wide and at a narrow screen, whose browser has a (feigned) microphone."""
    width, height = SIZES[request.param]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        permissions=["microphone"],
        bypass_csp=True,  # for axe's own script
    )
    context.set_default_timeout(15_000)
    yield Person.new(context, site, devnet)
    context.close()


def test_pictures_are_made_and_edited_with_exact_cost_and_proof(
    somebody: Person, devnet: Devnet, tmp_path: Path
) -> None:
    page = somebody.page
    somebody.visit(f"images/?provider={devnet.address('prisma')}")
    somebody.sign_in()
    _get_ready(somebody)
    page.get_by_label("Prompt").fill("A lighthouse at dusk")
    page.get_by_label("How many").fill("2")
    page.get_by_role("button", name="Generate").dblclick()
    _badge_says(page, "verified")
    expect(page.locator("[data-work]")).to_have_count(1)
    expect(page.get_by_alt_text(re.compile("^Picture [12]"))).to_have_count(2)
    assert _cost(page) == _unsettled(devnet, somebody, "prisma") > 0
    _is_fine(page)

    page.get_by_role("link", name="Edit this picture 2").click()
    _get_ready(somebody)
    page.get_by_label("What to change").fill("Make the sky purple")
    page.get_by_role("button", name="Edit", exact=True).click()
    expect(page.get_by_alt_text(re.compile("^After"))).to_be_visible(timeout=ANSWER_MS)
    _badge_says(page, "verified")

    picture = tmp_path / "mine.png"
    picture.write_bytes(png(64, 48))
    page.get_by_label("Picture", exact=True).set_input_files(picture)
    expect(page.locator("[data-preview] img")).to_have_attribute("src", re.compile("^data:"))
    page.get_by_role("button", name="Edit", exact=True).click()
    expect(page.locator("[data-work=complete]")).to_have_count(3, timeout=ANSWER_MS)
    _badge_says(page, "verified")
    assert 2 * _cost(page) == _unsettled(devnet, somebody, "retouch")
    _is_fine(page)


def test_a_recording_is_made_in_the_page_and_written_down(
    somebody: Person, devnet: Devnet, tmp_path: Path
) -> None:
    page = somebody.page
    somebody.visit("speech/")
    somebody.sign_in()
    _get_ready(somebody)
    page.get_by_role("button", name="Record", exact=True).click()
    page.wait_for_function("document.querySelector('[data-record-level]').value > 0")
    expect(page.get_by_role("timer")).to_have_text("0:02")
    page.get_by_role("button", name="Stop recording").click()
    expect(page.get_by_text("Recorded. Listen to it")).to_be_visible()
    page.get_by_role("button", name="Transcribe").click()
    _badge_says(page, "verified")
    expect(page.get_by_label("Transcript", exact=True)).to_contain_text("This is devnet text")
    first = _cost(page)

    recording = tmp_path / "mine.wav"
    recording.write_bytes(wav(7))
    page.get_by_label("Recording", exact=True).first.set_input_files(recording)
    page.get_by_label("Output").select_option("srt")
    page.get_by_role("button", name="Transcribe").click()
    expect(page.locator("[data-work=complete]")).to_have_count(2, timeout=ANSWER_MS)
    _badge_says(page, "verified")
    expect(page.get_by_label("Transcript", exact=True).first).to_contain_text("-->")
    assert first + _cost(page) == _unsettled(devnet, somebody, "echo")
    _is_fine(page)
    somebody.visit("account/usage/")
    expect(page.get_by_text("7 seconds")).to_be_visible()


def test_a_long_recording_is_priced_cancelled_sent_and_left_alone(
    person: Person, tmp_path: Path
) -> None:
    page = person.page
    person.visit("speech/")
    person.sign_in()
    _get_ready(person)
    chosen = page.get_by_label("Recording", exact=True).first
    long, longer = tmp_path / "long.wav", tmp_path / "longer.wav"
    long.write_bytes(sounds.wav(sounds.TWO_HOURS, rate=4000))
    longer.write_bytes(sounds.wav(sounds.TWO_HOURS, rate=8000))

    chosen.set_input_files(longer)
    expect(page.get_by_text("The file is 55 MB. Providers take at most 31 MB.")).to_be_visible()
    page.get_by_role("button", name="Transcribe").click()
    expect(page.locator("[data-sending]")).to_be_hidden()

    chosen.set_input_files(long)
    expect(page.get_by_text("2 h 0 min: about")).to_be_visible()
    network = page.context.new_cdp_session(page)
    _send_at(network, bytes_per_second=500_000)
    page.get_by_role("button", name="Transcribe").click()
    expect(page.get_by_text(re.compile(r"^[1-9][\d.]* of 27 MB"))).to_be_visible()
    expect(page.get_by_label("Sent so far")).not_to_have_js_property("value", 0)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled. Nothing was ordered.")).to_be_visible()
    expect(page.locator("[data-work]")).to_have_count(0)

    _send_at(network, bytes_per_second=-1)
    page.get_by_role("button", name="Transcribe").click()  # the file is still chosen
    page.wait_for_url(re.compile("again="), timeout=ANSWER_MS)
    person.visit("account/")
    person.visit("speech/")
    _badge_says(page, "verified")
    expect(page.locator("[data-work]")).to_have_count(1)
    expect(page.locator("[data-work]").get_by_text("2 h 0 min")).to_be_visible()
    player = page.locator("[data-work] audio")
    expect(player).to_have_js_property("duration", sounds.TWO_HOURS)
    player.evaluate("player => { player.currentTime = 7000 }")
    expect(player).to_have_js_property("currentTime", 7000)


def _send_at(network: CDPSession, *, bytes_per_second: int) -> None:
    """Slow what the browser sends down (-1: as fast as it can)."""
    conditions = {"offline": False, "latency": 0, "downloadThroughput": -1}
    conditions["uploadThroughput"] = bytes_per_second
    network.send("Network.enable")
    network.send("Network.emulateNetworkConditions", conditions)


def _get_ready(person: Person) -> None:
    """Do the steps as the page shows them, until there is a form."""
    page = person.page
    form = page.locator("[data-order]")
    review = page.get_by_role("button", name=re.compile("Review (deposit|transfer)"))
    sign = page.get_by_role("button", name="Sign with wallet")
    for _ in range(4):
        expect(form.or_(review).or_(sign).first).to_be_visible(timeout=CHAIN_MS)
        if form.is_visible():
            return
        if sign.is_visible():
            sign.click()
            expect(form).to_be_visible(timeout=CHAIN_MS)
            return
        name = review.inner_text().strip()
        person.complete(name)
        expect(page.get_by_role("button", name=name)).to_have_count(0, timeout=CHAIN_MS)
    expect(form).to_be_visible(timeout=CHAIN_MS)


def _badge_says(page: Page, outcome: str) -> None:
    """The newest work is judged."""
    badge = page.locator("[data-work]").first.locator("[data-outcome]")
    expect(badge).to_have_attribute("data-outcome", outcome, timeout=ANSWER_MS)


def _cost(page: Page) -> int:
    """Neuron that the newest work's receipt states."""
    cost = page.locator("[data-work]").first.locator(".receipt__cost data")
    return int(cost.get_attribute("value") or 0)


def _unsettled(devnet: Devnet, person: Person, name: str) -> int:
    provider = next(one for one in devnet.state()["providers"] if one["name"] == name)
    fees = {user.lower(): int(fee) for user, fee in provider["unsettled"].items()}
    return fees[person.wallet.address.lower()]


def _is_fine(page: Page) -> None:
    """Nothing serious for axe, nothing wider than the screen."""
    assert too_wide(page) <= 0
    page.locator("[data-receipt] summary").first.click()
    assert faults(page) == []
