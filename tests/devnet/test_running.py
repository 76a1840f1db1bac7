"""The running devnet, over real sockets and a real EVM node."""

from __future__ import annotations

import http.client
import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devnet import accounts
from devnet.faults import Fault
from devnet.node import Node
from devnet.providers.signatures import sha256
from devnet.testing import Devnet, DevnetFailed
from tests.devnet.bench import recovered
from zgcompute._chain import RpcChain
from zgcompute.bodies import chat_body
from zgcompute.calls import Calls
from zgcompute.session import SessionRequest
from zgcompute.signers import LocalSigner
from zgcompute.types import UnsignedCall

pytestmark = pytest.mark.chain

ZG = 10**18
WALLET = accounts.account(19)
SPEED = 4000.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("devnet")


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[Devnet]:
    """A devnet of this module's own: its tests stop and restart parts of it."""
    with Devnet(state=folder, tokens_per_second=SPEED) as running:
        for name in ("aurora", "cumulus", "dusk"):
            fund(running, name)
        yield running


@pytest.fixture(autouse=True)
def as_it_was(running: Devnet) -> Iterator[None]:
    yield
    running.reset()


def fund(devnet: Devnet, name: str) -> None:
    calls = Calls(devnet.network.chain_id, RpcChain(devnet.network).contracts())
    send(devnet, calls.deposit(5 * ZG))
    send(devnet, calls.transfer(devnet.address(name), 3 * ZG))


def send(devnet: Devnet, call: UnsignedCall) -> None:
    Node(devnet.rpc_url).send(WALLET.address, call.to, call.data, call.value)


def key_for(devnet: Devnet, name: str) -> str:
    request = SessionRequest.new(WALLET.address, devnet.address(name), generation=0)
    return request.signed_by(LocalSigner(WALLET.private_key)).authorization


def post(devnet: Devnet, name: str, body: bytes) -> tuple[bytes, Any]:
    request = urllib.request.Request(
        f"{devnet.url(name)}/v1/proxy/chat/completions",
        body,
        {"authorization": key_for(devnet, name), "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as reply:
        return reply.read(), reply.headers


def get(url: str, **headers: str) -> Any:
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as reply:
        return json.load(reply)


def ask(devnet: Devnet, name: str = "aurora", question: str = "hello") -> tuple[bytes, Any]:
    model = {"aurora": "devnet-chat", "cumulus": "devnet-reasoner"}.get(name, "devnet-unproven")
    messages = [{"role": "user", "content": question}]
    return post(devnet, name, chat_body(model, messages, stream=True))


def signature(devnet: Devnet, response_id: str) -> Any:
    deadline = time.monotonic() + 5
    while True:
        try:
            return get(f"{devnet.url('aurora')}/v1/proxy/signature/{response_id}")
        except urllib.error.HTTPError as error:
            error.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def unsettled(devnet: Devnet, name: str = "aurora") -> int:
    path = f"/v1/user/{WALLET.address}/unsettledfee"
    reply = get(devnet.url(name) + path, authorization=key_for(devnet, name))
    return int(reply["unsettledFee"])


def balance(devnet: Devnet, name: str = "aurora") -> int:
    chain = RpcChain(devnet.network)
    return chain.sub_account(WALLET.address, devnet.address(name)).balance


def test_an_answer_is_signed_by_the_registered_signer(running: Devnet) -> None:
    body, headers = ask(running)
    record = signature(running, headers["zg-res-key"])
    service = RpcChain(running.network).service(running.address("aurora"))
    assert recovered(record) == service.expected_signer
    assert record["text"].split(":")[1] == sha256(body)


def test_a_separated_provider_registers_its_model_servers_signer(running: Devnet) -> None:
    body, _ = ask(running, "cumulus")
    first = json.loads(body.split(b"\n")[0].removeprefix(b"data: "))
    record = None
    deadline = time.monotonic() + 5
    while record is None and time.monotonic() < deadline:
        try:
            record = get(f"{running.url('cumulus')}/v1/proxy/signature/{first['id']}")
        except urllib.error.HTTPError as error:
            error.close()
    assert record is not None
    service = RpcChain(running.network).service(running.address("cumulus"))
    assert recovered(record) == service.expected_signer != service.tee_signer


@pytest.mark.parametrize("name", ["aurora", "cumulus"])
def test_settlement_takes_exactly_what_was_unsettled(running: Devnet, name: str) -> None:
    running.settle()
    before = balance(running, name)
    for question in ("one", "two, and a table please"):
        ask(running, name, question)
    time.sleep(0.3)
    owed = unsettled(running, name)
    assert owed > 0
    (done,) = running.settle(name)
    assert (done["status"], done["fee"], done["unsettled"]) == ("SUCCESS", str(owed), "0")
    assert balance(running, name) == before - owed
    assert unsettled(running, name) == 0
    assert running.settle(name) == []


def test_the_timer_settles_without_being_asked(running: Devnet, tmp_path: Path) -> None:
    with Devnet(state=tmp_path, settle_every=0.5, tokens_per_second=SPEED) as timed:
        fund(timed, "aurora")
        ask(timed)
        deadline = time.monotonic() + 10
        while balance(timed) == 3 * ZG and time.monotonic() < deadline:
            time.sleep(0.1)
        assert balance(timed) < 3 * ZG
        assert "settled" in timed.log


def test_dusk_serves_nobody_and_borealis_does_not_answer(running: Devnet) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(running, "dusk")
    with refused.value as reply:
        assert b"service not acknowledge the tee signer" in reply.read()
    service = RpcChain(running.network).service(accounts.provider("borealis").address)
    with pytest.raises(urllib.error.URLError):
        get(f"{service.url}/v1/models")


def test_a_disconnect_is_seen_as_an_incomplete_reply(running: Devnet) -> None:
    running.fault("aurora", "disconnect", times=1)
    with pytest.raises(http.client.IncompleteRead):
        ask(running)
    assert ask(running)[0].endswith(b"[DONE]\n\n")


def test_a_client_that_hangs_up_pays_for_the_whole_answer(running: Devnet) -> None:
    running.settle()
    running.options("aurora", tokens_per_second=200)
    sent = chat_body("devnet-chat", [{"role": "user", "content": "60 words"}], stream=True)
    host = running.url("aurora").removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=10)
    headers = {"authorization": key_for(running, "aurora")}
    connection.request("POST", "/v1/proxy/chat/completions", sent, headers)
    reply = connection.getresponse()
    reply.read(400)
    reply.close()
    connection.close()
    deadline = time.monotonic() + 10
    while unsettled(running) == 0 and time.monotonic() < deadline:
        time.sleep(0.1)
    least = 60 * 1_600_000_000_000
    assert unsettled(running) > least


def test_the_node_can_be_stopped_and_everything_heals(running: Devnet) -> None:
    block = RpcChain(running.network).block_number()
    running.stop_node()
    assert running.state()["node_running"] is False
    assert get(running.url("aurora") + "/v1/models")["data"]
    time.sleep(2.1)
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(running)
    refused.value.close()
    running.start_node()
    assert RpcChain(running.network).block_number() >= block
    assert ask(running)[0].endswith(b"[DONE]\n\n")


def test_the_state_names_everything(running: Devnet) -> None:
    state = running.state()
    names = [provider["name"] for provider in state["providers"]]
    assert names == ["aurora", "cumulus", "prisma", "retouch", "echo", "dusk", "iris", "nova"]
    assert set(state["faults"]) == {fault.value for fault in Fault}


@pytest.mark.parametrize(
    ("path", "order"),
    [
        ("/faults", {"provider": "aurora", "fault": "earthquake"}),
        ("/faults", {"provider": "nobody", "fault": "stall"}),
        ("/faults", {"provider": "aurora", "fault": "stall", "times": "one"}),
        ("/faults", {"provider": ["aurora"], "fault": {}}),
        ("/options", {"tokens_per_second": "fast"}),
        ("/options", {"tokens_per_second": -1}),
        ("/options", {"colour": 1}),
        ("/limits", {"enabled": 1}),
        ("/node", {}),
        ("/status", {"answering": 0}),
        ("/earthquake", {}),
        ("/settle", []),
    ],
)
def test_the_switchboard_refuses_nonsense(running: Devnet, path: str, order: object) -> None:
    with pytest.raises(DevnetFailed):
        running.control(path, order)


def test_the_switchboard_hears_only_local_json(running: Devnet) -> None:
    host = running.control_url.removeprefix("http://")
    for headers in ({"host": "attacker.example"}, {"content-type": "text/plain"}):
        connection = http.client.HTTPConnection(host, timeout=10)
        connection.request("POST", "/reset", b"{}", headers)
        assert connection.getresponse().status in (403, 415)
        connection.close()


def test_a_restart_remembers_fees_and_the_chain(running: Devnet, folder: Path) -> None:
    ask(running)
    time.sleep(0.3)
    owed, locked = unsettled(running), balance(running)
    assert owed > 0
    old_port = int(running.url("aurora").rpartition(":")[2])
    running.stop()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", old_port)) != 0
    running.start()
    assert (unsettled(running), balance(running)) == (owed, locked)
    (done,) = running.settle("aurora")
    assert done["status"] == "SUCCESS"
    assert balance(running) == locked - owed
