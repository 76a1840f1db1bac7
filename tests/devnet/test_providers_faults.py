"""Each fault does what its name says, and the books stay right."""

from __future__ import annotations

import json
import time

import pytest

from devnet.faults import Fault, FaultSwitch
from devnet.providers.signatures import sha256
from tests.devnet.bench import ALICE, Bench, Reply, bench, recovered
from zgcompute.types import Address

USER = Address(ALICE.address)


@pytest.fixture
def aurora() -> Bench:
    return bench(stall_seconds=0.1, slow_seconds=0.1, huge_megabytes=1)


def with_fault(aurora: Bench, fault: Fault, **fields: object) -> Reply:
    aurora.provider.faults.set(fault)
    reply = aurora.chat("hello", **{"stream": True, **fields})
    aurora.provider.faults.set(None)
    return reply


def signature(aurora: Bench, reply: Reply) -> Reply:
    return aurora.ask(f"/v1/proxy/signature/{reply.headers['zg-res-key']}", token=None)


@pytest.mark.parametrize("stream", [True, False])
def test_a_tampered_answer_is_not_what_was_signed(aurora: Bench, stream: bool) -> None:
    reply = with_fault(aurora, Fault.TAMPERED_ANSWER, stream=stream)
    record = signature(aurora, reply).json
    assert recovered(record) == aurora.provider.profile.tee_key.address
    assert record["text"].split(":")[1] != sha256(reply.body)
    assert reply.events if stream else reply.json["choices"]


def test_a_wrong_signer_hides_behind_the_right_address(aurora: Bench) -> None:
    reply = with_fault(aurora, Fault.WRONG_SIGNER)
    record = signature(aurora, reply).json
    assert record["signing_address"] == aurora.provider.profile.tee_key.address
    assert recovered(record) != record["signing_address"]
    assert record["text"].split(":")[1] == sha256(reply.body)


def test_no_signature_is_never_found_but_the_answer_is_billed(aurora: Bench) -> None:
    reply = with_fault(aurora, Fault.NO_SIGNATURE)
    assert signature(aurora, reply).status == 400
    assert aurora.provider.book.unsettled(USER) > 0


@pytest.mark.parametrize("stream", [True, False])
def test_a_cut_connection_is_billed_and_signed_all_the_same(aurora: Bench, stream: bool) -> None:
    reply = with_fault(aurora, Fault.DISCONNECT, stream=stream)
    assert not reply.is_complete
    assert len(reply.body) > 0
    assert aurora.provider.book.unsettled(USER) > 0
    assert signature(aurora, reply).status == 200


@pytest.mark.parametrize("stream", [True, False])
def test_a_connection_cut_before_the_first_token_is_billed_whole(
    aurora: Bench, stream: bool
) -> None:
    reply = with_fault(aurora, Fault.EARLY_DISCONNECT, stream=stream)
    assert (reply.status, reply.body, reply.is_complete) == (200, b"", False)
    assert aurora.provider.book.unsettled(USER) > 0
    assert signature(aurora, reply).status == 200


@pytest.mark.parametrize("stream", [True, False])
def test_a_slow_start_is_followed_by_the_whole_answer(aurora: Bench, stream: bool) -> None:
    started = time.monotonic()
    reply = with_fault(aurora, Fault.SLOW_START, stream=stream)
    assert time.monotonic() - started >= 0.1
    assert reply.is_complete
    assert signature(aurora, reply).json["text"].split(":")[1] == sha256(reply.body)


@pytest.mark.parametrize("stream", [True, False])
def test_a_stalled_answer_ends_at_last(aurora: Bench, stream: bool) -> None:
    assert with_fault(aurora, Fault.STALL, stream=stream).is_complete


def test_a_bad_chunk_stands_between_good_ones(aurora: Bench) -> None:
    reply = with_fault(aurora, Fault.BAD_CHUNK)
    with pytest.raises(json.JSONDecodeError):
        _ = reply.events
    assert reply.body.endswith(b"data: [DONE]\n\n")
    assert signature(aurora, reply).json["text"].split(":")[1] == sha256(reply.body)


def test_an_error_ends_a_stream_whose_words_are_billed(aurora: Bench) -> None:
    reply = with_fault(aurora, Fault.ERROR_CHUNK)
    *good, last = reply.events
    assert reply.is_complete
    assert b"[DONE]" not in reply.body
    assert last["error"]["code"] == 500
    words = "".join(event["choices"][0]["delta"]["content"] for event in good).split()
    price = aurora.provider.profile.output_price
    assert aurora.provider.book.unsettled(USER) == len(words) * price > 0


def test_a_stream_cut_short_looks_whole_but_for_its_end(aurora: Bench) -> None:
    reply = with_fault(aurora, Fault.CUT_SHORT)
    assert reply.is_complete
    assert b"[DONE]" not in reply.body
    assert [event["choices"][0]["finish_reason"] for event in reply.events[-1:]] == [None]
    assert 0 < len(reply.text) < len(aurora.chat("hello", stream=True).text)
    assert signature(aurora, reply).json["text"].split(":")[1] == sha256(reply.body)


def test_an_empty_answer_bills_the_prompt(aurora: Bench) -> None:
    reply = with_fault(aurora, Fault.EMPTY_ANSWER)
    usage = reply.events[-1]["usage"]
    assert (reply.text, usage["completion_tokens"]) == ("", 0)
    assert aurora.provider.book.unsettled(USER) > 0


@pytest.mark.parametrize("stream", [True, False])
def test_an_empty_body_is_a_good_status_and_nothing_else(aurora: Bench, stream: bool) -> None:
    reply = with_fault(aurora, Fault.EMPTY_BODY, stream=stream)
    assert (reply.status, reply.body, reply.is_complete) == (200, b"", True)
    assert aurora.provider.book.unsettled(USER) == 0


def test_a_whole_answer_with_a_bad_chunk_is_no_json(aurora: Bench) -> None:
    with pytest.raises(json.JSONDecodeError):
        _ = with_fault(aurora, Fault.BAD_CHUNK, stream=False).json


def test_no_usage_means_words_are_billed(aurora: Bench) -> None:
    reply = with_fault(aurora, Fault.NO_USAGE)
    words = len(reply.text.split())
    assert aurora.provider.book.unsettled(USER) == words * aurora.provider.profile.output_price


def test_no_done_is_billed_by_usage(aurora: Bench) -> None:
    reply = with_fault(aurora, Fault.NO_DONE)
    assert b"[DONE]" not in reply.body
    assert reply.is_complete
    assert "usage" in reply.events[-1]


def test_hostile_text_is_hostile(aurora: Bench) -> None:
    text = with_fault(aurora, Fault.XSS).text
    for weapon in ("<script>", "onerror=", "javascript:", "\u202e", "</code>"):
        assert weapon in text


def test_a_huge_answer_is_huge(aurora: Bench) -> None:
    assert len(with_fault(aurora, Fault.HUGE_ANSWER).body) > 1024 * 1024
    assert len(with_fault(aurora, Fault.HUGE_ANSWER, stream=False).body) > 1024 * 1024


@pytest.mark.parametrize(
    ("fault", "status", "words"),
    [
        (Fault.RATE_LIMITED, 429, "Rate limit exceeded. Please wait"),
        (Fault.BUSY, 503, "Server is at capacity"),
        (Fault.SERVER_ERROR, 500, "Internal Server Error"),
        (Fault.HTML, 502, "<h1>502 Bad Gateway</h1>"),
        (Fault.EXPIRED_SESSION, 400, "validate session: session token expired"),
        (Fault.RESERVE, 400, "locked balance is 5.000000 0G, but the required minimum is 6.000000"),
    ],
)
def test_refusing_faults_cost_nothing(aurora: Bench, fault: Fault, status: int, words: str) -> None:
    reply = with_fault(aurora, fault)
    assert reply.status == status
    assert words in reply.body.decode()
    assert aurora.provider.book.unsettled(USER) == 0


def test_a_busy_server_says_when_to_come_back(aurora: Bench) -> None:
    assert with_fault(aurora, Fault.BUSY).headers["retry-after"] == "7"


def test_a_fault_may_be_for_some_requests_only(aurora: Bench) -> None:
    aurora.provider.faults.set(Fault.SERVER_ERROR, 2)
    assert [aurora.chat().status for _ in range(3)] == [500, 500, 200]


def test_a_refused_session_uses_up_no_fault(aurora: Bench) -> None:
    aurora.provider.faults.set(Fault.SERVER_ERROR, 1)
    aurora.ask("/v1/proxy/chat/completions", {}, token=None)
    assert aurora.chat().status == 500


def test_zero_times_is_off() -> None:
    switch = FaultSwitch()
    switch.set(Fault.STALL, 0)
    assert switch.take() is None


def test_reset_puts_everything_back(aurora: Bench) -> None:
    aurora.provider.faults.set(Fault.HTML)
    aurora.provider.options.reserve = 0
    aurora.provider.limits.settings.enabled = False
    aurora.provider.reset()
    assert aurora.provider.faults.fault is None
    assert aurora.provider.options.reserve == 10**18
    assert aurora.provider.limits.settings.enabled


CHAT = "/v1/proxy/chat/completions"


@pytest.mark.parametrize("fault", Fault)
def test_every_request_is_counted_once_whatever_comes_of_it(aurora: Bench, fault: Fault) -> None:
    with_fault(aurora, fault)
    assert aurora.provider.requests == {CHAT: 1}
    assert aurora.provider.asked == {USER: 1}


def test_a_request_without_a_good_session_is_counted_for_nobody(aurora: Bench) -> None:
    aurora.ask(CHAT, {}, token=None)
    aurora.ask("/v1/proxy/signature/none", token=None)
    assert (aurora.provider.requests, aurora.provider.asked) == ({CHAT: 1}, {})


def test_a_reset_keeps_the_counts(aurora: Bench) -> None:
    aurora.chat()
    aurora.provider.reset()
    assert (aurora.provider.requests, aurora.provider.asked) == ({CHAT: 1}, {USER: 1})
