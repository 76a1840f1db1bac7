"""Answers that prove nothing never look like ones that do."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from devnet.testing import Devnet
from tests.browser.person import Person

pytestmark = [pytest.mark.browser]


def test_tampered_forged_and_unsigned_answers_are_named_as_such(
    ready: Person, devnet: Devnet
) -> None:
    for fault, outcome, words in (
        ("tampered-answer", "failed", "other bytes"),
        ("wrong-signer", "failed", "another key"),
        ("no-signature", "not checked", "signature"),
    ):
        devnet.fault("aurora", fault, times=1)
        ready.ask(f"Say hello ({fault})")
        ready.badge_says(outcome)
        ready.proof_says(words)
        devnet.fault("aurora", None)
    expect(ready.page.locator("[data-outcome=verified]")).to_have_count(0)


def test_a_late_signature_is_waited_for_and_a_huge_answer_is_cut(
    ready: Person, devnet: Devnet
) -> None:
    devnet.fault("aurora", "late-signature", times=1)
    ready.ask("Say hello")
    ready.badge_says("verified")
    devnet.fault("aurora", "huge-answer", times=1)
    ready.ask("Say more")
    ready.badge_says("not checked")
    ready.page.reload()
    ready.badge_says("not checked")
    answer = ready.page.locator("[data-answer]").last
    assert len(answer.locator(".prose").inner_text()) < 500_000
    expect(answer).to_contain_text("sent more than")


def test_hostile_answers_stay_text(ready: Person, devnet: Devnet) -> None:
    dialogs: list[str] = []
    ready.page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    devnet.fault("aurora", "xss", times=1)
    ready.ask("Say hello")
    ready.badge_says("verified")
    answer = ready.page.locator("[data-answer]").last
    assert answer.locator("script, iframe, img, svg[onload], [onerror], [onclick]").count() == 0
    assert answer.locator("a[href^='javascript'], a[href^='data']").count() == 0
    assert dialogs == []
