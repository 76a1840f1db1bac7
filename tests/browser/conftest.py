"""One browser for all stories; each story has its own context, wallet and key."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from devnet.testing import Devnet
from tests.browser.chromium import launch
from tests.browser.person import Person
from tests.browser.sends import Sends
from tests.site_fixture import Site

os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright's own loop runs in this thread
expect.set_options(timeout=20_000)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail every story after which the providers were not asked once for each turn.

    It looks before the fixtures end: some of them take their site's database with them.
    """
    devnet = getattr(item, "funcargs", {}).get("devnet")
    declared = item.get_closest_marker("past_the_site")
    sends = Sends(devnet, declared.kwargs["requests"] if declared else 0) if devnet else None
    result = yield
    if sends and (problem := sends.problem()):
        raise AssertionError(f"A turn is one request to its provider, but:\n{problem}")
    return result


@pytest.fixture(scope="package")  # ends with the last story: Playwright's loop holds this thread
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = launch(playwright)
        yield running
        running.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(30_000)
    yield context
    context.close()


@pytest.fixture
def person(context: BrowserContext, site: Site, devnet: Devnet) -> Person:
    """Somebody new with a funded wallet and an empty page. Console errors fail the story."""
    return Person.new(context, site, devnet)


@pytest.fixture
def ready(person: Person) -> Person:
    """The same, signed in and ready to chat with aurora."""
    person.visit("chat/")
    person.sign_in()
    person.get_ready_to_chat()
    return person
