"""The doors against a real server of raw bytes; both doors keep the same promises."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.zgcompute.raw_server import Exchange, Script, authority_for, serving
from zgcompute._destinations import AddressPolicy
from zgcompute._http import AsyncDoor, HttpDoor
from zgcompute._limits import CHAT, HttpReply, Limits, host_of
from zgcompute._rpc_http import post_json
from zgcompute.errors import (
    DestinationRefused,
    MalformedReply,
    ProviderTimeout,
    ProviderUnreachable,
    ReplyTooLarge,
    RpcUnreachable,
)
from zgcompute.fees import is_free

pytestmark = pytest.mark.usefixtures("local_server")
QUICK = Limits(connect=1, idle=0.3, total=0.6, max_bytes=1000)
LOCAL = AddressPolicy(allow_private=True)
Poster = Callable[..., HttpReply]


def post_blocking(
    url: str,
    limits: Limits = QUICK,
    policy: AddressPolicy = LOCAL,
    tls: ssl.SSLContext | None = None,
    content: bytes = b"ask",
) -> HttpReply:
    door = HttpDoor(policy, tls=tls)
    try:
        return door.post(url, limits, {"x-mine": "1"}, content)
    finally:
        door.close()


def post_streaming(
    url: str,
    limits: Limits = QUICK,
    policy: AddressPolicy = LOCAL,
    tls: ssl.SSLContext | None = None,
    content: bytes = b"ask",
) -> HttpReply:
    async def run() -> HttpReply:
        door = AsyncDoor(policy, tls=tls)
        try:
            async with door.post(url, limits, {"x-mine": "1"}, content) as reply:
                body = b"".join([chunk async for chunk in reply.chunks()])
                return HttpReply(reply.status, reply.headers, body)
        finally:
            await door.aclose()

    return asyncio.run(run())


def post_piecewise(
    url: str,
    limits: Limits = QUICK,
    policy: AddressPolicy = LOCAL,
    tls: ssl.SSLContext | None = None,
    content: bytes = b"ask",
) -> HttpReply:
    door = HttpDoor(policy, tls=tls)
    try:
        with door.stream(url, limits, {"x-mine": "1"}, content) as reply:
            return HttpReply(reply.status, reply.headers, b"".join(reply.chunks()))
    finally:
        door.close()


def succeeds_in_a_child(check: Callable[[], bool]) -> bool:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if check() else 1
        finally:
            os._exit(code)
    return os.waitpid(pid, 0)[1] == 0


forks = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
every_way = pytest.mark.parametrize("post", [post_blocking, post_piecewise, post_streaming])


def drip(exchange: Exchange) -> None:
    """One byte every 50 ms, for much longer than anybody should listen."""
    exchange.send(b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n")
    for _ in range(200):
        exchange.send(b"x")
        time.sleep(0.05)


def drip_headers(exchange: Exchange) -> None:
    exchange.send(b"HTTP/1.1 200 OK\r\nx: ")
    for _ in range(200):
        exchange.send(b"x")
        time.sleep(0.05)


def endless_hints(exchange: Exchange) -> None:
    while True:
        exchange.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")


def endless_body(exchange: Exchange) -> None:
    exchange.start_chunked()
    while True:
        exchange.chunk(b"x" * 500)


@every_way
def test_a_reply_comes_back_whole_and_the_request_is_ours(post: Poster) -> None:
    with serving(lambda exchange: exchange.reply(b"fine", "X-Two: b", status="418 Tea")) as server:
        reply = post(server.url + "/v1?x=1")
    assert (reply.status, reply.headers["x-two"], reply.body) == (418, "b", b"fine")
    (seen,) = server.seen
    assert (seen.method, seen.path, seen.body) == ("POST", "/v1?x=1", b"ask")
    assert seen.headers["accept-encoding"] == "identity"
    assert seen.headers["x-mine"] == "1"
    assert seen.headers["user-agent"].startswith("zgcompute/")
    assert seen.headers["host"] == f"127.0.0.1:{server.port}"
    assert seen.headers["content-length"] == "3"


@every_way
def test_an_empty_body_and_an_empty_reply_are_fine(post: Poster) -> None:
    with serving(lambda exchange: exchange.reply(b"")) as server:
        assert post(server.url, content=b"").body == b""


@every_way
@pytest.mark.parametrize("script", [drip, drip_headers, endless_hints])
def test_a_trickle_ends_at_the_deadline(post: Poster, script: Script) -> None:
    with serving(script) as server:
        started = time.monotonic()
        with pytest.raises((ProviderTimeout, ProviderUnreachable)):
            post(server.url)
        assert time.monotonic() - started < 3


@every_way
def test_silence_ends_after_the_idle_time(post: Poster) -> None:
    with serving(lambda exchange: time.sleep(2)) as server:
        started = time.monotonic()
        with pytest.raises(ProviderTimeout, match=r"127\.0\.0\.1 did not answer in time"):
            post(server.url, replace(QUICK, total=60))
        assert time.monotonic() - started < 1.5


@every_way
def test_a_connection_that_is_never_accepted_is_given_up(post: Poster) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf, ExitStack() as waiting:
        for _ in range(4):  # fill the kernel's queue: from then on nobody answers
            knock = waiting.enter_context(socket.socket())
            knock.setblocking(False)
            knock.connect_ex(deaf.getsockname())
        started = time.monotonic()
        with pytest.raises(ProviderTimeout):
            post(f"http://127.0.0.1:{deaf.getsockname()[1]}", Limits(0.3, 9, 9, 100))
        assert time.monotonic() - started < 3


@every_way
def test_too_many_bytes_end_the_reading(post: Poster) -> None:
    with serving(endless_body) as server, pytest.raises(ReplyTooLarge):
        post(server.url, replace(QUICK, total=30, idle=30))


@every_way
def test_a_body_of_exactly_the_limit_passes(post: Poster) -> None:
    with serving(lambda exchange: exchange.reply(b"x" * 1000)) as server:
        assert len(post(server.url).body) == 1000


@every_way
@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
def test_redirects_are_not_followed(post: Poster, status: str) -> None:
    script = lambda exchange: exchange.reply(b"", "location: http://127.0.0.1:1/", status=status)  # noqa: E731
    with serving(script) as server, pytest.raises(DestinationRefused, match="redirects"):
        post(server.url)
    assert len(server.seen) == 1


@every_way
def test_compressed_replies_are_refused(post: Poster) -> None:
    bomb = gzip.compress(b"\0" * 100_000)
    script = lambda exchange: exchange.reply(bomb, "content-encoding: gzip")  # noqa: E731
    with serving(script) as server, pytest.raises(MalformedReply, match="compressed"):
        post(server.url)


@every_way
def test_a_reply_that_calls_itself_identical_passes(post: Poster) -> None:
    script = lambda exchange: exchange.reply(b"ok", "content-encoding: Identity")  # noqa: E731
    with serving(script) as server:
        assert post(server.url).body == b"ok"


@every_way
@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 200_000 + b"\r\n\r\n",
    ],
)
def test_broken_http_is_a_broken_connection_that_may_cost(post: Poster, raw: bytes) -> None:
    def script(exchange: Exchange) -> None:
        exchange.send(raw)
        exchange.hang_up()

    with serving(script) as server, pytest.raises(ProviderUnreachable) as caught:
        post(server.url, replace(QUICK, max_bytes=10**6))
    assert not is_free(caught.value)


@every_way
def test_a_closed_port_is_an_unreachable_provider(post: Poster) -> None:
    with serving(lambda exchange: None) as server:
        pass
    with pytest.raises(ProviderUnreachable) as caught:
        post(server.url)
    assert is_free(caught.value)  # nothing was sent


@every_way
def test_a_refused_destination_is_never_connected_to(post: Poster) -> None:
    with serving(lambda exchange: exchange.reply(b"secret")) as server:
        for url in (server.url, f"https://127.0.0.1:{server.port}", f"https://[::1]:{server.port}"):
            with pytest.raises(DestinationRefused):
                post(url, policy=AddressPolicy())
        answers = AddressPolicy(resolver=lambda host, port: ["93.184.216.34", "127.0.0.1"])
        with pytest.raises(DestinationRefused):
            post(f"https://a.example:{server.port}", policy=answers)
    assert server.connections == 0


@every_way
def test_a_name_is_asked_for_once_and_its_answer_used(post: Poster) -> None:
    questions: list[str] = []

    def resolver(host: str, port: int) -> Sequence[str]:
        questions.append(host)
        return ["127.0.0.1"] if len(questions) == 1 else ["203.0.113.1"]

    with serving(lambda exchange: exchange.reply(b"ok")) as server:
        policy = AddressPolicy(allow_private=True, resolver=resolver)
        assert post(f"http://aurora.example:{server.port}/", policy=policy).body == b"ok"
    assert questions == ["aurora.example"]
    assert server.seen[0].headers["host"] == f"aurora.example:{server.port}"


@every_way
def test_a_name_that_is_slow_to_resolve_is_left_in_time(post: Poster) -> None:
    over = threading.Event()

    def resolver(host: str, port: int) -> Sequence[str]:
        over.wait(10)
        return ["127.0.0.1"]

    started = time.monotonic()
    with pytest.raises(ProviderTimeout, match=r"a\.example did not answer in time"):
        post("http://a.example:1", policy=AddressPolicy(allow_private=True, resolver=resolver))
    assert time.monotonic() - started < 3
    over.set()


@every_way
@pytest.mark.parametrize("host", ["xn--", "xn--a", "xn--zz--", "a" * 70 + ".example"])
def test_names_that_are_none_are_unreachable_and_no_foreign_error(post: Poster, host: str) -> None:
    def resolver(host: str, port: int) -> Sequence[str]:
        raise UnicodeError("no such label")

    with pytest.raises(ProviderUnreachable):
        post(f"https://{host}:1/x", policy=AddressPolicy(resolver=resolver))


@every_way
def test_the_next_address_is_tried_when_one_does_not_answer(post: Poster) -> None:
    with serving(lambda exchange: exchange.reply(b"ok")) as server:
        policy = AddressPolicy(allow_private=True, resolver=lambda host, port: ["::1", "127.0.0.1"])
        assert post(f"http://aurora.example:{server.port}/", policy=policy).body == b"ok"


@every_way
def test_tls_names_and_checks_the_host_though_the_address_is_pinned(
    post: Poster, tmp_path: Path
) -> None:
    server_tls, client_tls = authority_for("aurora.example", tmp_path)
    policy = AddressPolicy(allow_private=True, resolver=lambda host, port: ["127.0.0.1"])
    with serving(lambda exchange: exchange.reply(b"ok"), server_tls) as server:
        url = f"https://aurora.example:{server.port}/"
        assert post(url, policy=policy, tls=client_tls).body == b"ok"
        assert server.server_names == ["aurora.example"]
        with pytest.raises(ProviderUnreachable, match="certificate of mallory.example"):
            post(f"https://mallory.example:{server.port}/", policy=policy, tls=client_tls)
        with pytest.raises(ProviderUnreachable, match="certificate of aurora.example"):
            post(url, policy=policy)
    assert len(server.seen) == 1


@every_way
def test_no_proxy_of_the_environment_is_used(post: Poster, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with serving(lambda exchange: exchange.reply(b"ok")) as server:
        assert post(server.url).body == b"ok"


def test_cookies_are_never_sent_back() -> None:
    def script(exchange: Exchange) -> None:
        exchange.reply(b"ok", "set-cookie: track=1; Path=/")

    async def twice(url: str) -> None:
        door = AsyncDoor(LOCAL)
        for _ in range(2):
            async with door.post(url, QUICK, {}, b"") as reply:
                assert [chunk async for chunk in reply.chunks()] == [b"ok"]
        await door.aclose()

    with serving(script) as server:
        door = HttpDoor(LOCAL)
        door.get(server.url, QUICK)
        door.get(server.url, QUICK)
        door.close()
        asyncio.run(twice(server.url))
    assert len(server.seen) == 4
    assert all("cookie" not in seen.headers for seen in server.seen)


def test_a_door_keeps_its_connection_and_threads_share_it() -> None:
    with serving(lambda exchange: exchange.reply(exchange.path.encode())) as server:
        door = HttpDoor(LOCAL)
        replies = [door.get(f"{server.url}/a", QUICK).body for _ in range(3)]
        assert server.connections == 1
        threads = [
            threading.Thread(target=lambda: replies.append(door.get(f"{server.url}/b", QUICK).body))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        door.close()
        door.close()
    assert sorted(replies) == [b"/a"] * 3 + [b"/b"] * 8


@forks
def test_a_fork_does_not_share_its_parents_connections() -> None:
    with serving(lambda exchange: exchange.reply(b"1")) as server:
        door = HttpDoor(LOCAL)
        door.get(server.url, QUICK)
        assert succeeds_in_a_child(lambda: door.get(server.url, QUICK).body == b"1")
        assert door.get(server.url, QUICK).body == b"1"
        door.close()
    assert server.connections == 2


def test_chunks_of_a_stream_arrive_as_they_are_sent() -> None:
    go = threading.Semaphore(0)

    def script(exchange: Exchange) -> None:
        exchange.start_chunked()
        for number in range(3):
            go.acquire(timeout=5)
            exchange.chunk(f"data: {number}\n\n".encode())
        exchange.send(b"0\r\n\r\n")

    async def run(url: str) -> list[bytes]:
        door, chunks = AsyncDoor(LOCAL), []
        async with door.post(url, CHAT, {}, b"{}") as reply:
            go.release()
            async for chunk in reply.chunks():
                chunks.append(chunk)
                go.release()
        await door.aclose()
        return chunks

    with serving(script) as server:
        assert asyncio.run(run(server.url)) == [b"data: 0\n\n", b"data: 1\n\n", b"data: 2\n\n"]


def test_one_door_serves_many_streams_at_once() -> None:
    gate = threading.Barrier(40, timeout=10)

    def script(exchange: Exchange) -> None:
        gate.wait()
        exchange.reply(exchange.body)

    async def one(door: AsyncDoor, url: str, number: int) -> bytes:
        async with door.post(url, CHAT, {}, str(number).encode()) as reply:
            return b"".join([chunk async for chunk in reply.chunks()])

    async def run(url: str) -> list[bytes]:
        door = AsyncDoor(LOCAL)
        bodies = await asyncio.gather(*(one(door, url, number) for number in range(40)))
        await door.aclose()
        await door.aclose()
        return bodies

    with serving(script) as server:
        assert asyncio.run(run(server.url)) == [str(number).encode() for number in range(40)]


def test_leaving_a_stream_early_closes_its_connection() -> None:
    left = threading.Event()

    def script(exchange: Exchange) -> None:
        exchange.start_chunked()
        try:
            while True:
                exchange.chunk(b"x" * 10_000)
        except OSError:
            left.set()

    async def run(url: str) -> None:
        door = AsyncDoor(LOCAL)
        async with door.post(url, CHAT, {}, b"") as reply:
            async for _ in reply.chunks():
                break
        await asyncio.to_thread(left.wait, 5)
        await door.aclose()

    with serving(script) as server:
        asyncio.run(run(server.url))
    assert left.is_set()


def test_a_blocking_stream_gives_chunks_as_they_are_sent() -> None:
    go = threading.Semaphore(0)

    def script(exchange: Exchange) -> None:
        exchange.start_chunked()
        for number in range(3):
            go.acquire(timeout=5)
            exchange.chunk(f"data: {number}\n\n".encode())
        exchange.send(b"0\r\n\r\n")

    door, chunks = HttpDoor(LOCAL), []
    with serving(script) as server, door.stream(server.url, CHAT, {}, b"{}") as reply:
        go.release()
        for chunk in reply.chunks():
            chunks.append(chunk)
            go.release()
    door.close()
    assert chunks == [b"data: 0\n\n", b"data: 1\n\n", b"data: 2\n\n"]


def test_two_blocking_streams_of_one_thread_keep_their_own_deadlines() -> None:
    def script(exchange: Exchange) -> None:
        exchange.start_chunked()
        exchange.chunk(b"first")
        time.sleep(0.4)
        exchange.chunk(b"second")
        exchange.send(b"0\r\n\r\n")

    hasty, door = replace(QUICK, total=0.2, idle=5), HttpDoor(LOCAL)
    with serving(script) as server:
        patient_stream = door.stream(server.url, CHAT, {}, b"")
        with patient_stream as patient, door.stream(server.url, hasty, {}, b"") as hurried:
            ours, others = patient.chunks(), hurried.chunks()
            assert (next(ours), next(others)) == (b"first", b"first")
            with pytest.raises(ProviderTimeout):
                next(others)
            assert next(ours) == b"second"
    door.close()


def test_leaving_a_blocking_stream_early_closes_its_connection() -> None:
    left = threading.Event()

    def script(exchange: Exchange) -> None:
        exchange.start_chunked()
        try:
            while True:
                exchange.chunk(b"x" * 10_000)
        except OSError:
            left.set()

    door = HttpDoor(LOCAL)
    with serving(script) as server:
        with door.stream(server.url, CHAT, {}, b"") as reply:
            assert next(reply.chunks())
        assert left.wait(5)
    door.close()


def test_an_awkward_header_does_not_leave_as_a_foreign_error() -> None:
    async def stream() -> None:
        door = AsyncDoor(LOCAL)
        async with door.post("http://127.0.0.1:1/", QUICK, {"x": "ü\n"}, b""):
            pass

    with pytest.raises(ProviderUnreachable):
        asyncio.run(stream())
    door = HttpDoor(LOCAL)
    with pytest.raises(ProviderUnreachable):
        door.post("http://127.0.0.1:1/", QUICK, {"x": "ü\n"}, b"")
    door.close()


# JSON-RPC


def rpc(script: Script) -> object:
    with serving(script) as server:
        return post_json(server.url, {"method": "eth_chainId"}, timeout=0.5, max_bytes=1000)


def test_json_goes_both_ways() -> None:
    assert rpc(lambda exchange: exchange.reply(exchange.body)) == {"method": "eth_chainId"}


def test_a_json_error_under_a_client_status_is_the_callers_to_read() -> None:
    answer = rpc(lambda exchange: exchange.reply(b'{"error":{}}', status="400 Bad Request"))
    assert answer == {"error": {}}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"error":"slow down"}', "429 Too Many"),
        (b"{}", "500 Oops"),
        (b"{}", "503 Busy"),
        (b"{}", "302 Found"),
        (b"<html>", "200 OK"),
        (b"[" * 999, "200 OK"),
        (b"x" * 1001, "200 OK"),
    ],
)
def test_an_unusable_answer_is_an_unreachable_node(body: bytes, status: str) -> None:
    with pytest.raises(RpcUnreachable):
        rpc(lambda exchange: exchange.reply(body, status=status))


@pytest.mark.parametrize("script", [drip, drip_headers, lambda exchange: time.sleep(2)])
def test_a_slow_node_is_left_at_the_deadline(script: Script) -> None:
    started = time.monotonic()
    with pytest.raises(RpcUnreachable):
        rpc(script)
    assert time.monotonic() - started < 1.5


def test_the_key_in_an_rpc_url_is_never_told() -> None:
    with pytest.raises(RpcUnreachable) as caught:
        post_json("http://127.0.0.1:1/v3/SECRET?key=SECRET", {})
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://[broken", "nonsense", "http://127.0.0.1:99999"])
def test_a_url_that_is_none_is_an_unreachable_node(url: str) -> None:
    with pytest.raises(RpcUnreachable):
        post_json(url, {}, timeout=0.5)


def test_a_host_is_named_only_where_there_is_one() -> None:
    assert host_of("https://user:pass@rpc.example/x") == "rpc.example"
    assert host_of("nonsense") == host_of("http://[broken") == "the given URL"


@forks
def test_rpc_connections_are_kept_and_forks_are_safe() -> None:
    with serving(lambda exchange: exchange.reply(b"1")) as server:
        post_json(server.url, 1)
        post_json(server.url, 1)
        assert server.connections == 1
        assert succeeds_in_a_child(lambda: post_json(server.url, 1) == 1)
        assert post_json(server.url, 1) == 1
    assert server.connections == 2


def test_importing_the_package_loads_no_http_library() -> None:
    program = "import zgcompute.providers, sys, json; print(json.dumps(sorted(sys.modules)))"

    out = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
    assert {"httpx", "aiohttp", "httpcore", "eth_account", "web3"}.isdisjoint(json.loads(out))
