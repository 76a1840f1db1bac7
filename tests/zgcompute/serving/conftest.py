"""One funded wallet, and servers that tests share because starting takes a second."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack

import pytest

from devnet.testing import Devnet
from tests.zgcompute.serving.servers import PAID, Payer, Served, payer

KINDS = {"chat": "aurora", "images": "prisma", "edits": "retouch", "speech": "echo"}


@pytest.fixture(scope="package")
def alice(devnet: Devnet, tmp_path_factory: pytest.TempPathFactory) -> Payer:
    """Alice has funds at every provider."""
    return payer(devnet, tmp_path_factory.mktemp("alice"))


class Fronts:
    """The servers of one command, by the kind of call: one for all, or one for each."""

    def __init__(self, alice: Payer, command: str, stack: ExitStack) -> None:
        self._alice, self._command, self._stack = alice, command, stack
        self._running: dict[str, Served] = {}

    def of(self, kind: str) -> Served:
        """The server that takes calls of `kind`."""
        name = kind if self._command == "serve" else "all"
        if name not in self._running:
            self._running[name] = self._stack.enter_context(self.fresh(kind))
        return self._running[name]

    def fresh(self, kind: str, *options: str) -> AbstractContextManager[Served]:
        """A server of one test's own, with `options`."""
        address = self._alice.devnet.address
        arguments = ["--provider", address(KINDS[kind])]
        if self._command == "router-serve":
            arguments = [word for p in PAID for word in ("--add-provider", address(p))]
        return self._alice.serving(self._command, *arguments, *options)


@pytest.fixture(scope="package", params=["serve", "router-serve"])
def fronts(request: pytest.FixtureRequest, alice: Payer) -> Iterator[Fronts]:
    """Both commands in turn."""
    with ExitStack() as stack:
        yield Fronts(alice, request.param, stack)
