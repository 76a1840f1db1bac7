"""Check that requirements.lock satisfies pyproject.toml and names no package index."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Print every disagreement; return 1 if there is one."""
    text = (ROOT / "requirements.lock").read_text("utf-8")
    problems = [f"requirements.lock names an address: {line}" for line in _addresses(text)]
    problems += _disagreements(_wanted(), _locked(text))
    print("\n".join(problems), end="\n" if problems else "")
    return 1 if problems else 0


def _addresses(text: str) -> list[str]:
    return [line for line in text.splitlines() if re.search(r"://|^--", line)]


def _wanted() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    return [Requirement(line) for group in groups for line in group]


def _locked(text: str) -> dict[str, str]:
    environment = {key: str(value) for key, value in default_environment().items()}
    pins = [Requirement(line) for line in text.splitlines() if line.strip()]
    return {
        canonicalize_name(pin.name): str(pin.specifier).removeprefix("==")
        for pin in pins
        if pin.marker is None or pin.marker.evaluate(environment)
    }


def _disagreements(wanted: list[Requirement], locked: dict[str, str]) -> list[str]:
    found = []
    for requirement in wanted:
        version = locked.get(canonicalize_name(requirement.name))
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            found.append(f"{requirement} is locked as {version}; run: bin/lock")
    return found


if __name__ == "__main__":
    sys.exit(main())
