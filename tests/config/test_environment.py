"""Settings are read loudly: a wrong value names its variable."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.environment import env_bool, env_int, env_list, env_secret, env_text


def test_a_blank_variable_means_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLOUR", "  ")
    assert env_text("COLOUR", "purple") == "purple"
    assert env_int("COLOUR", 7) == 7
    assert env_bool("COLOUR", True) is True


@pytest.mark.parametrize(("text", "value"), [("1", True), ("off", False), ("Yes", True)])
def test_a_switch_takes_the_usual_words(
    monkeypatch: pytest.MonkeyPatch, text: str, value: bool
) -> None:
    monkeypatch.setenv("SWITCH", text)
    assert env_bool("SWITCH", not value) is value


def test_a_wrong_switch_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWITCH", "maybe")
    with pytest.raises(ImproperlyConfigured, match="SWITCH"):
        env_bool("SWITCH", False)


def test_a_wrong_number_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNT", "many")
    with pytest.raises(ImproperlyConfigured, match="COUNT"):
        env_int("COUNT", 1)


def test_a_list_forgives_spaces_and_a_trailing_comma(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAMES", "a, b,")
    assert env_list("NAMES") == ["a", "b"]


def test_a_secret_may_stand_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hush\n")
    monkeypatch.setenv("KEY_FILE", str(tmp_path / "secret"))
    assert env_secret("KEY", fallback=None) == "hush"


def test_an_unreadable_secret_file_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KEY_FILE", str(tmp_path / "missing"))
    with pytest.raises(ImproperlyConfigured, match="KEY"):
        env_secret("KEY", fallback=None)


def test_a_laptops_secret_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "var" / "key"
    first = env_secret("UNSET_KEY", fallback=path)
    assert first == env_secret("UNSET_KEY", fallback=path)
    assert len(first) >= 48
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_hosted_site_without_its_secret_does_not_start() -> None:
    with pytest.raises(ImproperlyConfigured, match="UNSET_KEY"):
        env_secret("UNSET_KEY", fallback=None)
