from __future__ import annotations

import pytest

from marketplace import network, tasks
from marketplace.leases import lease
from marketplace.models import NetworkState, Service
from zgcompute.testing import FakeChain, fake_service

pytestmark = pytest.mark.django_db


@pytest.fixture
def chain(monkeypatch: pytest.MonkeyPatch) -> FakeChain:
    chain = FakeChain()
    chain.register(fake_service())
    monkeypatch.setattr(tasks, "chain", lambda slug: chain)
    return chain


def test_the_tasks_fill_the_database(chain: FakeChain) -> None:
    tasks.watch_block("devnet")
    tasks.sync_services("devnet")
    assert NetworkState.of("devnet").block_number is not None
    assert Service.objects.count() == 1


@pytest.mark.parametrize(
    "task", ["watch_block", "sync_services", "probe_services", "read_reports", "verify_waiting"]
)
def test_a_task_that_still_runs_is_not_started_again(chain: FakeChain, task: str) -> None:
    with lease(f"{task} devnet", seconds=60):
        getattr(tasks, task)("devnet")
    assert not NetworkState.objects.exists()


def test_a_chain_that_is_down_fails_no_task(chain: FakeChain) -> None:
    chain.down = True
    tasks.watch_block("devnet")
    tasks.sync_services("devnet")
    state = NetworkState.of("devnet")
    assert state.problem
    assert state.services_problem


def test_the_timetable_knows_them_all() -> None:
    from config.celery import TIMETABLE

    ours = {name.rpartition(".")[2] for name in TIMETABLE if name.startswith("marketplace.")}
    looks = {"watch_block", "sync_services", "probe_services", "read_reports"}
    assert ours == looks | {"verify_waiting"}
    assert all(callable(getattr(tasks, name)) for name in ours)


def test_only_local_networks_allow_private_addresses() -> None:
    assert network.is_local("devnet")
    assert not network.is_local("testnet")
    assert not network.is_local("served no longer")
