"""The check behind every story, that a turn is one request, can fail."""

from __future__ import annotations

import secrets
from collections import Counter
from contextlib import closing

import pytest

from devnet.node import Node
from devnet.testing import Devnet
from tests.browser import sends
from tests.browser.sends import disagreement
from tests.site_fixture import Site
from zgcompute import Broker, LocalSigner, amounts

pytestmark = [pytest.mark.browser]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is on its way at the end of these."""
    monkeypatch.setattr(sends, "AGREES_WITHIN", 0.5)


@pytest.mark.xfail(strict=True, raises=AssertionError, reason="no site keeps a turn of it")
def test_a_request_that_no_turn_explains_fails_a_story(site: Site, devnet: Devnet) -> None:
    _ask_past_the_site(devnet)


@pytest.mark.past_the_site(requests=1)
def test_a_request_that_a_story_declares_is_its_own(site: Site, devnet: Devnet) -> None:
    _ask_past_the_site(devnet)


@pytest.mark.xfail(strict=True, raises=AssertionError, reason="the declared request is not made")
@pytest.mark.past_the_site(requests=1)
def test_a_request_that_is_declared_has_to_be_made(site: Site, devnet: Devnet) -> None:
    assert site.url


@pytest.mark.parametrize(
    ("turns", "requests", "words"),
    [(2, 2, ""), (2, 3, "0xa: 2 turns, 3 requests"), (2, 1, "0xa: 2 turns, 1 requests")],
)
def test_a_turn_sent_twice_or_never_is_named(turns: int, requests: int, words: str) -> None:
    others = Counter({"0xb": 5})
    kept, asked = Counter({"0xa": turns}) + others, Counter({"0xa": requests}) + others
    assert disagreement(kept, asked) == words


def _ask_past_the_site(devnet: Devnet) -> None:
    signer = LocalSigner(secrets.token_bytes(32))
    Node(devnet.rpc_url).call("anvil_setBalance", signer.address, hex(amounts.parse("9")))
    with closing(Broker(devnet.network, signer=signer)) as broker:
        broker.ledger.deposit(amounts.parse("4"))
        broker.ledger.transfer(devnet.address("aurora"), amounts.parse("2"))
        question = {"role": "user", "content": "Say hello"}
        assert broker.inference.chat(devnet.address("aurora"), [question]).text
