"""The wallet says no, is elsewhere, or changes its mind: nothing moves, and the page says so."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from devnet import accounts
from devnet.testing import Devnet
from tests.browser.person import Person

pytestmark = [pytest.mark.browser]


def test_a_person_who_rejects_changes_nothing(person: Person, devnet: Devnet) -> None:
    person.visit("chat/")
    person.wallet.rejects = {"personal_sign"}
    person.choose_test_wallet()
    person.page.get_by_role("button", name="Sign in with wallet").click()
    expect(person.page.get_by_text("nothing changed")).to_be_visible()
    expect(person.chip).to_have_count(0)

    person.wallet.rejects = set()
    person.page.get_by_role("button", name="Sign in with wallet").click()
    expect(person.chip).to_be_visible()
    before = person.wallet.rpc("eth_getTransactionCount", [person.wallet.address, "latest"])
    person.wallet.rejects = {"eth_sendTransaction"}
    person.complete("Review deposit")
    expect(person.page.get_by_text("declined").first).to_be_visible()
    after = person.wallet.rpc("eth_getTransactionCount", [person.wallet.address, "latest"])
    assert before == after

    person.wallet.rejects = set()
    person.visit("chat/")
    person.complete("Review deposit")
    expect(person.page.get_by_role("button", name="Review transfer")).to_be_visible(timeout=20_000)


def test_a_wallet_on_another_network_is_asked_to_switch(person: Person) -> None:
    person.wallet.chain_id = 1
    person.wallet.known_chains = {1}
    person.visit("chat/")
    person.sign_in()
    person.complete("Review deposit")
    expect(person.page.get_by_role("button", name="Review transfer")).to_be_visible(timeout=20_000)
    assert person.wallet.chain_id == 31337


def test_switching_accounts_in_the_wallet_signs_out(person: Person) -> None:
    person.visit("account/")
    person.sign_in()
    old_chip = person.chip
    expect(old_chip).to_be_visible()
    person.wallet.switch_account(person.page, accounts.account(19).private_key)
    expect(
        person.page.locator(".site-header").get_by_role("button", name="Connect")
    ).to_be_visible()


def test_a_button_pressed_before_the_scripts_are_there_is_not_lost(person: Person) -> None:
    page, held = person.page, []
    page.route(re.compile(r"/js/wallet_forms"), lambda route: held.append(route))
    page.goto(f"{person.site.url}/{person.site.network}/account/", wait_until="commit")
    page.get_by_role("button", name="Connect", exact=True).first.click(no_wait_after=True)
    while not held:
        page.wait_for_timeout(20)
    held[0].continue_()
    expect(page.get_by_role("button", name="Test Wallet")).to_be_visible()
