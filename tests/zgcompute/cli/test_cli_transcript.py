"""Every command on a real devnet: what it writes at two widths, its JSON, and no secret anywhere.

The transcripts are beside this file; UPDATE_TRANSCRIPTS=1 writes them anew, for a person to read.
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devnet.testing import Devnet
from tests.zgcompute.cli.desk import PNG, WAV
from tests.zgcompute.cli.schemas import COMMANDS, name_of, promised
from tests.zgcompute.cli.terminal import Terminal
from tests.zgcompute.cli.test_cli_main import commands
from zgcompute._http import HttpDoor
from zgcompute.cli.main import command

pytestmark = pytest.mark.chain

TRANSCRIPTS = Path(__file__).with_name("transcripts")
PASSPHRASE = "a passphrase nobody else has"
ELSEWHERE = {  # they stay until they are stopped: test_cli_wheel.py and the tests of serving
    "ui start-web",
    "inference serve",
    "inference router-serve",
}
# In the order of a wallet's life. {name} is a provider's address, {folder} the caller's.
STORY = (
    "setup-network devnet",
    "show-network",
    "login --force",
    "status",
    "add-account --yes --amount 20",
    "deposit --yes --amount 1.5",
    "inference list-providers",
    "inference list-providers-detail",
    "inference get-models --provider {aurora}",
    "transfer-fund --yes --amount 4 --provider {aurora}",
    "transfer-fund --yes --amount 4 --provider {prisma}",
    "transfer-fund --yes --amount 4 --provider {echo}",
    "get-account",
    "inference get-secret --provider {aurora}",
    "inference chat --provider {aurora} Hello",
    "inference image --provider {prisma} --output {folder}/picture.png Sunrise",
    "inference transcribe --provider {echo} {folder}/words.wav",
    "inference usage --provider {aurora}",
    "inference verify --provider {aurora} --output-dir {folder}",
    "verify-evidence {folder}/evidence-{aurora}.json",
    "inference verify-evidence {folder}/evidence-{aurora}.json",
    "inference download-report --provider {aurora} --output {folder}/report.json",
    "inference revoke-token --yes --slot 9 --provider {aurora}",
    "inference revoke-all-tokens --yes --provider {aurora}",
    "retrieve-fund --yes --provider {echo}",
    "get-sub-account --provider {echo}",
    "refund --yes --amount 1",
    "completion fish",
    "logout --yes",
)
SAID_NO = {"inference verify": 5, "verify-evidence": 5, "inference verify-evidence": 5}
SAME_LENGTH = (  # what differs from run to run, replaced by as many characters
    (re.compile(r"0x[0-9a-fA-F]{64}"), "h"),
    (re.compile(r"0x[0-9a-fA-F]{40}"), "A"),
    (re.compile(r"[0-9a-f]{64,}"), "h"),
)
VARYING = (
    (re.compile(r"app-sk-\S+"), "app-sk-…"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:PORT"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"), "MOMENT"),
    (re.compile(r"(In the wallet|network fee|Network fee +about|block)\s+[\d.]+"), r"\1 N"),
    (re.compile(r"\(\d+ bytes"), "(N bytes"),
)


@pytest.fixture(scope="module")
def own_devnet() -> Iterator[Devnet]:
    with Devnet() as running:
        yield running


@pytest.fixture
def terminal(own_devnet: Devnet, tmp_path: Path) -> Terminal:
    found = Terminal(own_devnet, tmp_path / "settings", secrets.token_hex(32))
    found.variables = {"ZG_KEYSTORE_PASSWORD": PASSPHRASE}
    found.endow("100")
    (tmp_path / "words.wav").write_bytes(WAV)
    (tmp_path / "picture.png").write_bytes(PNG)
    return found


def words_of(line: str, terminal: Terminal) -> list[str]:
    devnet = terminal.devnet
    assert isinstance(devnet, Devnet)
    names = {name: devnet.address(name) for name in ("aurora", "prisma", "echo")}
    return [word.format(folder=terminal.folder.parent, **names) for word in line.split()]


def told(terminal: Terminal, *more: str) -> dict[str, Any]:
    """Run the story; the results by line."""
    found = {}
    for line in STORY:
        result = terminal.run("", *words_of(line, terminal), *more)
        assert result.exit_code == SAID_NO.get(name_of(line), 0), (line, result.stderr)
        found[line] = result
    return found


def steady(text: str, terminal: Terminal) -> str:
    """`text` without what differs from run to run; its lines keep their lengths where they can."""
    text = text.replace(str(terminal.folder.parent), "FOLDER")
    for pattern, letter in SAME_LENGTH:
        text = pattern.sub(lambda found, to=letter: to * len(found[0]), text)
    for pattern, replacement in VARYING:
        text = pattern.sub(replacement, text)
    return text


@pytest.mark.parametrize("columns", [80, 60])
def test_each_command_writes_what_its_transcript_has(terminal: Terminal, columns: int) -> None:
    terminal.columns = columns
    parts = []
    for line, result in told(terminal).items():
        shown = f"$ 0g-compute-cli {line}\n{result.stdout}--\n{result.stderr}"
        parts.append(steady(shown, terminal))
    text, file = "\n".join(parts), TRANSCRIPTS / f"{columns}.txt"
    if os.environ.get("UPDATE_TRANSCRIPTS"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, "utf-8")
    assert text == file.read_text("utf-8")
    assert "\x1b" not in text


def test_each_command_writes_json_of_its_schema_and_no_secret(
    terminal: Terminal, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("asyncio").setLevel(logging.INFO)
    for line, result in told(terminal, "--json").items():
        promised(name_of(line), json.loads(result.stdout))
        if name_of(line) != "inference get-secret":
            assert "app-sk-" not in result.stdout, line
        assert "app-sk-" not in result.stderr.replace("app-sk-…", ""), line
    for secret in (terminal.key, PASSPHRASE, "app-sk-"):
        assert secret not in caplog.text
    for secret in (terminal.key, PASSPHRASE):
        assert secret not in terminal.seen
        for file in terminal.folder.iterdir():
            assert secret not in file.read_text("utf-8"), file


def test_every_command_has_a_schema_and_is_in_the_story() -> None:
    groups = {"inference", "ui"}
    names = {" ".join(path) for path in commands()} - groups
    assert set(COMMANDS) == names
    elsewhere = ELSEWHERE | {
        "inference acknowledge-provider",  # test_cli_api_keys.py
        "inference update-service",  # test_cli_offering.py
        "inference remove-service",
    }
    assert {name_of(line) for line in STORY} == names - elsewhere
    assert command.name == "0g-compute-cli"


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("status", 0),
        ("verify-evidence {folder}/words.wav", 1),
        ("deposit --amount 5", 2),
        ("get-account --network nowhere", 2),
        ("add-account --yes --amount 1", 3),
        ("get-account --rpc http://127.0.0.1:9", 4),
        ("inference verify --provider {aurora} --output-dir {folder}", 5),
    ],
)
def test_each_exit_status_comes_of_a_real_situation(
    terminal: Terminal, line: str, status: int
) -> None:
    result = terminal.run("", *words_of(line, terminal))
    assert result.exit_code == status
    assert result.stderr or status == 0


def test_a_fault_of_our_own_shows_no_secret_in_its_traceback(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zgcompute.session import SessionRequest

    def broken(*arguments: object) -> None:
        raise RuntimeError("a fault of our own")

    monkeypatch.setattr(SessionRequest, "signed_by", broken)
    terminal.ok("add-account --yes --amount 9")
    terminal.ok("", *words_of("transfer-fund --yes --amount 4 --provider {aurora}", terminal))
    result = terminal.run("", *words_of("inference chat --provider {aurora} Hi", terminal))
    assert isinstance(result.exception, RuntimeError)
    written = "".join(traceback.format_exception(result.exception))
    frames = traceback.TracebackException.from_exception(result.exception, capture_locals=True)
    for secret in (terminal.key, PASSPHRASE):
        assert secret not in written
        assert secret not in "".join(frames.format()).replace(repr(terminal), "")


@pytest.mark.parametrize("is_ready", [False, True], ids=["session", "API key"])
def test_a_fault_while_a_key_is_sent_shows_none_in_its_traceback(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, is_ready: bool
) -> None:
    sent: list[str] = []

    def broken(
        door: object, url: str, limits: object, headers: dict[str, str], body: bytes
    ) -> None:
        sent.append(headers["authorization"])
        raise RuntimeError("a fault of our own")

    terminal.ok("add-account --yes --amount 9")
    terminal.ok("", *words_of("transfer-fund --yes --amount 4 --provider {aurora}", terminal))
    ask = words_of("inference chat --provider {aurora} Hi", terminal)
    if is_ready:
        made = terminal.ok("", *words_of("inference get-secret --provider {aurora}", terminal))
        terminal.variables["ZG_API_KEY"] = made.stdout.strip()
    monkeypatch.setattr(HttpDoor, "stream", broken)
    result = terminal.run("", *ask)
    assert isinstance(result.exception, RuntimeError)
    assert sent[0].startswith("Bearer app-sk-")
    written = "".join(traceback.format_exception(result.exception))
    assert "app-sk-" not in written + result.stdout + result.stderr
