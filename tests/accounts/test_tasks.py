from __future__ import annotations

import pytest
from kombu.exceptions import OperationalError

from accounts import tasks
from accounts.models import Wallet
from marketplace.models import NetworkState
from tests.accounts import cast
from zgcompute.testing import FakeChain


@pytest.fixture
def served(chain: FakeChain, monkeypatch: pytest.MonkeyPatch) -> FakeChain:
    """The fake chain in the place of the network's."""
    monkeypatch.setattr(tasks, "chain", lambda network: chain)
    return chain


def test_every_task_of_the_timetable_is_there() -> None:
    from config.celery import TIMETABLE, app

    app.loader.import_default_modules()
    assert {name for name in TIMETABLE if name.startswith("accounts.")} <= set(app.tasks)


def test_a_chain_that_is_down_is_recorded_and_not_raised(served: FakeChain, alice: Wallet) -> None:
    served.down = True
    tasks.refresh_active_wallets("devnet")
    assert "No RPC node" in NetworkState.of("devnet").problem
    assert "No RPC node" in alice.ledgers.get().problem


def test_active_wallets_are_refreshed(served: FakeChain, alice: Wallet) -> None:
    served.endow(alice.address, cast.zg("1"))
    tasks.refresh_active_wallets("devnet")
    assert alice.ledgers.get().wallet_balance == cast.zg("101")


def test_wallets_named_by_events_are_refreshed_at_once(
    served: FakeChain, alice: Wallet, aurora: object
) -> None:
    provider = served.services()[0].provider
    cast.fund(served, cast.ALICE, provider)
    served.settle(alice.address, provider, cast.zg("0.5"))
    served.mine(2)
    tasks.read_events("devnet")
    assert alice.sub_accounts.get().balance == cast.zg("1.5")


def test_a_queue_that_is_down_stops_nobody(
    alice: Wallet,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: object,
) -> None:
    def refuse(*_: object) -> None:
        raise OperationalError("no broker")

    monkeypatch.setattr(tasks.refresh_wallet, "delay", refuse)
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        tasks.refresh_wallet_later(alice.pk, "devnet")
