"""The folder with the wallet's key, the chosen network and the issued API keys.

Files in it are written whole or not at all, and only their owner can read them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

VARIABLE = "ZG_CONFIG_DIR"


def folder() -> Path:
    """Where the files are: ZG_CONFIG_DIR, or .0g-compute-cli in the home folder."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else Path(os.path.expanduser("~"), ".0g-compute-cli")


def read_object(path: Path) -> dict[str, Any] | None:
    """The JSON object in the file, None where there is no file; raises ConfigurationError."""
    from zgcompute import _private_files

    return _private_files.read_object(path)


def write_object(name: str, value: Mapping[str, Any]) -> Path:
    """Write `value` as the file `name`: mode 0600, in a folder of mode 0700, in one step."""
    from zgcompute import _private_files

    return _private_files.write_object(private_folder() / name, value)


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Let one process at a time read and write the file `name`."""
    from zgcompute import _private_files

    with _private_files.locked(private_folder() / name):
        yield


def private_folder() -> Path:
    """The folder, made for its owner alone where there was none; raises ConfigurationError."""
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
