"""Rules for every test: no sockets unless a marker allows them, and the shared devnet."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

pytest_plugins = ["tests.devnet_fixture", "tests.site_fixture", "tests.javascript_fixture"]

_REAL_PARTS = ("chain", "browser", "services")


@pytest.fixture(autouse=True)
def no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse connections to anything, except in tests marked as using real local parts."""
    if any(request.node.get_closest_marker(name) for name in _REAL_PARTS):
        return
    real_connect = socket.socket.connect

    def connect(self: socket.socket, address: object) -> None:
        if self.family == socket.AF_UNIX or _is_allowed(request, address):
            return real_connect(self, address)  # type: ignore[arg-type]
        raise AssertionError(f"A unit test opened a connection to {address}.")

    monkeypatch.setattr(socket.socket, "connect", connect)


def _is_allowed(request: pytest.FixtureRequest, address: object) -> bool:
    """Tests that start their own little server on a loopback port say so with `local_server`."""
    host = address[0] if isinstance(address, tuple) else ""
    return "local_server" in request.fixturenames and host in ("127.0.0.1", "::1")


@pytest.fixture
def local_server() -> None:
    """Named by tests (or fixtures) that talk to a server of their own on the loopback."""


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in its own
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Quick tests run first. Among several workers the browser stories start first, all in one."""
    items.sort(key=_slowness, reverse=hasattr(config, "workerinput"))
    for item in items:
        group = "stories" if item.get_closest_marker("browser") else item.nodeid.split("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))


def _slowness(item: pytest.Item) -> int:
    if item.get_closest_marker("browser"):
        return 2
    return 1 if item.get_closest_marker("chain") else 0


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None] | None:
    """Say how many browser stories ran, so that none can go missing unnoticed."""
    passed = terminalreporter.stats.get("passed", [])
    stories = sum("tests/browser/" in report.nodeid for report in passed)
    terminalreporter.write_line(f"browser stories passed: {stories}")
    return None
