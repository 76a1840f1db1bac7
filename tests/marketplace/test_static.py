"""What `collectstatic` makes of our files, and that a page finds all of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.management import call_command

SITE = {"staticfiles": {"BACKEND": "config.static.SiteStaticFiles"}}


@pytest.fixture
def collected(settings: LazySettings, tmp_path: Path) -> Path:
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = {**settings.STORAGES, **SITE}
    call_command("collectstatic", interactive=False, verbosity=0)
    return tmp_path


def only(folder: Path, pattern: str) -> str:
    (found,) = folder.glob(pattern)
    return found.read_text()


def test_a_page_asks_for_one_stylesheet(collected: Path) -> None:
    sheet = only(collected, "css/site.????????????.css")
    assert "@import" not in sheet
    assert "--raw-accent" in sheet
    assert ".entry" in sheet
    assert sheet.startswith("@layer tokens, base, layout, components, utilities;")


def test_modules_import_each_other_by_hashed_names(collected: Path) -> None:
    script = only(collected, "js/chat.????????????.js")
    (name,) = re.findall(r'from "\./(site\.\w{12}\.js)"', script)
    assert (collected / "js" / name).exists()


def test_everything_is_compressed_beside_the_original(collected: Path) -> None:
    assert len(list(collected.glob("css/site.????????????.css.br"))) == 1
    assert len(list(collected.glob("css/site.????????????.css.gz"))) == 1


def test_collecting_twice_joins_the_sources_again(collected: Path) -> None:
    before = only(collected, "css/site.????????????.css")
    call_command("collectstatic", interactive=False, verbosity=0)
    assert only(collected, "css/site.????????????.css") == before
