"""Tests of the hosted form need PostgreSQL and Redis: skipped without them, unless required."""

from __future__ import annotations

import os

import pytest


def require_service(name: str, is_there: bool) -> None:
    """Skip a test whose PostgreSQL or Redis is absent, unless REQUIRE_SERVICES=1 demands it."""
    if is_there:
        return
    if os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(f"{name} is required (REQUIRE_SERVICES=1) and does not answer.")
    pytest.skip(f"{name} does not answer on this machine")
