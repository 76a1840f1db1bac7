"""A provider's hardware and code, checked while somebody watches."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.site_fixture import Site
from zgcompute.__main__ import main

pytestmark = [pytest.mark.browser]


def test_somebody_without_a_wallet_checks_a_provider_by_keyboard(
    context: BrowserContext, site: Site, tmp_path: Path
) -> None:
    page = context.new_page()
    page.goto(f"{site.url}/devnet/")
    page.get_by_role("link", name="devnet-reasoner", exact=True).first.press("Enter")
    page.get_by_role("link", name="Check now").press("Enter")
    page.get_by_role("button", name="Check now").press("Enter")
    expect(page.get_by_text("Hardware and code: Failed")).to_be_visible(timeout=30_000)
    expect(page.get_by_role("button", name="Check now")).to_be_focused()
    expect(page.get_by_text("not hardware-backed")).to_have_count(2)
    expect(page.get_by_text("The event log adds up to the measured registers")).to_have_count(2)

    with page.expect_download() as download:
        page.get_by_role("link", name="Download the evidence").press("Enter")
    evidence = tmp_path / "evidence.json"
    download.value.save_as(evidence)
    assert json.loads(evidence.read_text())["network"] == "devnet"
    assert main(["verify-evidence", str(evidence)]) == 5

    page.get_by_role("button", name="Check now").press("Enter")
    expect(page.get_by_text("It was checked a moment ago")).to_be_visible()
    expect(page.get_by_text("Hardware and code: Failed")).to_be_visible()
