"""Files that only their owner can read, written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zgcompute import _reading as read
from zgcompute.errors import ConfigurationError

_LARGEST = 16 << 20  # bytes; a key, or some thousand notes


def read_object(path: Path) -> dict[str, Any] | None:
    """The JSON object in the file, None where there is no file; raises ConfigurationError."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    found = read.json_object(content) if len(content) <= _LARGEST else None
    if found is None:
        raise ConfigurationError(
            f"{path} is not a JSON object.", advice="Move it away, or put back a copy of it."
        )
    return found


def write_object(path: Path, value: Mapping[str, Any]) -> Path:
    """Write `value` as the file: mode 0600, in one step, and onto the disk."""
    import secrets

    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with open(draft, "x", encoding="utf-8", opener=_private) as file:
            file.write(json.dumps(value, indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    _keep_entries(path.parent)
    return path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one process at a time, and one thread of it, read and write the file."""
    import fcntl

    with open(path.with_name(f".{path.name}.lock"), "a", opener=_private) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def _keep_entries(place: Path) -> None:
    """Bring the folder's entry to the disk too: a lost key is lost money."""
    entries = os.open(place, os.O_RDONLY)
    try:
        os.fsync(entries)
    finally:
        os.close(entries)
