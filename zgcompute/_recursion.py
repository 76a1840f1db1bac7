"""Keep Python's recursion limit where it protects us.

eth-account brings py_ecc, which raises the limit of the whole interpreter to 100,000 on import:
hostile JSON of nested brackets would then overflow the C stack and end the process, where it
otherwise raises RecursionError.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def kept_recursion_limit() -> Iterator[None]:
    """Put the limit back after an import that changes it."""
    limit = sys.getrecursionlimit()
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)
