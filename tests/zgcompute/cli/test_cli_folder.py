from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.zgcompute.cli.desk import Desk
from zgcompute.cli.folder import folder as chosen
from zgcompute.cli.folder import read_object, write_object
from zgcompute.errors import ConfigurationError


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("ZG_CONFIG_DIR")
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_files_are_in_the_home_folder_and_closed_to_others(home: Path) -> None:
    (home / ".0g-compute-cli").mkdir(mode=0o755)
    written = write_object("config.json", {"network": "devnet"})
    assert written == home / ".0g-compute-cli/config.json"
    assert (mode(written.parent), mode(written)) == (0o700, 0o600)


def test_a_named_folder_is_made_closed_but_one_that_is_there_stays_as_it_is(folder: Path) -> None:
    write_object("config.json", {})
    assert mode(folder) == 0o700
    folder.chmod(0o755)
    write_object("config.json", {})
    assert (mode(folder), mode(folder / "config.json")) == (0o755, 0o600)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(folder: Path) -> None:
    write_object("config.json", {"network": "devnet"})
    with pytest.raises(TypeError):
        write_object("config.json", {"network": object()})
    assert read_object(folder / "config.json") == {"network": "devnet"}
    assert [path.name for path in folder.iterdir()] == ["config.json"]


def test_a_mask_of_the_shell_opens_nothing(folder: Path) -> None:
    before = os.umask(0)
    try:
        write_object("config.json", {})
    finally:
        os.umask(before)
    assert (mode(folder), mode(folder / "config.json")) == (0o700, 0o600)


def test_a_huge_file_is_not_read(folder: Path) -> None:
    folder.mkdir()
    with (folder / "config.json").open("wb") as file:
        file.truncate((16 << 20) + 1)
    with pytest.raises(ConfigurationError, match="is not a JSON object"):
        read_object(folder / "config.json")


def test_looking_needs_no_home_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/dev/null")
    assert chosen() == Path("/dev/null/.0g-compute-cli")
    assert Desk().run("show-network", "--network", "devnet").exit_code == 0
    monkeypatch.setenv("HOME", "~")
    refused = Desk().run("setup-network", "devnet")
    assert (refused.exit_code, "Name a folder in ZG_CONFIG_DIR" in refused.stderr) == (2, True)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    place = str(tmp_path / "file/settings")
    result = Desk().run("setup-network", "devnet", ZG_CONFIG_DIR=place)
    assert (result.exit_code, str(tmp_path) in result.stderr) == (1, True)
