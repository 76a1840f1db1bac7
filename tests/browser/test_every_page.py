"""Every page, signed in and out, wide and narrow, light and dark: usable by everybody."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from devnet.testing import Devnet
from tests.browser.person import Person
from tests.browser.usability import SIZES, faults
from tests.site_fixture import Site

pytestmark = [pytest.mark.browser]


def _paths(devnet: Devnet) -> list[str]:
    aurora = devnet.address("aurora")
    return [
        "",
        "?view=table",
        "?q=nothing-like-this",
        "models/devnet-chat/",
        f"compare/?provider={aurora}&provider={devnet.address('cumulus')}",
        f"providers/{aurora}/",
        f"providers/{aurora}/verification/",
        "account/",
        "account/usage/?period=all",
        "account/activity/",
        "account/activity/?kind=calls",
        "account/settlements/",
        "account/sessions/",
        f"account/keys/?provider={aurora}",
        "build/",
        f"build/{aurora}/",
        "chat/",
        "chat/history/",
        "images/",
        f"images/?provider={devnet.address('retouch')}",
        "speech/",
        "chat/beside/",
        f"chat/beside/?provider={aurora}&provider={devnet.address('cumulus')}",
    ]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_strangers_find_every_page_usable(
    browser: Browser, site: Site, devnet: Devnet, size: str, theme: str
) -> None:
    context = _context(browser, size, theme)
    page = context.new_page()
    urls = [f"{site.url}/devnet/{path}" for path in _paths(devnet)]
    found = [fault for url in urls for fault in _faults(page, url)]
    context.close()
    assert not found, "\n".join(found)


def test_the_signed_in_find_every_page_usable(
    ready: Person, browser: Browser, site: Site, devnet: Devnet
) -> None:
    ready.ask("Show a table and code")
    ready.badge_says("verified")
    urls = [ready.page.url] + [f"{site.url}/devnet/{path}" for path in _paths(devnet)]
    found = []
    for size, theme in (("wide", "dark"), ("narrow", "light")):
        context = _context(browser, size, theme, ready.page.context)
        page = context.new_page()
        found += [fault for url in urls for fault in _faults(page, url)]
        context.close()
    assert not found, "\n".join(found)


def _context(
    browser: Browser, size: str, theme: str, signed_in: BrowserContext | None = None
) -> BrowserContext:
    width, height = SIZES[size]
    return browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=theme,  # type: ignore[arg-type]
        bypass_csp=True,  # for axe's own script; the policy itself has its test below
        storage_state=signed_in.storage_state() if signed_in else None,
    )


def _faults(page: Page, url: str) -> list[str]:
    page.goto(url, wait_until="networkidle")
    return [f"{url}: {fault}" for fault in faults(page)]


def test_the_first_visit_asks_for_ten_things_at_most(browser: Browser, site: Site) -> None:
    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda r: asked.append(r.url) if r.url.startswith("http") else None)
    page.goto(f"{site.url}/devnet/", wait_until="networkidle")
    context.close()
    assert len(asked) <= 10, "\n".join(asked)


def test_pages_load_nothing_from_elsewhere_under_a_strict_policy(
    browser: Browser, site: Site
) -> None:
    context = browser.new_context()
    page = context.new_page()
    complaints: list[str] = []
    foreign: list[str] = []
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    page.on(
        "request",
        lambda r: None if r.url.startswith((site.url, "data:")) else foreign.append(r.url),
    )
    for path in ("", "account/", "chat/"):
        response = page.goto(f"{site.url}/devnet/{path}", wait_until="networkidle")
        assert response is not None
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
    context.close()
    assert (complaints, foreign) == ([], [])
