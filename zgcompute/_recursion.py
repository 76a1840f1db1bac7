"""Keep Python's recursion limit where it protects us.

eth-account brings py_ecc, which raises the limit of the whole interpreter to 100,000 on import:
hostile JSON of nested brackets would then overflow the C stack and end the process, where it
otherwise raises RecursionError.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_importing = threading.Lock()


@contextmanager
def kept_recursion_limit() -> Iterator[None]:
    """Put the limit back after an import that changes it.

    One thread at a time: a second one would take the raised limit for the one to keep.
    """
    with _importing:
        limit = sys.getrecursionlimit()
        try:
            yield
        finally:
            sys.setrecursionlimit(limit)


def _forget_the_parents_lock() -> None:
    global _importing
    _importing = threading.Lock()


os.register_at_fork(after_in_child=_forget_the_parents_lock)
