"""The wheel, installed into an empty environment: the command, the chain, and the whole site."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from devnet.testing import Devnet
from tests.site_fixture import free_port
from tests.zgcompute.cli.schemas import promised

ROOT = Path(__file__).parents[3]
PARTS = {"accounts", "chat", "config", "devnet", "marketplace", "studio", "templates", "static"}

pytestmark = pytest.mark.chain


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of an environment that has the wheel, and of ours the packages it depends on."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    arguments = ["install", "--quiet", "--no-deps", "--no-index", "--no-compile", str(wheel)]
    subprocess.run([*pip, *arguments], check=True, capture_output=True)
    (packages,) = (folder / "lib").glob("python*/site-packages")
    (packages / "ours.pth").write_text(sysconfig.get_path("purelib"))
    return folder / "bin" / "0g-compute-cli"


@pytest.fixture
def site(installed: Path, devnet: Devnet, tmp_path: Path) -> Iterator[str]:
    """The address of the site that the command has started, read from its JSON."""
    networks = tmp_path / "networks.toml"
    networks.write_text(f'[devnet]\nrpc_urls = ["{devnet.rpc_url}"]\n')
    environment = plain_environment(tmp_path) | {"ZG_PRIVATE_KEY": "11" * 32}
    arguments = ["--no-devnet", "--json", "--port", str(free_port()), "--networks-file", networks]
    with (tmp_path / "site.log").open("wb") as log:
        process = subprocess.Popen(
            [installed, "ui", "start-web", *arguments],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
        )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, (tmp_path / "site.log").read_text()
        variables = Path(f"/proc/{process.pid}/environ").read_bytes()
        assert b"ZG_PRIVATE_KEY" not in variables  # the site needs none
        yield promised("ui start-web", json.loads(line))["url"]
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 0


def plain_environment(folder: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "ZG_CONFIG_DIR": str(folder / "settings")}


def read(url: str) -> tuple[str, str]:
    with urllib.request.urlopen(url, timeout=30) as reply:
        return reply.headers["content-type"], reply.read().decode()


def test_the_wheel_has_the_site_in_a_folder_of_its_own(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.split("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == {"zgcompute"}
    inside = {name.split("/")[2] for name in names if name.startswith("zgcompute/_site/")}
    assert inside >= PARTS
    assert not [name for name in names if "__pycache__" in name or "/tests/" in name]


def test_the_installed_command_reads_the_chain(
    installed: Path, devnet: Devnet, tmp_path: Path
) -> None:
    def shown(*arguments: str) -> str:
        environment = plain_environment(tmp_path) | {"ZG_RPC_ENDPOINT": devnet.rpc_url}
        command = [installed, *arguments]
        run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        return run.stdout

    assert shown("--version").startswith("0g-compute-cli, version ")
    assert "devnet-chat" in shown("inference", "list-providers", "--network", "devnet")


def test_the_installed_site_shows_its_catalog_in_its_own_style(site: str, tmp_path: Path) -> None:
    kind, page = read(f"{site}/devnet/")
    assert kind.startswith("text/html")
    sheet = re.search(r'href="(/static/[^"]+\.css)"', page)
    assert sheet is not None
    kind, style = read(site + sheet[1])
    assert kind.startswith("text/css")
    assert "--" in style
    data = tmp_path / "settings" / "site"
    assert data.stat().st_mode & 0o777 == 0o700
    assert (data / "site.sqlite3").exists()


def test_a_taken_port_is_said_with_another_to_choose(
    installed: Path, site: str, tmp_path: Path
) -> None:
    port = site.rpartition(":")[2]
    command = [installed, "ui", "start-web", "--no-devnet", "--port", port]
    run = subprocess.run(
        command, env=plain_environment(tmp_path), capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout) == (1, "")
    assert f"Port {port} is taken" in run.stderr
    assert f"--port {int(port) + 1}" in run.stderr
