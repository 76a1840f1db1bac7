"""The hosted form, PostgreSQL and Redis with several web processes, gives the same answer."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest
from playwright.sync_api import BrowserContext, expect

from devnet.testing import Devnet
from tests.browser.person import Person
from tests.services import POSTGRES, postgres_answers, require_service
from tests.site_fixture import STARTED, Site, running_site

pytestmark = [pytest.mark.browser, pytest.mark.services]
REDIS = os.environ.get("TEST_REDIS", "redis://127.0.0.1:6379/9")


@pytest.fixture
def hosted_site(devnet: Devnet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    require_service("PostgreSQL", postgres_answers())
    require_service("Redis", _listens(6379))
    name = f"site_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(f"{POSTGRES}/postgres", autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        try:
            services = {"DATABASE_URL": f"{POSTGRES}/{name}", "REDIS_URL": REDIS}
            folder = tmp_path_factory.mktemp("hosted")
            with running_site(devnet, folder, WEB_WORKERS="2", **services) as site:
                yield site
                STARTED.remove(site)
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_an_answer_streams_from_whichever_process_is_asked(
    hosted_site: Site, context: BrowserContext, devnet: Devnet
) -> None:
    person = Person.new(context, hosted_site, devnet)
    page = person.page
    person.visit("chat/")
    person.sign_in()
    person.get_ready_to_chat()
    devnet.options("aurora", tokens_per_second=40)
    person.ask("long 100 words")
    expect(page.locator("[data-answer]").last).to_have_attribute("aria-busy", "true")
    tabs = [context.new_page() for _ in range(3)]
    for tab in tabs:
        tab.goto(page.url)
    person.badge_says("verified")
    for tab in tabs:
        expect(tab.locator("[data-outcome=verified]")).to_be_visible(timeout=30_000)


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
