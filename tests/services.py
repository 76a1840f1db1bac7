"""Tests of the hosted form need PostgreSQL and Redis: skipped without them, unless required."""

from __future__ import annotations

import os
from contextlib import suppress

import psycopg
import pytest

POSTGRES = os.environ.get("TEST_POSTGRES", "postgres://postgres@127.0.0.1:5432")


def require_service(name: str, is_there: bool) -> None:
    """Skip a test whose PostgreSQL or Redis is absent, unless REQUIRE_SERVICES=1 demands it."""
    if is_there:
        return
    if os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(f"{name} is required (REQUIRE_SERVICES=1) and does not answer.")
    pytest.skip(f"{name} does not answer on this machine")


def postgres_answers() -> bool:
    with suppress(psycopg.OperationalError), psycopg.connect(f"{POSTGRES}/postgres"):
        return True
    return False
