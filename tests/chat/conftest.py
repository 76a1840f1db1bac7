from __future__ import annotations

import pytest
from django.core.cache import cache
from django.test import Client

from accounts.models import Wallet
from chat.models import Conversation
from marketplace.models import Service
from tests.chat import stage


@pytest.fixture(autouse=True)
def nobody_has_sent_yet() -> None:
    """Each test has the whole minute's messages."""
    cache.clear()


@pytest.fixture
def alice() -> Wallet:
    return stage.make_wallet(stage.ALICE)


@pytest.fixture
def mallory() -> Wallet:
    return stage.make_wallet(stage.MALLORY)


@pytest.fixture
def aurora() -> Service:
    return stage.make_service()


@pytest.fixture
def conversation(alice: Wallet, aurora: Service) -> Conversation:
    """Alice's conversation with Aurora; she has all it takes."""
    stage.make_ready(alice, aurora)
    return stage.make_conversation(alice, aurora)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The answers that a view gave to the engine; the engine itself stays out of it."""
    from chat import engine

    answers: list[object] = []
    monkeypatch.setattr(engine, "start", answers.append)
    monkeypatch.setattr(engine, "stop", lambda pk: None)
    return answers


@pytest.fixture
def signed_in(client: Client, alice: Wallet) -> Client:
    client.force_login(alice, backend="accounts.backends.SignedMessage")
    return client
