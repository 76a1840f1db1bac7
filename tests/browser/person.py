"""A person with a wallet at the site: what they do, in the words that they see."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.sync_api import BrowserContext, Locator, Page, expect

from devnet.testing import Devnet
from tests.browser.wallet import TestWallet
from tests.site_fixture import Site

CHAIN_MS = 60_000  # a transaction: sent, mined, followed, mirrored, on a busy machine
ANSWER_MS = 60_000


@dataclass
class Person:
    """Drives one page. `wallet.prompts` counts what the wallet was asked."""

    page: Page
    site: Site
    wallet: TestWallet

    @classmethod
    def new(cls, context: BrowserContext, site: Site, devnet: Devnet) -> Person:
        """Somebody new with a funded wallet and an empty page."""
        wallet, page = TestWallet.with_funds(devnet.rpc_url), context.new_page()
        wallet.inject(page)
        return cls(page, site, wallet)

    def visit(self, path: str) -> None:
        self.page.goto(f"{self.site.url}/{self.site.network}/{path}")

    def listed(self, model: str) -> Locator:
        """A model's entry in the catalog."""
        return self.page.get_by_role("link", name=model, exact=True)

    def choose_test_wallet(self) -> None:
        self.page.get_by_role("button", name="Connect").first.click()
        self.page.get_by_role("button", name="Test Wallet").click()

    def sign_in(self) -> None:
        self.choose_test_wallet()
        self.page.get_by_role("button", name="Sign in with wallet").click()
        expect(self.chip).to_be_visible()

    @property
    def chip(self) -> Locator:
        """The header's menu of a signed-in wallet, with its short address."""
        short = f"{self.wallet.address[:6]}…{self.wallet.address[-4:]}"
        return self.page.locator(".site-header summary").filter(has_text=short)

    def complete(self, review: str) -> None:
        """Review a prepared transaction, open the wallet, and wait until it is done."""
        self.page.get_by_role("button", name=review).click()
        self.page.get_by_role("button", name="Open wallet").click()

    def get_ready_to_chat(self) -> None:
        """From signed in to the composer: deposit, transfer, session."""
        deposit = self.page.get_by_role("button", name="Review deposit")
        expect(deposit).to_be_visible(timeout=CHAIN_MS)  # once a worker has read the ledger
        self.complete("Review deposit")
        expect(self.page.get_by_role("button", name="Review transfer")).to_be_visible(
            timeout=CHAIN_MS
        )
        self.complete("Review transfer")
        session = self.page.get_by_role("button", name="Sign with wallet")
        expect(session).to_be_visible(timeout=CHAIN_MS)
        session.click()
        expect(self.composer).to_be_visible(timeout=CHAIN_MS)

    @property
    def composer(self) -> Locator:
        return self.page.get_by_label("Your message")

    @property
    def answers(self) -> Locator:
        return self.page.locator("[data-answer]")

    def ask(self, question: str) -> None:
        """Send a question, and wait until it stands in the page: what follows is of its answer."""
        before = self.answers.count()
        self.composer.fill(question)
        self.composer.press("Enter")
        expect(self.answers).to_have_count(before + 1)

    @property
    def last_badge(self) -> Locator:
        return self.answers.last.locator("[data-outcome]")

    def badge_says(self, outcome: str) -> None:
        expect(self.last_badge).to_have_attribute("data-outcome", outcome, timeout=ANSWER_MS)

    def proof_says(self, words: str) -> None:
        details = self.answers.last.locator("[data-receipt]")
        if not details.evaluate("element => element.open"):
            details.locator("summary").click()
        expect(details).to_contain_text(words)
