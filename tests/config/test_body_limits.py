"""A real site process refuses what is too large in words, and never holds it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from chat.forms import MAX_IMPORT
from tests.site_fixture import ROOT, free_port

pytestmark = pytest.mark.usefixtures("local_server")
MB = 1 << 20
PIECE = bytes(64 * 1024)
ROOM = 24 * MB  # what the process may grow by, and what it may write, for any refused body


@dataclass(frozen=True)
class Served:
    """A site process and its port."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def most_memory(self) -> int:
        """The most bytes of memory it has ever held."""
        status = Path(f"/proc/{self.process.pid}/status").read_text("ascii")
        return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])  # type: ignore[index]

    @property
    def written(self) -> int:
        """Bytes that it has handed to the operating system, sockets included."""
        counts = Path(f"/proc/{self.process.pid}/io").read_text("ascii")
        return int(re.search(r"wchar: (\d+)", counts)[1])  # type: ignore[index]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder, port = tmp_path_factory.mktemp("bounded"), free_port()
    environment = os.environ | {"VAR_DIR": str(folder), "NETWORKS": "devnet", "DEBUG": "1"}
    environment |= {"DJANGO_SETTINGS_MODULE": "config.settings"}
    migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(migrate, cwd=ROOT, env=environment, check=True)
    command = [sys.executable, "-m", "uvicorn", "config.asgi:application", "--port", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        _wait_for(process, port)
        yield Served(port, process)
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("The site did not start.")


def _post(
    served: Served, headers: str, pieces: Iterator[bytes], path: str = "images/orders/"
) -> str:
    """Send the whole request before anything is read, as browsers do; returns the reply."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as wire:
        head = f"POST /devnet/{path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\r\n"
        wire.sendall(head.encode())
        for piece in pieces:
            wire.sendall(piece)
        return b"".join(iter(lambda: wire.recv(65536), b"")).decode("utf-8", "replace")


def _plain(size: int) -> Iterator[bytes]:
    return (PIECE for _ in range(size // len(PIECE)))


def _chunked(size: int) -> Iterator[bytes]:
    head = f"{len(PIECE):x}\r\n".encode()
    yield from (head + piece + b"\r\n" for piece in _plain(size))
    yield b"0\r\n\r\n"


@pytest.mark.parametrize("is_stated", [True, False], ids=["stated", "without a length"])
def test_a_100_mb_upload_is_refused_in_words_and_held_nowhere(
    served: Served, is_stated: bool
) -> None:
    _post(served, "Content-Length: 0\r\nConnection: close", iter(()))  # everything is imported now
    memory, written = served.most_memory, served.written
    sent = _plain(100 * MB) if is_stated else _chunked(100 * MB)
    length = f"Content-Length: {100 * MB}" if is_stated else "Transfer-Encoding: chunked"
    reply = _post(served, length, sent)
    assert reply.startswith("HTTP/1.1 413 ")
    assert "larger than 32 MB" in reply
    assert "choose a smaller file" in reply
    assert served.most_memory - memory < ROOM
    assert served.written - written < (MB if is_stated else 32 * MB + ROOM)


def test_who_asks_before_sending_is_refused_before_sending(served: Served) -> None:
    reply = _post(served, f"Content-Length: {100 * MB}\r\nExpect: 100-continue", iter(()))
    assert reply.startswith("HTTP/1.1 413 ")  # and no 100 Continue before it


def test_what_is_small_enough_goes_to_the_page(served: Served) -> None:
    headers = f"Content-Length: {MB}\r\nConnection: close"
    assert _post(served, headers, _plain(MB)).startswith("HTTP/1.1 403 ")  # no CSRF token


def test_an_export_as_large_as_can_be_imported_goes_to_its_page(served: Served) -> None:
    headers = f"Content-Length: {MAX_IMPORT}\r\nConnection: close"
    assert _post(served, headers, _plain(MAX_IMPORT), "chat/imports/").startswith("HTTP/1.1 403 ")


def test_more_than_can_be_imported_is_refused_with_that_limit(served: Served) -> None:
    headers = f"Content-Length: {51 * MB}"
    assert "larger than 50 MB" in _post(served, headers, _plain(51 * MB), "chat/imports/")
