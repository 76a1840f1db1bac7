"""One worker at a time: a lease in the database, which all processes share in every setup.

A worker that dies keeps nobody out for longer than its lease lasts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import uuid4

from django.utils import timezone

from marketplace.models import Lease


@contextmanager
def lease(name: str, seconds: int) -> Iterator[bool]:
    """Give True to the one who may work on `name` now, False to everybody else."""
    holder = uuid4().hex
    taken = _take(name, holder, seconds)
    try:
        yield taken
    finally:
        if taken:
            Lease.objects.filter(name=name, holder=holder).delete()


def _take(name: str, holder: str, seconds: int) -> bool:
    now = timezone.now()
    until = now + timedelta(seconds=seconds)
    free = Lease.objects.filter(name=name, expires_at__lte=now)
    if free.update(holder=holder, expires_at=until):
        return True
    lease = Lease(name=name, holder=holder, expires_at=until)
    Lease.objects.bulk_create([lease], ignore_conflicts=True)
    return Lease.objects.filter(name=name, holder=holder).exists()
