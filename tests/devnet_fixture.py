"""One devnet for all tests that want real parts: node, contracts and providers on free ports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from devnet.testing import Devnet


@pytest.fixture(scope="session")
def devnet() -> Iterator[Devnet]:
    from devnet.testing import Devnet

    with Devnet() as running:
        yield running
