from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from marketplace.leases import lease
from marketplace.models import Lease

pytestmark = pytest.mark.django_db


def test_one_worker_at_a_time() -> None:
    with lease("job", seconds=60) as first, lease("job", seconds=60) as second:
        assert (first, second) == (True, False)


def test_a_finished_job_is_free_again() -> None:
    with lease("job", seconds=60):
        pass
    with lease("job", seconds=60) as mine:
        assert mine


def test_a_failed_job_is_free_again() -> None:
    with pytest.raises(ZeroDivisionError), lease("job", seconds=60):
        raise ZeroDivisionError
    assert not Lease.objects.exists()


def test_a_dead_workers_lease_runs_out() -> None:
    past = timezone.now() - timedelta(seconds=1)
    Lease.objects.create(name="job", holder="dead", expires_at=past)
    with lease("job", seconds=60) as mine:
        assert mine


def test_who_came_too_late_takes_nothing_away() -> None:
    with lease("job", seconds=60):
        with lease("job", seconds=60):
            pass
        assert Lease.objects.filter(name="job").exists()


def test_jobs_of_other_names_run_beside() -> None:
    with lease("one", seconds=60) as one, lease("two", seconds=60) as two:
        assert one
        assert two
