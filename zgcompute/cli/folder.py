"""The folder with the wallet's key, the chosen network and the issued API keys.

Files in it are written whole or not at all, and only their owner can read them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

VARIABLE = "ZG_CONFIG_DIR"
_LARGEST = 16 << 20  # bytes; a key, or some thousand notes of API keys


def folder() -> Path:
    """Where the files are: ZG_CONFIG_DIR, or .0g-compute-cli in the home folder."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else Path(os.path.expanduser("~"), ".0g-compute-cli")


def read_object(path: Path) -> dict[str, Any] | None:
    """The JSON object in the file, None where there is no file; raises ConfigurationError."""
    from zgcompute import _reading as read
    from zgcompute.errors import ConfigurationError

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


def write_object(name: str, value: Mapping[str, Any]) -> Path:
    """Write `value` as the file `name`: mode 0600, in a folder of mode 0700, in one step."""
    import secrets

    place = _made()
    draft = place / f".{name}.{secrets.token_hex(8)}"
    try:
        with open(draft, "x", encoding="utf-8", opener=_private) as file:
            file.write(json.dumps(value, indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(place / name)
    finally:
        draft.unlink(missing_ok=True)
    _keep_entries(place)
    return place / name


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Let one process at a time read and write the file `name`."""
    import fcntl

    with open(_made() / f".{name}.lock", "a", opener=_private) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _made() -> Path:
    from zgcompute.errors import ConfigurationError

    place, is_named = folder(), bool(os.environ.get(VARIABLE))
    if not is_named and not place.is_absolute():
        raise ConfigurationError(
            "There is no home folder to keep things in.", advice=f"Name a folder in {VARIABLE}."
        )
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not is_named and place.stat().st_mode & 0o077:
        place.chmod(0o700)  # made by another program; a folder that was named is its owner's
    return place


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def _keep_entries(place: Path) -> None:
    """Bring the folder's entry to the disk too: a lost key is lost money."""
    entries = os.open(place, os.O_RDONLY)
    try:
        os.fsync(entries)
    finally:
        os.close(entries)
