"""From nothing to a verified, paid-for answer, and to a settlement that explains itself."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from devnet.testing import Devnet
from tests.browser.person import CHAIN_MS, Person
from zgcompute.amounts import exact

pytestmark = [pytest.mark.browser]


def test_from_nothing_to_a_settled_answer_with_five_prompts(person: Person, devnet: Devnet) -> None:
    person.visit("")
    expect(person.listed("devnet-chat")).to_be_visible()
    person.visit(f"chat/?provider={devnet.address('aurora')}")
    person.sign_in()
    person.get_ready_to_chat()
    for question in ("Say hello", "Show a table"):
        person.ask(question)
        person.badge_says("verified")
        person.proof_says("The signed hash is of the bytes received")
        person.proof_says("The signed hash is of the request as sent")
        expect(person.page.locator("[data-answer]").last).to_have_attribute("aria-busy", "false")
    expect(person.page.locator("[data-outcome=verified]")).to_have_count(2)
    assert len(person.wallet.prompts) <= 5, person.wallet.prompts

    owed = _unsettled(devnet, person)
    assert owed > 0
    person.visit("account/")
    row = person.page.get_by_role("row").filter(has_text="devnet-chat").first
    expect(row.locator(f"data[value='{owed}']").first).to_be_visible(timeout=CHAIN_MS)
    expect(row).to_contain_text("provider says")

    devnet.settle("aurora")
    words = f"Settled {exact(owed)} 0G: exactly your 2 answers"
    told = person.page.get_by_role("rowheader").filter(has_text=words)
    expect(told).to_be_visible(timeout=CHAIN_MS)
    left = 1_500_000_000_000_000_000 - owed
    expect(row.locator(f"data[value='{left}']").first).to_be_visible(timeout=CHAIN_MS)


def test_the_demo_wallet_signs_in_without_any_wallet(person: Person) -> None:
    page = person.page.context.browser.new_page()  # type: ignore[union-attr]
    page.goto(f"{person.site.url}/devnet/account/")
    page.get_by_role("button", name="Connect").first.click()
    expect(page.get_by_text("wants you to sign in")).to_be_visible()
    page.get_by_role("button", name="Sign in with wallet").click()
    expect(page.get_by_role("heading", name="Account")).to_be_visible()
    expect(page.locator(".site-header").get_by_text("0x7099…79C8")).to_be_visible()
    page.close()


def _unsettled(devnet: Devnet, person: Person) -> int:
    aurora = next(p for p in devnet.state()["providers"] if p["name"] == "aurora")
    fees = {user.lower(): fee for user, fee in aurora["unsettled"].items()}
    return int(re.sub(r"\D", "", str(fees[person.wallet.address.lower()])))
