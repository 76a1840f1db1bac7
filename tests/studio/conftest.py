from __future__ import annotations

from pathlib import Path

import pytest
from django.core.cache import cache
from django.test import Client

from accounts.models import Wallet
from marketplace.models import Service
from tests.chat import stage as chat_stage
from tests.studio import stage


@pytest.fixture(autouse=True)
def files(settings: object, tmp_path: Path) -> Path:
    """Each test keeps its files in a folder of its own."""
    storages = settings.STORAGES  # type: ignore[attr-defined]
    own = {"BACKEND": storages["default"]["BACKEND"], "OPTIONS": {"location": str(tmp_path)}}
    settings.STORAGES = storages | {"default": own}  # type: ignore[attr-defined]
    return tmp_path


@pytest.fixture(autouse=True)
def no_orders_before() -> None:
    """No test uses up what another one may order in a minute."""
    cache.clear()


@pytest.fixture
def alice() -> Wallet:
    return chat_stage.make_wallet(chat_stage.ALICE)


@pytest.fixture
def mallory() -> Wallet:
    return chat_stage.make_wallet(chat_stage.MALLORY)


@pytest.fixture
def painter(alice: Wallet) -> Service:
    return _ready(alice, "image")


@pytest.fixture
def editor(alice: Wallet, painter: Service) -> Service:
    return _funded(alice, "edit")


@pytest.fixture
def listener(alice: Wallet) -> Service:
    return _ready(alice, "speech")


@pytest.fixture
def signed_in(client: Client, alice: Wallet) -> Client:
    client.force_login(alice, backend="accounts.backends.SignedMessage")
    return client


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The works that a view gave to the engine; the engine itself stays out of it."""
    from studio import engine

    works: list[object] = []
    monkeypatch.setattr(engine, "start", works.append)
    return works


def _ready(wallet: Wallet, kind: str) -> Service:
    return stage.make_ready(wallet, stage.make_service(kind))


def _funded(wallet: Wallet, kind: str) -> Service:
    """As `_ready`, for a wallet that has its ledger already."""
    wallet.ledgers.all().delete()
    return _ready(wallet, kind)
