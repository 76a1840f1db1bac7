"""The server as a process: what it refuses to start with, how it ends, and what it never says."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest

from devnet.node import Node
from devnet.testing import Devnet
from tests.zgcompute.serving.servers import ROOT, Payer, payer
from zgcompute import Broker, LocalSigner, amounts

pytestmark = pytest.mark.chain
HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
LOCAL_KEY = "a-local-key-of-some-length"


def refused(alice: Payer, *arguments: str, **variables: str) -> tuple[int, str]:
    """The status and words of a server that does not start."""
    ended = subprocess.run(
        alice.command(*arguments),
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]} | alice.variables | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "Traceback" not in ended.stderr
    return ended.returncode, " ".join(ended.stderr.split())


def test_starting_bills_nothing(devnet: Devnet, tmp_path: Path) -> None:
    newcomer = payer(devnet, tmp_path, ("aurora",))
    with newcomer.serving("serve", "--provider", devnet.address("aurora")) as served:
        assert "Nothing has been billed" in served.log
        status = json.load(urllib.request.urlopen(f"{served.url}/providers/status"))
    assert status["providers"][0]["served"] == 0
    address = LocalSigner(newcomer.key).address
    assert all(address not in p["unsettled_requests"] for p in devnet.state()["providers"])


def test_a_local_key_is_an_authentication_error_where_it_is_wrong(
    alice: Payer, devnet: Devnet
) -> None:
    for command, option in (("serve", "--provider"), ("router-serve", "--add-provider")):
        address = devnet.address("aurora")
        with alice.serving(command, option, address, ZG_SERVE_KEY=LOCAL_KEY) as served:
            with pytest.raises(openai.AuthenticationError):
                served.client("sk-wrong").models.list()
            assert served.client(LOCAL_KEY).models.list().data
            assert LOCAL_KEY not in served.log


def test_where_others_can_reach_it_it_wants_a_key(alice: Payer, devnet: Devnet) -> None:
    arguments = ("serve", "--provider", devnet.address("aurora"), "--host", "0.0.0.0")
    status, words = refused(alice, *arguments)
    assert status == 2
    assert "ZG_SERVE_KEY" in words
    status, words = refused(alice, *arguments, ZG_SERVE_KEY="short")
    assert "at least 16" in words
    assert "short" not in words.replace("at least", "")


def test_a_key_file_that_others_can_read_is_refused(
    alice: Payer, devnet: Devnet, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_text(LOCAL_KEY)
    file.chmod(0o644)
    arguments = ("serve", "--provider", devnet.address("aurora"), "--auth-file", str(file))
    status, words = refused(alice, *arguments)
    assert (status, "chmod 600" in words, LOCAL_KEY in words) == (2, True, False)
    file.chmod(0o600)
    with alice.serving(*arguments) as served:
        assert served.client(LOCAL_KEY).models.list().data


def test_a_fallbacks_key_is_no_argument(alice: Payer) -> None:
    order = "openai,https://api.openai.example/v1,sk-literal-secret,gpt"
    status, words = refused(alice, "router-serve", "--add-endpoint", order)
    assert status == 2
    assert "env:" in words
    assert "sk-literal-secret" not in words


def test_what_cannot_be_served_is_said_at_the_start(alice: Payer, devnet: Devnet) -> None:
    status, words = refused(alice, "serve", "--provider", devnet.address("dusk"))
    assert (status, "has not acknowledged its TEE signer" in words) == (2, True)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        arguments = ("serve", "--provider", devnet.address("aurora"), "--port", port)
        status, words = refused(alice, *arguments)
    assert (status, f"port {port}" in words) == (2, True)


def test_a_ready_key_needs_no_wallet(alice: Payer, devnet: Devnet) -> None:
    aurora = devnet.address("aurora")
    broker = Broker(devnet.network, signer=LocalSigner(alice.key))
    key = broker.inference.api_key(aurora, 9).api_key
    with alice.serving("serve", "--provider", aurora, ZG_API_KEY=key, ZG_PRIVATE_KEY="") as served:
        assert served.client().chat.completions.create(model="devnet-chat", messages=HELLO).choices
        assert key not in served.log
    status, words = refused(alice, "serve", "--provider", devnet.address("echo"), ZG_API_KEY=key)
    assert (status, "is for the provider" in words, key in words) == (2, True, False)


def test_auto_funding_needs_its_caps_and_keeps_them(devnet: Devnet, tmp_path: Path) -> None:
    aurora = devnet.address("aurora")
    poor = payer(devnet, tmp_path, ("aurora",))  # 20 0G there
    asked = ("serve", "--provider", aurora, "--auto-fund-minimum", "21", "--auto-fund-target", "25")
    status, words = refused(poor, *asked)
    assert (status, "--auto-fund-per-day" in words) == (2, True)
    paid = ("--gas-price", str(7 * 10**9))
    status, words = refused(poor, "serve", "--provider", aurora, *paid)
    assert (status, "--gas-price is for auto-funding" in words) == (2, True)
    with poor.serving(*asked, "--auto-fund-per-day", "2", *paid) as served:
        served.wait_for("Done, in 0x")
        assert "transfer 2 0G of the ledger" in served.log
        hashed = re.search("Done, in (0x[0-9a-f]{64})", served.log)
    assert hashed is not None
    sent = Node(devnet.rpc_url).call("eth_getTransactionByHash", hashed[1])
    assert int(sent["gasPrice"], 16) == 7 * 10**9
    broker = Broker(devnet.network, signer=LocalSigner(poor.key))
    assert broker.ledger.sub_account(aurora).balance == amounts.parse("22")
    with poor.serving("serve", "--provider", aurora) as served:
        assert "Auto-funding" not in served.log


def test_an_unverified_answer_is_withheld_where_that_is_asked(alice: Payer, devnet: Devnet) -> None:
    arguments = ("serve", "--provider", devnet.address("aurora"), "--verify-before-forward")
    with alice.serving(*arguments) as served:
        chat = served.client().chat.completions
        assert chat.create(model="devnet-chat", messages=HELLO).choices
        devnet.fault("aurora", "wrong-signer", times=1)
        with pytest.raises(openai.InternalServerError) as caught:
            chat.create(model="devnet-chat", messages=HELLO)
        assert (caught.value.status_code, caught.value.code) == (502, "verification_failed")
        assert caught.value.response.headers["x-should-retry"] == "false"
        assert "is not verified: " in served.log


def sockets_of(process: int) -> list[str]:
    """The connections that a process has open, by inode."""
    links = [os.readlink(link) for link in Path(f"/proc/{process}/fd").iterdir()]
    return [link for link in links if link.startswith("socket:")]


@pytest.mark.skipif(sys.platform != "linux", reason="It looks into /proc")
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_killed_in_the_middle_of_a_stream_it_leaves_nothing_behind(
    alice: Payer, devnet: Devnet, ending: signal.Signals
) -> None:
    devnet.fault("aurora", "stall", times=1)
    with alice.serving("serve", "--provider", devnet.address("aurora")) as served:
        chat = served.client().chat.completions
        stream = iter(chat.create(model="devnet-chat", messages=HELLO, stream=True))
        next(stream)
        served.process.send_signal(ending)
        with pytest.raises((openai.APIError, openai.APIConnectionError)):
            list(stream)
        ended = served.process.wait(20)
        assert ended == (0 if ending is signal.SIGTERM else -signal.SIGKILL)
        assert children_of(served.process.pid) == []
        where = urlsplit(served.url)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((where.hostname or "", where.port or 0), timeout=2)
        assert "Traceback" not in served.log
    devnet.fault("aurora", None)  # the provider goes on with what it was asked for


def children_of(process: int) -> list[str]:
    """Processes that were started by `process` and are still there."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = stat.read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if parent == str(process):
            found.append(stat.parent.name)
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="It looks into /proc")
def test_a_client_that_leaves_closes_the_connection_to_the_provider(
    alice: Payer, devnet: Devnet
) -> None:
    with alice.serving("serve", "--provider", devnet.address("aurora")) as served:
        chat = served.client().chat.completions
        chat.create(model="devnet-chat", messages=HELLO)
        devnet.fault("aurora", "stall", times=1)
        before = len(sockets_of(served.process.pid))
        stream = chat.create(model="devnet-chat", messages=HELLO, stream=True)
        next(iter(stream))
        stream.close()
        served.wait_for("client left")
        assert len(sockets_of(served.process.pid)) <= before
        status = json.load(urllib.request.urlopen(f"{served.url}/providers/status"))
        assert status["providers"][0]["active"] == 0


@pytest.mark.skipif(sys.platform != "linux", reason="It looks into /proc")
@pytest.mark.parametrize("command", ["serve", "router-serve"])
def test_no_secret_is_ever_said(alice: Payer, devnet: Devnet, command: str) -> None:
    """Through faults and bad input, in the log, in JSON, in replies and in the process list."""
    aurora, fallback = devnet.address("aurora"), "sk-secret-of-the-fallback"
    endpoint = f"spare,{devnet.url('aurora')}/v1/proxy,env:SPARE_KEY,devnet-chat"
    arguments = [command, "--provider", aurora]
    if command == "router-serve":
        arguments = [command, "--add-provider", aurora, "--add-endpoint", endpoint]
    said = []
    with alice.serving(*arguments, ZG_SERVE_KEY=LOCAL_KEY, SPARE_KEY=fallback) as served:
        chat = served.client(LOCAL_KEY).chat.completions
        for fault in (None, "server-error", "expired-session", "disconnect", "html", "reserve"):
            devnet.fault("aurora", fault, times=1 if fault else None)
            try:
                raw = chat.with_raw_response.create(model="devnet-chat", messages=HELLO)
                said += [raw.text, str(raw.headers)]
            except openai.APIStatusError as error:
                said += [error.response.text, str(error.response.headers)]
        shown = Path(f"/proc/{served.process.pid}/cmdline").read_text()
        assert command in shown.split("\0")
        said.append(shown)
        headers = {"authorization": f"Bearer {LOCAL_KEY}"}
        asking = urllib.request.Request(f"{served.url}/providers/status", headers=headers)
        said.append(urllib.request.urlopen(asking).read().decode())
    said += [served.log, json.dumps(served.facts)]
    everything = "\n".join(said)
    for secret in (alice.key, alice.key[2:], LOCAL_KEY, fallback):
        assert secret not in everything
    assert not re.search("app-sk-[A-Za-z0-9+/=]{8}", everything)
    assert "Traceback" not in served.log
