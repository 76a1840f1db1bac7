"""A storage that halts in the middle, so that a test can do something else meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

from django.core.files.storage import FileSystemStorage, default_storage
from django.db import connection

SECONDS = 20  # nobody waits longer; a test that gets here fails


class HaltingStorage(FileSystemStorage):
    """Halts the one call that `halt_at` names, until somebody lets it go on: a deletion before it
    begins, a saving when it is done."""

    halt_at, halted, go_on = "", Event(), Event()

    def save(self, *args: object, **options: object) -> str:
        saved: str = super().save(*args, **options)  # type: ignore[arg-type]
        self._halt("saved")
        return saved

    def delete(self, name: str) -> None:
        self._halt("delete")
        super().delete(name)

    @classmethod
    def _halt(cls, where: str) -> None:
        if cls.halt_at == where:
            cls.halt_at = ""
            cls.halted.set()
            assert cls.go_on.wait(SECONDS)


def use_halting_storage(settings: object, folder: Path) -> None:
    backend = f"{__name__}.{HaltingStorage.__name__}"
    own = {"BACKEND": backend, "OPTIONS": {"location": str(folder)}}
    settings.STORAGES = settings.STORAGES | {"default": own}  # type: ignore[attr-defined]
    HaltingStorage.halted, HaltingStorage.go_on = Event(), Event()


def halted_at(where: str, first: Callable[[], object], meanwhile: Callable[[], object]) -> None:
    """Halt `first` at `where`, do all of `meanwhile` on another connection, let `first` go on."""

    def apart(act: Callable[[], object]) -> None:
        try:
            act()
        finally:
            connection.close()

    HaltingStorage.halt_at = where
    with ThreadPoolExecutor(2) as pool:
        halted = pool.submit(apart, first)
        assert HaltingStorage.halted.wait(SECONDS)
        try:
            pool.submit(apart, meanwhile).result(SECONDS)
        finally:
            HaltingStorage.go_on.set()
        halted.result(SECONDS)


def names_in(folder: str) -> list[str]:
    """The names of all that is stored in the folders of `folder`."""
    if not default_storage.exists(folder):
        return []
    inner = default_storage.listdir(folder)[0]
    return [name for one in inner for name in default_storage.listdir(f"{folder}/{one}")[1]]
