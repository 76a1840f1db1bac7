"""OpenAI's JavaScript client, for the tests that run it."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent.parent / "var" / "openai-js"
PACKAGE = "openai@7.57.0"


@pytest.fixture(scope="session")
def javascript() -> Path:
    """A folder in which node finds the openai package; it is installed once."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("OpenAI's JavaScript client did not run: node and npm are not on this machine")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run in several processes
        if not (FOLDER / "node_modules" / "openai").is_dir():
            _install()
    return FOLDER


def _install() -> None:
    (FOLDER / "package.json").write_text('{"private": true}')
    command = ["npm", "install", "--no-audit", "--no-fund", "--no-save", PACKAGE]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"OpenAI's JavaScript client did not run: {done.stderr.strip()[-300:]}")
