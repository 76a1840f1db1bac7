"""The chain goes away under a running site: pages stay, say so, and heal by themselves."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from devnet.testing import Devnet
from tests.browser.person import Person

pytestmark = [pytest.mark.browser]
NOTICED_MS = 30_000


def test_pages_say_how_old_they_are_while_the_node_is_away(person: Person, devnet: Devnet) -> None:
    person.visit("")
    expect(person.listed("devnet-chat")).to_be_visible()
    devnet.stop_node()
    try:
        away = person.page.get_by_text("cannot be reached").first
        _until(person, away)
        expect(person.listed("devnet-chat")).to_be_visible()
    finally:
        devnet.start_node()
    _until(person, person.page.locator(".site-footer").get_by_text("Live"))


def _until(person: Person, sight: object) -> None:
    """Reload as a person would, until `sight` is there."""
    for _ in range(NOTICED_MS // 1000):
        person.visit("")
        if sight.is_visible():  # type: ignore[attr-defined]
            return
        person.page.wait_for_timeout(1000)
    expect(sight).to_be_visible()  # type: ignore[arg-type]
