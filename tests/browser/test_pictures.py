"""Questions with pictures: chosen, pasted, dropped, and asked of models that see or not."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, expect

from devnet.testing import Devnet
from tests.browser.person import ANSWER_MS, Person
from tests.browser.usability import SIZES, faults
from tests.chat.stage import drawn
from tests.site_fixture import Site

pytestmark = [pytest.mark.browser]
BRING = """([event, name, content]) => {
  const bytes = Uint8Array.from(atob(content), (one) => one.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], name, { type: "image/png" }));
  const options = { bubbles: true, cancelable: true };
  const field = document.getElementById("question");
  field.dispatchEvent(event === "paste"
    ? new ClipboardEvent("paste", { ...options, clipboardData: carried })
    : new DragEvent("drop", { ...options, dataTransfer: carried }));
}"""


@pytest.fixture(params=SIZES)
def somebody(
    request: pytest.FixtureRequest, browser: Browser, site: Site, devnet: Devnet
) -> Iterator[Person]:
    """Somebody new, ready to chat with the model that sees, at a wide and at a narrow screen."""
    width, height = SIZES[request.param]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        bypass_csp=True,  # for axe's own script
    )
    context.set_default_timeout(15_000)
    person = Person.new(context, site, devnet)
    page = person.page
    person.visit("chat/")
    person.sign_in()
    seer = page.get_by_role("link", name=re.compile("devnet-seer"))
    for _ in range(60):  # a new site reads the providers' lists of models within some seconds
        if seer.count():
            break
        page.wait_for_timeout(500)
        page.reload()
    seer.click()
    person.get_ready_to_chat()
    yield person
    context.close()


def test_a_picture_is_asked_about_and_models_are_flipped(
    somebody: Person, devnet: Devnet, tmp_path: Path
) -> None:
    page = somebody.page
    sunset = tmp_path / "sunset.png"
    sunset.write_bytes(drawn((640, 480)))
    _choose(somebody, sunset)
    _bring(somebody, "paste", "sea.png", drawn((30, 30), "blue"))
    _bring(somebody, "drop", "grass.png", drawn((30, 30), "green"))
    expect(_previews(somebody)).to_have_count(3)
    for name in ("sea.png", "grass.png"):
        page.get_by_role("button", name=f"Remove {name}").click()
    expect(page.get_by_text("how many, only the provider knows")).to_be_visible()
    assert faults(page) == []
    somebody.ask("What is this?")
    somebody.badge_says("verified")
    expect(_answer(somebody)).to_contain_text("a PNG of 640 × 480 pixels, mostly orange")
    expect(_answer(somebody).locator("h2").first).to_contain_text("devnet-seer")
    expect(_previews(somebody)).to_have_count(0)
    shown = page.get_by_alt_text("Picture 1: PNG, 640 × 480 pixels")
    assert shown.evaluate("image => image.complete && image.naturalWidth") == 640
    somebody.proof_says("The signed hash is of the request as sent")

    page.get_by_label("Model", exact=True).select_option("devnet-small")
    expect(page.get_by_text("devnet-small takes no pictures")).to_be_visible()
    expect(page.get_by_text("Attach pictures")).to_be_hidden()
    somebody.ask("And now?")
    somebody.badge_says("verified")
    expect(page.get_by_text("1 picture of this branch was not sent")).to_be_visible()
    expect(_answer(somebody)).not_to_contain_text("640")

    page.get_by_label("Model", exact=True).select_option("devnet-thinker")
    page.get_by_role("button", name="Regenerate").last.click()
    expect(_answer(somebody).locator("h2").first).to_contain_text("devnet-thinker")
    somebody.badge_says("verified")
    expect(_answer(somebody).get_by_text("Reasoning", exact=True)).to_be_visible()

    page.get_by_label("Model", exact=True).select_option("devnet-seer")
    page.get_by_role("link", name="Ask in other words").first.click()
    expect(page.get_by_role("checkbox", name="Picture 1")).to_be_checked()
    field = page.get_by_label("Your question in other words")
    field.fill("Which colour?")
    field.press("Enter")
    expect(page.get_by_role("group", name="Versions of this question")).to_contain_text("2 of 2")
    somebody.badge_says("verified")
    expect(_answer(somebody)).to_contain_text("mostly orange")
    page.reload()
    expect(page.get_by_alt_text("Picture 1: PNG, 640 × 480 pixels")).to_have_count(1)
    assert faults(page) == []


def test_what_cannot_be_sent_is_said_and_what_was_written_stays(
    somebody: Person, tmp_path: Path
) -> None:
    page = somebody.page
    fake, note = tmp_path / "fake.png", tmp_path / "note.txt"
    fake.write_bytes(b"<svg onload=alert(1)>")
    note.write_text("Not a picture")
    _choose(somebody, note)
    expect(page.get_by_text("“note.txt” is no PNG, JPEG or WebP.")).to_be_visible()
    _choose(somebody, fake)
    somebody.composer.fill("What is this?")
    somebody.composer.press("Enter")
    problem = page.locator(".notice", has_text="“fake.png” was not sent.")
    expect(problem).to_contain_text("not a picture")
    expect(somebody.composer).to_have_value("What is this?")
    expect(_previews(somebody)).to_have_count(1)
    page.get_by_role("button", name="Remove fake.png").click()
    somebody.composer.press("Enter")
    somebody.badge_says("verified")


def test_without_scripts_the_form_still_brings_the_picture(
    somebody: Person, browser: Browser, tmp_path: Path
) -> None:
    state = somebody.page.context.storage_state()
    context = browser.new_context(java_script_enabled=False, storage_state=state)
    page, sunset = context.new_page(), tmp_path / "sunset.png"
    sunset.write_bytes(drawn((64, 48)))
    page.goto(somebody.page.url)
    page.get_by_label("Attach pictures").set_input_files(sunset)
    expect(page.get_by_label("Attach pictures")).to_be_visible()
    expect(page.get_by_text("how many, only the provider knows")).to_be_visible()
    page.get_by_label("Your message").fill("What is this?")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_alt_text("Picture 1: PNG, 64 × 48 pixels")).to_be_visible()
    page.get_by_label("Model", exact=True).select_option("devnet-small")
    page.get_by_role("button", name="Use it").click()
    expect(page.get_by_text("devnet-small takes no pictures")).to_be_visible()
    seen = page.get_by_text("a PNG of 64 × 48 pixels")
    for _ in range(ANSWER_MS // 500):  # without scripts a page has to be asked for anew
        if seen.count():
            break
        page.wait_for_timeout(500)
        page.reload()
    expect(seen).to_be_visible()
    context.close()


def _choose(person: Person, file: Path) -> None:
    person.page.get_by_label("Attach pictures").set_input_files(file)


def _bring(person: Person, event: str, name: str, content: bytes) -> None:
    person.page.evaluate(BRING, [event, name, b64encode(content).decode()])


def _previews(person: Person) -> Locator:
    return person.page.get_by_role("list", name="Pictures to send").get_by_role("listitem")


def _answer(person: Person) -> Locator:
    return person.page.locator("[data-answer]").last
