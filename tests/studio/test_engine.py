"""The engine works away from requests, and leaves nothing running behind."""

from __future__ import annotations

import threading
from uuid import UUID, uuid4

import pytest

from accounts.models import Wallet
from marketplace.models import Service
from studio.engine import Engine
from studio.models import Work
from tests.studio import stage


def test_works_are_done_in_threads_of_their_own() -> None:
    done: list[tuple[UUID, str]] = []
    came = threading.Event()

    def work(pk: UUID) -> None:
        done.append((pk, threading.current_thread().name))
        came.set()

    engine, key = Engine(work), uuid4()
    engine.start(key)
    assert came.wait(5)
    engine.close()
    assert done[0][0] == key
    assert done[0][1].startswith("studio")


@pytest.mark.django_db(transaction=True)
def test_what_an_ending_process_leaves_is_called_interrupted(
    alice: Wallet, painter: Service
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work(pk: UUID) -> None:
        begun.set()
        go_on.wait(5)

    pending = stage.order(alice, painter)
    Work.objects.update(state="running")
    engine = Engine(work)
    engine.start(pending.pk)
    assert begun.wait(5)
    engine.close()
    go_on.set()
    assert Work.objects.get().state == "interrupted"
