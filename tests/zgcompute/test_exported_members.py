from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import zgcompute
from zgcompute import _public, errors

ROOT = Path(zgcompute.__file__).parent
PUBLIC_MODULES = [
    name
    for _, name, _ in pkgutil.iter_modules(zgcompute.__path__)
    if not name.startswith("_") and name != "cli"
] + [f"attestation.{name}" for _, name, _ in pkgutil.iter_modules([str(ROOT / "attestation")])]


def test_the_public_list_is_sorted_and_without_duplicates() -> None:
    def order(name: str) -> tuple[int, str]:  # constants, classes, functions, as ruff sorts them
        return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)

    assert list(zgcompute.__all__) == sorted(set(zgcompute.__all__), key=order)


@pytest.mark.parametrize("name", zgcompute.__all__)
def test_every_public_name_exists_and_is_explained(name: str) -> None:
    member = getattr(zgcompute, name)
    if inspect.isclass(member) or inspect.isfunction(member) or inspect.ismodule(member):
        assert inspect.getdoc(member), name


def test_nothing_is_imported_that_is_not_listed() -> None:
    modules = set(PUBLIC_MODULES) | {"cli"}
    public = {name for name in vars(_public) if not name.startswith("_")}
    assert public - modules == set(zgcompute.__all__) - modules
    assert dir(zgcompute) == sorted(zgcompute.__all__)


def test_a_name_that_is_not_there_is_missed_in_the_usual_way() -> None:
    assert not hasattr(zgcompute, "Nothing")
    assert not hasattr(zgcompute, "__wrapped__")
    with pytest.raises(ImportError):
        from zgcompute import Nothing  # noqa: F401


def test_the_version_is_the_distributions() -> None:
    project = tomllib.loads((ROOT.parent / "pyproject.toml").read_text("utf-8"))["project"]
    assert zgcompute.__version__ == project["version"]


def test_all_errors_are_public() -> None:
    classes = {
        name
        for name, error in inspect.getmembers(errors, inspect.isclass)
        if error.__module__ == errors.__name__
    }
    assert classes <= set(zgcompute.__all__)


@pytest.mark.parametrize("module", PUBLIC_MODULES)
def test_public_functions_classes_and_methods_have_docstrings(module: str) -> None:
    path = ROOT / f"{module.replace('.', '/')}.py"
    path = path if path.exists() else ROOT / module / "__init__.py"
    tree = ast.parse(path.read_text("utf-8"))
    assert ast.get_docstring(tree), module
    missing = [
        node.name
        for node in tree.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    # A dataclass that only holds named fields may let its names speak.
    assert [name for name in missing if not _is_record(module, name)] == []


def test_importing_the_sdk_brings_no_heavy_library() -> None:
    code = (
        "import sys, zgcompute;"
        "print([m for m in ('web3', 'httpx', 'aiohttp', 'eth_account', 'eth_abi', 'django')"
        " if m in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT.parent
    )
    assert run.stdout.strip() == "[]"


def _is_record(module: str, name: str) -> bool:
    import dataclasses

    return dataclasses.is_dataclass(getattr(importlib.import_module(f"zgcompute.{module}"), name))
