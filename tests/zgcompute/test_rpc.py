from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.zgcompute.rpc_server import RpcServer, network
from zgcompute import _rpc, _rpc_http
from zgcompute._rpc import Refusal, Request, Rpc, quantity
from zgcompute.errors import RpcRefused, RpcUnreachable, WrongNetwork

NOBODY = "http://127.0.0.1:1"


@pytest.fixture
def server(local_server: None) -> Iterator[RpcServer]:
    with RpcServer() as running:
        running.methods["eth_blockNumber"] = lambda: "0x10"
        running.methods["echo"] = lambda value: value
        yield running


@pytest.fixture
def second(local_server: None) -> Iterator[RpcServer]:
    with RpcServer() as running:
        running.methods["eth_blockNumber"] = lambda: "0x20"
        yield running


def echoes(count: int) -> list[Request]:
    return [Request("echo", (number,)) for number in range(count)]


def test_one_call_gives_its_result(server: RpcServer) -> None:
    assert Rpc(network(server.url)).call("eth_blockNumber") == "0x10"


def test_the_chain_is_checked_once_per_url(server: RpcServer) -> None:
    rpc = Rpc(network(server.url))
    for _ in range(3):
        rpc.call("eth_blockNumber")
    asked = [post["method"] for post in server.posts]
    assert asked == ["eth_chainId"] + ["eth_blockNumber"] * 3


def test_a_batch_is_one_post_and_its_answers_are_in_order(server: RpcServer) -> None:
    def shuffled(payload: Any) -> tuple[int, bytes] | None:
        if not isinstance(payload, list):
            return None
        return 200, json.dumps(list(reversed(server.answer(payload)))).encode()

    server.behave = shuffled
    assert Rpc(network(server.url)).batch(echoes(100)) == list(range(100))
    assert len(server.methods_asked) == 1


def test_long_batches_are_cut(server: RpcServer) -> None:
    assert Rpc(network(server.url), max_batch=10).batch(echoes(25)) == list(range(25))
    assert [len(methods) for methods in server.methods_asked] == [10, 10, 5]


def test_no_calls_need_no_post(server: RpcServer) -> None:
    assert Rpc(network(server.url)).batch([]) == []
    assert server.posts == []


def test_a_refusal_is_a_value_in_a_batch_and_an_error_of_a_call(server: RpcServer) -> None:
    rpc = Rpc(network(server.url))
    answers = rpc.batch([Request("unknown"), Request("eth_blockNumber")])
    assert answers == [Refusal(-32601, "the method does not exist"), "0x10"]
    with pytest.raises(RpcRefused, match="refused unknown: the method does not exist"):
        rpc.call("unknown")


def test_a_dead_url_is_passed_over_and_tried_last_for_a_while(
    server: RpcServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    posted: list[str] = []
    rpc = Rpc(network(NOBODY, server.url), clock=lambda: now[0])
    really = rpc._post
    rpc._post = lambda url, payload, **limits: posted.append(url) or really(url, payload, **limits)  # type: ignore[func-returns-value]
    assert rpc.call("eth_blockNumber") == "0x10"
    assert posted[0] == NOBODY
    posted.clear()
    assert rpc.call("eth_blockNumber") == "0x10"
    assert posted == [server.url]
    now[0] = _rpc.FAILING_FOR + 1
    posted.clear()
    assert rpc.call("eth_blockNumber") == "0x10"
    assert posted == [NOBODY, server.url]


def test_a_url_that_came_back_is_asked_again_and_its_chain_checked_again(
    server: RpcServer,
) -> None:
    rpc = Rpc(network(server.url))
    rpc.call("eth_blockNumber")
    server.behave = lambda payload: (500, b"{}")
    with pytest.raises(RpcUnreachable):
        rpc.call("eth_blockNumber")
    server.behave = lambda payload: None
    server.posts.clear()
    assert rpc.call("eth_blockNumber") == "0x10"
    assert [post["method"] for post in server.posts] == ["eth_chainId", "eth_blockNumber"]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b'{"error":"oops"}'),
        (429, b'{"error":"slow down"}'),
        (503, b"busy"),
        (200, b"<html><body>Welcome to our gateway</body></html>"),
        (200, b""),
        (200, b"{}"),
        (200, b"[]"),
        (200, b"null"),
        (200, b'"0x10"'),
        (200, b'{"jsonrpc":"2.0","id":0}'),
        (200, b"[" * 100_000),
        (302, b""),
    ],
)
def test_nonsense_of_one_node_lets_the_next_answer(
    server: RpcServer, second: RpcServer, status: int, body: bytes
) -> None:
    server.behave = lambda payload: (status, body)
    assert Rpc(network(server.url, second.url)).call("eth_blockNumber") == "0x20"


def test_a_node_that_fails_every_other_time_is_survived(
    server: RpcServer, second: RpcServer
) -> None:
    counts = [0]

    def flap(payload: Any) -> tuple[int, bytes] | None:
        counts[0] += 1
        return (502, b"Bad Gateway") if counts[0] % 2 else None

    server.behave = flap
    rpc = Rpc(network(server.url, second.url))
    assert {rpc.call("eth_blockNumber") for _ in range(20)} <= {"0x10", "0x20"}


def test_a_single_flapping_node_gets_a_second_try(server: RpcServer) -> None:
    counts = [0]

    def flap(payload: Any) -> tuple[int, bytes] | None:
        counts[0] += 1
        return (502, b"Bad Gateway") if counts[0] == 2 else None

    server.behave = flap
    assert Rpc(network(server.url)).call("eth_blockNumber") == "0x10"


def test_a_hanging_node_is_left_after_the_timeout(server: RpcServer, second: RpcServer) -> None:
    server.delay = 3.0
    rpc = Rpc(network(server.url, second.url), timeout=0.3)
    assert rpc.call("eth_blockNumber") == "0x20"
    alone = Rpc(network(server.url), timeout=0.3)
    with pytest.raises(RpcUnreachable):
        alone.call("eth_blockNumber")
    assert len(server.posts) == 2


def test_a_huge_reply_is_not_read_to_the_end(
    server: RpcServer, second: RpcServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_rpc, "MAX_REPLY", 10_000)
    server.behave = lambda payload: (200, b'{"id":0,"result":"' + b"f" * 100_000 + b'"}')
    assert Rpc(network(server.url, second.url)).call("eth_blockNumber") == "0x20"


def test_a_node_of_another_chain_is_passed_over(server: RpcServer, local_server: None) -> None:
    with RpcServer(chain_id=1) as stranger:
        stranger.methods["eth_blockNumber"] = lambda: "0x99"
        assert Rpc(network(stranger.url, server.url)).call("eth_blockNumber") == "0x10"
        assert stranger.methods_asked == []


def test_only_nodes_of_another_chain_are_the_wrong_network(local_server: None) -> None:
    with RpcServer(chain_id=1) as one, RpcServer(chain_id=2) as other:
        with pytest.raises(WrongNetwork, match="serves chain 1, not 31337") as wrong:
            Rpc(network(one.url, other.url)).call("eth_blockNumber")
        assert wrong.value.advice
        with pytest.raises(RpcUnreachable, match="serves chain 1"):
            Rpc(network(NOBODY, one.url)).call("eth_blockNumber")


def test_a_node_that_hides_its_chain_is_not_trusted(server: RpcServer) -> None:
    del server.methods["eth_chainId"]
    with pytest.raises(RpcUnreachable, match="does not tell its chain"):
        Rpc(network(server.url)).call("eth_blockNumber")
    server.methods["eth_chainId"] = lambda: 31337
    with pytest.raises(RpcUnreachable, match="not a number"):
        Rpc(network(server.url)).call("eth_blockNumber")


def test_an_answer_that_its_reader_rejects_lets_the_next_node_answer(
    server: RpcServer, second: RpcServer
) -> None:
    def check(answers: list[Any]) -> None:
        if quantity(answers[0]) < 0x20:
            raise RpcUnreachable("behind")

    rpc = Rpc(network(server.url, second.url))
    assert rpc.batch([Request("eth_blockNumber")], check) == ["0x20"]


def test_there_is_a_short_pause_before_the_second_round(server: RpcServer) -> None:
    pauses: list[float] = []
    rpc = Rpc(network(NOBODY), sleep=pauses.append)
    with pytest.raises(RpcUnreachable):
        rpc.call("eth_blockNumber")
    assert pauses == [0.0, 0.2]


def test_when_nobody_answers_the_error_says_so_and_that_nothing_changed(
    local_server: None,
) -> None:
    with pytest.raises(RpcUnreachable, match="No RPC node of Devnet answers") as down:
        Rpc(network(NOBODY)).call("eth_blockNumber")
    assert "Nothing was changed" in down.value.advice


def test_keys_in_urls_stay_out_of_messages(server: RpcServer) -> None:
    server.behave = lambda payload: (500, b"")
    with pytest.raises(RpcUnreachable) as down:
        Rpc(network(server.url + "/v2/secret-key")).call("eth_blockNumber")
    assert "secret-key" not in str(down.value)


def refuse_batches_over(server: RpcServer, limit: int, reply: Any) -> None:
    def behave(payload: Any) -> tuple[int, bytes] | None:
        if isinstance(payload, list) and len(payload) > limit:
            return 200, json.dumps(reply).encode()
        return None

    server.behave = behave


TOO_LARGE = {"jsonrpc": "2.0", "id": 0, "error": {"code": -32600, "message": "batch too large"}}


@pytest.mark.parametrize(
    "reply",
    [
        TOO_LARGE,
        [TOO_LARGE],
        {
            "jsonrpc": "2.0",
            "id": None,
            "error": {"code": -32005, "message": "batch limit exceeded"},
        },
        {"error": "no batches here"},
        {"error": {"code": -32003, "message": "response too large"}},
        {"result": "?"},
    ],
)
def test_a_node_that_caps_batches_gets_smaller_ones_from_then_on(
    server: RpcServer, reply: Any
) -> None:
    refuse_batches_over(server, 10, reply)
    rpc = Rpc(network(server.url))
    assert rpc.batch(echoes(40)) == list(range(40))
    sizes = [len(methods) for methods in server.methods_asked]
    assert sizes == [40, 20, 10, 10, 10, 10]
    server.posts.clear()
    assert rpc.batch(echoes(20)) == list(range(20))
    assert [len(methods) for methods in server.methods_asked] == [10, 10]


def test_a_node_without_batches_gets_single_calls(server: RpcServer) -> None:
    refuse_batches_over(server, 0, TOO_LARGE)
    assert Rpc(network(server.url)).batch(echoes(5)) == list(range(5))
    assert server.methods_asked[-5:] == ["echo"] * 5


def test_a_batch_answered_in_part_is_no_answer(server: RpcServer, second: RpcServer) -> None:
    second.methods["echo"] = lambda value: value
    server.behave = lambda payload: (
        (200, json.dumps(server.answer(payload)[1:]).encode())
        if isinstance(payload, list)
        else None
    )
    assert Rpc(network(server.url, second.url)).batch(echoes(3)) == [0, 1, 2]
    assert len(second.methods_asked) == 1


def test_strange_ids_in_a_batch_are_survived(server: RpcServer) -> None:
    reply = [{"id": [], "result": 1}, "x", {"id": {}, "result": 2}, None]
    refuse_batches_over(server, 1, reply)
    with pytest.raises(RpcUnreachable, match="complete answer to the batch"):
        Rpc(network(server.url)).batch(echoes(2))


@pytest.mark.parametrize(
    "error",
    [
        {"code": -32005, "message": "daily request count exceeded"},
        {"code": -32000, "message": "header not found"},
        {"code": -32000, "message": "Too Many Requests"},
        {"code": -32001, "message": "block not found"},
        {"code": -32603, "message": "BlockOutOfRangeError: block height is 5 but requested was 9"},
        {"code": 0, "message": "rate limit reached"},
    ],
)
def test_a_node_in_trouble_lets_the_next_answer(
    server: RpcServer, second: RpcServer, error: dict[str, Any]
) -> None:
    server.methods["eth_blockNumber"] = lambda: {"error": error}
    rpc = Rpc(network(server.url, second.url))
    assert rpc.call("eth_blockNumber") == "0x20"
    server.methods["echo"] = lambda value: {"error": error}
    second.methods["echo"] = lambda value: value
    assert Rpc(network(server.url, second.url)).batch(echoes(2)) == [0, 1]


def test_a_rate_limit_on_a_whole_batch_is_not_answered_with_more_calls(
    server: RpcServer,
) -> None:
    limited = {"error": {"code": -32005, "message": "rate limit exceeded"}}
    refuse_batches_over(server, 1, limited)
    with pytest.raises(RpcUnreachable, match="rate limit exceeded"):
        Rpc(network(server.url)).batch(echoes(8))
    assert all(len(methods) == 8 for methods in server.methods_asked)


def test_a_contracts_refusal_is_not_the_nodes_trouble(server: RpcServer) -> None:
    message = "execution reverted: BatchSizeTooLarge, rate limit exceeded"
    server.methods["echo"] = lambda value: {"error": {"code": 3, "message": message, "data": "0x"}}
    answers = Rpc(network(server.url)).batch(echoes(2))
    assert answers == [Refusal(3, message, "0x")] * 2
    assert answers[0].is_revert


def test_refused_logs_are_left_to_the_caller(server: RpcServer) -> None:
    error = {"code": -32005, "message": "query returned more than 10000 results"}
    server.methods["eth_getLogs"] = lambda scope: {"error": error}
    answer = Rpc(network(server.url)).batch([Request("eth_getLogs", ({},))])[0]
    assert answer == Refusal(-32005, error["message"])


@pytest.mark.parametrize("error", ["words", {"code": "x"}, {"message": 5}, [1], 7, True])
def test_errors_in_odd_shapes_are_still_refusals(server: RpcServer, error: Any) -> None:
    server.methods["echo"] = lambda value: {"error": error}
    assert isinstance(Rpc(network(server.url)).batch(echoes(1))[0], Refusal)


def test_a_single_answer_wrapped_in_a_list_is_read(server: RpcServer) -> None:
    server.behave = lambda payload: (200, json.dumps([server.answer(payload)]).encode())
    assert Rpc(network(server.url)).call("eth_blockNumber") == "0x10"


def test_many_threads_share_one_rpc(server: RpcServer) -> None:
    rpc, found = Rpc(network(NOBODY, server.url)), []

    def ask(number: int) -> None:
        found.append(rpc.batch([Request("echo", (number,)), Request("echo", (-number,))]))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted([number, -number] for number in range(20))


@pytest.mark.parametrize("hangs_up", [False, True])
def test_kept_connections_are_used_and_lost_ones_replaced(
    server: RpcServer, hangs_up: bool
) -> None:
    server.keeps_connections, server.hangs_up = True, hangs_up
    rpc = Rpc(network(server.url))
    try:
        assert {rpc.call("eth_blockNumber") for _ in range(20)} == {"0x10"}
    finally:
        _rpc_http._rpc_clients.close()


def test_a_network_without_urls_is_unreachable() -> None:
    with pytest.raises(RpcUnreachable, match="none is known"):
        Rpc(network()).call("eth_blockNumber")


@pytest.mark.parametrize("value", [None, 1, "1", "0x", "0xg", "0x" + "f" * 65, "-0x1", "0x1\n"])
def test_what_is_no_quantity_is_refused(value: Any) -> None:
    with pytest.raises(RpcUnreachable):
        quantity(value)


def test_quantities_are_read() -> None:
    assert quantity("0x0") == 0
    assert quantity("0xFf") == 255


def test_a_nodes_hostile_words_are_cut_and_made_printable() -> None:
    words = "revert \x1b[31m" * 100_000 + "\n\nx"
    answer = _rpc._answer({"error": {"code": 1, "message": words}})
    assert len(answer.message) == _rpc.MAX_MESSAGE
    told = str(_rpc.refused(Request("eth_call"), answer))
    assert told.isprintable()
    assert len(told) < 300
    assert _rpc._answer({"error": words}).message == answer.message
