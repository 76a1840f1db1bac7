"""Storing and deleting the same bytes at the same time loses nothing (two database connections)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from accounts.models import Wallet
from marketplace.models import Service
from studio import files, works
from studio.models import File, Work
from tests.halting import halted_at, names_in, use_halting_storage
from tests.services import POSTGRES, postgres_answers, require_service
from tests.site_fixture import ROOT
from tests.studio import stage

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def halting(settings: object, tmp_path: Path) -> None:
    use_halting_storage(settings, tmp_path)


def _is_whole(work: Work) -> bool:
    source = Work.objects.get(pk=work.pk).source
    return source is not None and source.read() == stage.png()


def test_a_deletion_spares_the_same_bytes_that_are_stored_meanwhile(
    alice: Wallet, editor: Service
) -> None:
    old = stage.done(stage.order(alice, editor), stage.fake(editor))
    fresh: list[Work] = []
    halted_at(
        "delete",
        lambda: files.delete(old),
        meanwhile=lambda: fresh.append(stage.order(alice, editor)),
    )
    assert _is_whole(fresh[0])
    assert not Work.objects.filter(pk=old.pk).exists()


def test_what_is_being_stored_outlives_the_deletion_of_the_same_bytes(
    alice: Wallet, editor: Service
) -> None:
    old = stage.done(stage.order(alice, editor), stage.fake(editor))
    fresh: list[Work] = []
    halted_at(
        "saved",
        lambda: fresh.append(stage.order(alice, editor)),
        meanwhile=lambda: files.delete(old),
    )
    assert _is_whole(fresh[0])


def test_the_same_form_sent_twice_at_once_is_one_work_with_one_file(
    alice: Wallet, editor: Service
) -> None:
    form = stage.valid_form(alice, "edit")
    made: list[bool] = []

    def send() -> None:
        made.append(works.order(alice, editor, "edit", form)[1])

    halted_at("saved", send, meanwhile=send)
    assert sorted(made) == [False, True]
    assert len(names_in("works")) == File.objects.count() == 1
    assert _is_whole(Work.objects.get())


def test_a_copy_of_a_picture_is_a_file_of_its_own(alice: Wallet, editor: Service) -> None:
    old = stage.done(stage.order(alice, editor), stage.fake(editor))
    again = stage.order(alice, editor, source=old.source.pk)  # type: ignore[union-attr]
    files.delete(old)
    assert _is_whole(again)
    assert len(names_in("works")) == 1


def test_a_picture_that_is_gone_by_now_is_refused_in_words(alice: Wallet, editor: Service) -> None:
    old = stage.done(stage.order(alice, editor), stage.fake(editor))
    form = stage.valid_form(alice, "edit", source=old.source.pk)  # type: ignore[union-attr]
    files.delete(old)
    with pytest.raises(works.OrderRefused, match="was deleted"):
        works.order(alice, editor, "edit", form)


@pytest.mark.services
def test_all_of_this_holds_over_postgresql_too() -> None:
    require_service("PostgreSQL", postgres_answers())
    database = f"{POSTGRES}/races_{uuid4().hex[:12]}"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", __file__, "-m", "not services", "-n", "0"],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": database},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
    assert " 5 passed" in f" {done.stdout.splitlines()[-1]}"
