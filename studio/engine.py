"""Does the works of this process in threads of its own, away from requests.

Started by the first order, ended with the process. Several processes may each have one: a work
belongs to the engine whose UPDATE claimed it.
"""

from __future__ import annotations

import atexit
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from uuid import UUID

from django.db import close_old_connections, connection

from studio import transitions
from studio.working import work_on

log = logging.getLogger(__name__)
THREADS = 8  # provider calls at the same time; the others wait their turn
TOUCH_SECONDS = 5.0


def start(pk: UUID) -> None:
    """Do the work `pk` (pending, committed) in the background."""
    _engine().start(pk)


def close() -> None:
    """End this process's engine, where it has one: no work is left running."""
    if _engine.cache_info().currsize:
        _engine().close()


class Engine:
    """The threads, and the works that they do or that wait for one."""

    def __init__(self, work: Callable[[UUID], None] = work_on) -> None:
        self._work = work
        self._mine: set[UUID] = set()
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._pool = ThreadPoolExecutor(THREADS, "studio")
        threading.Thread(target=self._keep_fresh, name="studio-pulse", daemon=True).start()

    def start(self, pk: UUID) -> None:
        with self._lock:
            self._mine.add(pk)
        self._pool.submit(self._run, pk)

    def close(self) -> None:
        """Take no more, and say of every unfinished work that it was interrupted."""
        if self._is_over.is_set():
            return
        self._is_over.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
        for pk in self._unfinished():
            transitions.interrupt(pk)

    def _run(self, pk: UUID) -> None:
        close_old_connections()
        try:
            self._work(pk)
        except Exception:
            log.exception("work %s could not be ended", pk)
        finally:
            with self._lock:
                self._mine.discard(pk)
            close_old_connections()

    def _keep_fresh(self) -> None:
        while not self._is_over.wait(TOUCH_SECONDS):
            close_old_connections()
            try:
                if keys := self._unfinished():
                    transitions.touch(keys)
            except Exception:
                log.exception("no sign of life could be given")
        connection.close()

    def _unfinished(self) -> list[UUID]:
        with self._lock:
            return list(self._mine)


@cache
def _engine() -> Engine:
    engine = Engine()
    atexit.register(engine.close)
    return engine
