"""Every snippet of the build page, run against the devnet exactly as it is shown."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from accounts import build
from marketplace.models import Service
from tests.payers import payer
from zgcompute.broker import Broker

if TYPE_CHECKING:
    from devnet.testing import Devnet

pytestmark = [pytest.mark.chain]
ROOT = Path(__file__).resolve().parents[2]
RUNS_WITHIN = 60  # seconds
PROVIDERS = {"aurora": "chatbot", "prisma": "text-to-image", "retouch": "image-editing"} | {
    "echo": "speech-to-text"
}
CASES = [
    (name, language, mode)
    for name, service_type in PROVIDERS.items()
    for language, mode in build.offered(build.KINDS[service_type])
]


@pytest.fixture(scope="module")
def broker(devnet: Devnet) -> Iterator[Broker]:
    """A wallet that has funds with every provider that the snippets ask."""
    with payer(devnet, "20", dict.fromkeys(PROVIDERS, "3")) as funded:
        yield funded


def service_of(broker: Broker, devnet: Devnet, name: str) -> Service:
    """The provider's service as the site would have mirrored it (unsaved)."""
    found, now = broker.services.get(devnet.address(name)), timezone.now()
    return Service(
        network="devnet",
        provider=found.provider,
        service_type=found.service_type,
        url=found.url,
        model=found.model,
        verifiability=found.verifiability,
        input_price=found.input_price,
        output_price=found.output_price,
        additional_info=found.additional_info,
        tee_signer=found.tee_signer,
        tee_signer_acknowledged=found.tee_signer_acknowledged,
        updated_at=found.updated_at,
        first_seen_at=now,
        seen_at=now,
    )


@pytest.mark.parametrize("key_from", ["environment", "snippet"])
@pytest.mark.parametrize(("name", "language", "mode"), CASES)
def test_the_snippet_runs_as_shown(
    request: pytest.FixtureRequest,
    broker: Broker,
    devnet: Devnet,
    tmp_path: Path,
    name: str,
    language: str,
    mode: str,
    key_from: str,
) -> None:
    service = service_of(broker, devnet, name)
    token = broker.inference.api_key(service.provider, 7, timedelta(hours=1))
    in_code = token.api_key if key_from == "snippet" else ""
    code = build.snippet(service, devnet.network, language, mode, api_key=in_code)
    environment = {} if in_code else {build.KEY_VARIABLE: token.api_key}
    folder = request.getfixturevalue("javascript") if language == "javascript" else None
    _lay_out(tmp_path, folder)
    done = _run(code, language, tmp_path, environment, devnet)
    _judge(name, language, mode, done.stdout, tmp_path)
    if language == "0g-compute-cli":
        assert done.stderr.startswith("Fee: ")
        assert "Verification: verified. " in done.stderr
        assert token.api_key not in done.stdout + done.stderr


def _lay_out(folder: Path, javascript: Path | None) -> None:
    """The files that the page says must be there, and the packages."""
    (folder / "picture.png").write_bytes(_png())
    (folder / "recording.wav").write_bytes(_wav(5.0))
    if javascript:
        (folder / "node_modules").symlink_to(javascript / "node_modules")


def _run(
    code: str, language: str, folder: Path, extra: dict[str, str], devnet: Devnet
) -> subprocess.CompletedProcess[str]:
    """Run `code` by what the page names for it."""
    commands = {
        "curl": ("hello.sh", ["bash", "hello.sh"]),
        "javascript": ("hello.mjs", ["node", "hello.mjs"]),
        "python": ("hello.py", [sys.executable, "hello.py"]),
        "zgcompute": ("hello.py", [sys.executable, "-c", _on_this_devnet(devnet)]),
        "0g-compute-cli": ("hello.sh", ["bash", "hello.sh"]),
    }
    file, command = commands[language]
    (folder / file).write_text(code, "utf-8")
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment = kept | extra | {"PYTHONPATH": str(ROOT)}
    if language == "0g-compute-cli":
        networks = folder / "networks-of-this-test.toml"
        networks.write_text(f'[devnet]\nrpc_urls = ["{devnet.rpc_url}"]\n')
        environment["PATH"] = f"{ROOT / 'bin'}{os.pathsep}{environment['PATH']}"
        environment["ZG_NETWORKS_FILE"] = str(networks)
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=RUNS_WITHIN
    )
    assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"
    return done


def _on_this_devnet(devnet: Devnet) -> str:
    """Run hello.py where the name "devnet" means the devnet of this test, at its own port."""
    return (
        "import runpy; from dataclasses import replace; from zgcompute import networks;"
        f"ours = replace(networks.DEVNET, rpc_urls=({devnet.rpc_url!r},));"
        "networks.BUILT_IN = {'devnet': ours}; runpy.run_path('hello.py')"
    )


def _judge(name: str, language: str, mode: str, output: str, folder: Path) -> None:
    if language == "curl":
        assert '"error"' not in output
        wanted = {"aurora": '"content"', "prisma": '"url"', "retouch": '"url"', "echo": '"text"'}
        assert wanted[name] in output
        assert ("data: [DONE]" in output) == (mode == "stream")
    elif name in ("prisma", "retouch"):
        file = folder / ("picture.png" if name == "prisma" else "edited.png")
        assert output.splitlines()[0] == f"Wrote {file.name}"
        picture = file.read_bytes()
        assert picture.startswith(b"\x89PNG")
        assert picture != _png()
    else:
        assert len(output.strip()) > 10
    if language == "zgcompute":
        assert output.endswith(" neuron\nverified\n")


def test_a_revoked_key_is_refused_and_the_next_one_is_not(broker: Broker, devnet: Devnet) -> None:
    from zgcompute import SessionRevoked, chat_body

    address = devnet.address("aurora")
    provider = broker.provider(address)
    first, second = (broker.inference.api_key(address, slot) for slot in (20, 21))
    body = chat_body(
        broker.services.get(address).model, [{"role": "user", "content": "Hello"}], stream=False
    )
    for key in (first, second):
        assert provider.chat(key.api_key, body).text
    broker.chain.wait(
        broker.chain.send(broker.calls.revoke_token(address, 20), broker.required_signer())
    )
    devnet.reset()  # providers look at the chain again
    with pytest.raises(SessionRevoked):
        provider.chat(first.api_key, body)
    assert provider.chat(second.api_key, body).text


@cache
def _png() -> bytes:
    """A picture of one colour, 64 by 64."""
    from devnet.providers import png

    plane = [bytearray([120] * 64) for _ in range(64)]
    return png.encode(png.Picture(64, 64, (plane, plane, plane)), comment="test")


def _wav(seconds: float, rate: int = 8000) -> bytes:
    data = bytes(int(seconds * rate) * 2)
    kind = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16)
    body = b"WAVE" + kind + struct.pack("<4sI", b"data", len(data)) + data
    return struct.pack("<4sI", b"RIFF", len(body)) + body
