"""Threads that work on the database for the engine, far from any request."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.db import close_old_connections

P = ParamSpec("P")
T = TypeVar("T")


class DatabaseThreads(ThreadPoolExecutor):
    """A pool whose threads notice that a kept connection broke or grew old, as requests do."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        return super().submit(_with_live_connections, fn, *args, **kwargs)


def _with_live_connections(fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    close_old_connections()
    return fn(*args, **kwargs)
