"""The house's walls: which package may import which, and where the outside world begins."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = {"zgcompute", "marketplace", "accounts", "chat", "studio", "config", "devnet"}
MAY_IMPORT = {
    "zgcompute": set(),
    "marketplace": {"zgcompute"},
    "accounts": {"marketplace", "zgcompute"},
    "chat": {"accounts", "marketplace", "zgcompute"},
    "studio": {"accounts", "marketplace", "zgcompute"},
    "config": {"chat", "studio", "accounts", "marketplace", "zgcompute"},
    "devnet": {"zgcompute"},
}


@pytest.mark.parametrize("package", sorted(MAY_IMPORT))
def test_imports_go_one_way(package: str) -> None:
    allowed = MAY_IMPORT[package] | {package}
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in _sources(package)
        for name in _imports(path)
        if name.split(".")[0] in OURS - allowed
    ]
    assert wrong == []


@pytest.mark.parametrize("package", ["zgcompute", "devnet"])
def test_the_sdk_and_the_devnet_know_no_django(package: str) -> None:
    frameworks = {"django", "celery", "redis"}
    assert [
        p for p in _sources(package) if frameworks & {n.split(".")[0] for n in _imports(p)}
    ] == []


@pytest.mark.parametrize(
    ("library", "door"), [("web3", "zgcompute/_chain.py"), ("httpx", "zgcompute/_http.py")]
)
def test_one_module_imports_each_way_out(library: str, door: str) -> None:
    users = {
        str(path.relative_to(ROOT))
        for package in OURS
        for path in _sources(package)
        if any(name.split(".")[0] == library for name in _imports(path))
    }
    assert users == {door}


@pytest.mark.parametrize("package", ["marketplace", "accounts", "chat", "studio"])
def test_views_import_no_other_apps_views(package: str) -> None:
    wrong = [
        name
        for path in _sources(package)
        for name in _imports(path)
        if name.endswith(".views") and not name.startswith(package)
    ]
    assert wrong == []


def test_every_variable_of_the_settings_is_explained() -> None:
    read = set(re.findall(r'env_\w+\(\s*"([A-Z_]+)"', (ROOT / "config/settings.py").read_text()))
    explained = set(re.findall(r"^#?\s?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.M))
    assert read == explained


def test_safe_is_said_in_one_place_only() -> None:
    found = [
        p for p in (ROOT / "templates").rglob("*.html") if re.search(r"\|\s*safe\b", p.read_text())
    ]
    assert found == []


def test_colours_live_in_tokens_only() -> None:
    hexes = re.compile(r"#[0-9a-fA-F]{3,8}\b")
    sheets = [p for p in (ROOT / "static/css").glob("*.css") if p.name != "tokens.css"]
    assert [p.name for p in sheets if hexes.search(p.read_text())] == []


def _sources(package: str) -> Iterator[Path]:
    yield from sorted((ROOT / package).rglob("*.py"))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
