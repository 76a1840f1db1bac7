"""One devnet for a whole test session; what a test switches ends with that test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from devnet.testing import Devnet

TOKENS_PER_SECOND = 400.0


@pytest.fixture(scope="session")
def devnet() -> Iterator[Devnet]:
    """A running devnet: fast answers, no rate limits, settlement on demand."""
    with Devnet(tokens_per_second=TOKENS_PER_SECOND) as running:
        yield running


@pytest.fixture(autouse=True)
def devnet_is_as_it_was(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test that uses the devnet, put everything back that a test may switch."""
    yield
    if "devnet" in request.fixturenames:
        running: Devnet = request.getfixturevalue("devnet")
        running.reset()
