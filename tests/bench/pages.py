"""What a first visit of each page costs: bytes on the wire, requests, origins, and time."""

from __future__ import annotations

import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, sync_playwright

from devnet.testing import Devnet
from tests.browser.chromium import launch
from tests.site_fixture import running_site

PAGES = {"catalog": "/devnet/", "account": "/devnet/account/", "chat": "/devnet/chat/"}
ROUNDS = 3


@dataclass(frozen=True)
class Visit:
    requests: int
    transferred: int
    origins: frozenset[str]
    load_ms: float


def main() -> int:
    """Print a line per page; return 1 where the catalog exceeds its limits."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Devnet() as devnet,
        running_site(devnet, Path(folder)) as site,
        sync_playwright() as playwright,
    ):
        browser = launch(playwright)
        print(f"{'page':<10}{'requests':>9}{'KB':>8}{'origins':>9}{'load ms (median)':>18}")
        visits = {name: _measure(browser, site.url + path) for name, path in PAGES.items()}
        browser.close()
    for name, visit in visits.items():
        print(
            f"{name:<10}{visit.requests:>9}{visit.transferred / 1024:>8.1f}"
            f"{len(visit.origins):>9}{visit.load_ms:>18.0f}"
        )
    catalog = visits["catalog"]
    is_within = catalog.transferred <= 100 * 1024 and catalog.requests <= 10
    return 0 if is_within and len(catalog.origins) == 1 else 1


def _measure(browser: Browser, url: str) -> Visit:
    visits = [_visit(browser, url) for _ in range(ROUNDS)]
    return Visit(
        max(visit.requests for visit in visits),
        max(visit.transferred for visit in visits),
        frozenset().union(*(visit.origins for visit in visits)),
        statistics.median(visit.load_ms for visit in visits),
    )


def _visit(browser: Browser, url: str) -> Visit:
    """Load `url` with an empty cache and add up what the browser received."""
    context = browser.new_context()
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    urls: list[str] = []
    sizes: list[float] = []
    session.on("Network.requestWillBeSent", lambda event: urls.append(event["request"]["url"]))
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.goto(url, wait_until="networkidle")
    timing = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    context.close()
    remote = [url for url in urls if not url.startswith("data:")]
    origins = frozenset(urlsplit(url).netloc for url in remote)
    return Visit(len(remote), int(sum(sizes)), origins, timing)


if __name__ == "__main__":
    sys.exit(main())
