from __future__ import annotations

import pytest
from django.core.cache import cache
from django.test import Client

from accounts.models import Wallet
from marketplace.models import Service
from tests.accounts import cast
from zgcompute.testing import FakeChain


@pytest.fixture(autouse=True)
def _forget_limits() -> None:
    cache.clear()


@pytest.fixture
def chain(db: None) -> FakeChain:
    """A chain whose rules are mirrored."""
    made = cast.make_chain()
    cast.mirror_rules(made)
    return made


@pytest.fixture
def aurora(chain: FakeChain) -> Service:
    return cast.mirror_service(chain, chain.services()[0].provider)


@pytest.fixture
def alice(chain: FakeChain) -> Wallet:
    """Alice, signed in once, with 100 0G in her wallet."""
    cast.mirror(chain, cast.ALICE)
    return cast.wallet_of(cast.ALICE)


@pytest.fixture
def bob(chain: FakeChain) -> Wallet:
    cast.mirror(chain, cast.BOB)
    return cast.wallet_of(cast.BOB)


@pytest.fixture
def mallory(chain: FakeChain) -> Wallet:
    return cast.wallet_of(cast.MALLORY)


@pytest.fixture
def signed_in(client: Client, alice: Wallet) -> Client:
    """Alice's browser."""
    client.force_login(alice, backend="accounts.backends.SignedMessage")
    return client
