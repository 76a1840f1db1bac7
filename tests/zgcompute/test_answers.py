from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from zgcompute.answers import ChatAssembler, ChatDelta, parse_usage
from zgcompute.errors import MalformedReply, RateLimited, UpstreamFailed
from zgcompute.types import Usage

VECTOR = json.loads((Path(__file__).parent.parent / "vectors/response_signature.json").read_text())


def sse(*chunks: Any) -> bytes:
    lines = [chunk if isinstance(chunk, str) else json.dumps(chunk) for chunk in chunks]
    return "".join(f"data: {line}\n\n" for line in lines).encode()


def says(text: str | None, **fields: Any) -> dict[str, Any]:
    return {"id": "c-1", "model": "m", "choices": [{"delta": {"content": text, **fields}}]}


def assembled(stream: bytes, *, key: str = "") -> tuple[list[ChatDelta], ChatAssembler]:
    assembler = ChatAssembler(b"{}", key=key)
    return [*assembler.feed(stream), *assembler.finish()], assembler


def text_of(stream: bytes) -> str:
    return "".join(delta.text for delta in assembled(stream)[0])


def test_a_stream_becomes_text_usage_and_facts() -> None:
    usage = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
    last = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
    stream = sse(says("Hel"), says("lo"), last, usage, "[DONE]")
    deltas, assembler = assembled(stream)
    assert deltas == [ChatDelta("Hel", ""), ChatDelta("lo", "")]
    outcome = assembler.outcome
    assert (outcome.response_id, outcome.model, outcome.finish_reason) == ("c-1", "m", "stop")
    assert outcome.usage == Usage(3, 2)
    assert outcome.saw_done
    assert outcome.bad_chunks == 0
    assert outcome.request_sha256 == sha256(b"{}").hexdigest()
    assert outcome.response_sha256 == sha256(stream).hexdigest()


def test_the_hashes_of_the_published_vector() -> None:
    assembler = ChatAssembler(VECTOR["request_body"].encode())
    for byte in VECTOR["response_body"].encode():
        assembler.feed(bytes([byte]))
    outcome = assembler.outcome
    assert f"{outcome.request_sha256}:{outcome.response_sha256}" == VECTOR["text"]


def test_the_header_names_the_answer_before_the_completion_does() -> None:
    assert assembled(sse(says("x")), key="abc")[1].outcome.response_id == "abc"


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_is_kept_apart_from_the_answer(name: str) -> None:
    deltas, _ = assembled(sse(says(None, **{name: "hm"}), says("so")))
    assert deltas == [ChatDelta("", "hm"), ChatDelta("so", "")]


def test_reasoning_under_both_names_is_told_once() -> None:
    assert assembled(sse(says("", reasoning="a", reasoning_content="a")))[0] == [ChatDelta("", "a")]


def test_unreadable_chunks_are_counted_and_skipped() -> None:
    deltas, assembler = assembled(sse(says("a"), "{broken", "[1]", says("b"), "[" * 50_000))
    assert [delta.text for delta in deltas] == ["a", "b"]
    assert assembler.outcome.bad_chunks == 3


@pytest.mark.parametrize(
    "chunk",
    [
        {"choices": None},
        {"choices": {"0": 1}},
        {"choices": ["x"]},
        {"choices": [{"delta": "x"}]},
        {"choices": [{"delta": {"content": ["x"]}}]},
        {"choices": [{"delta": {"content": 5, "reasoning": {}}, "finish_reason": 7}]},
        {"choices": [None], "id": 5, "model": [], "usage": "much"},
        {"error": None, "usage": {"prompt_tokens": "3", "completion_tokens": True}},
    ],
)
def test_wrong_types_give_nothing_and_break_nothing(chunk: dict[str, Any]) -> None:
    _, assembler = assembled(sse(chunk, says("ok")))
    assert assembler.outcome.response_id == "c-1"
    assert assembler.outcome.usage is None
    assert text_of(sse(chunk, says("ok"))) == "ok"


def test_what_no_database_can_hold_is_replaced() -> None:
    stream = b'data: {"choices":[{"delta":{"content":"a\\ud800b\\u0000c"}}]}\n\n'
    assert text_of(stream) == "a?b\ufffdc"


def test_a_missing_done_is_noticed_and_forgiven() -> None:
    assert not assembled(sse(says("a")))[1].outcome.saw_done


def test_nothing_after_done_is_read() -> None:
    deltas, assembler = assembled(sse(says("a"), "[DONE]", says("b"), "{broken"))
    assert [delta.text for delta in deltas] == ["a"]
    assert assembler.outcome.bad_chunks == 0


def test_an_empty_usage_does_not_replace_a_real_one() -> None:
    real = {"usage": {"prompt_tokens": 3, "completion_tokens": 2}}
    empty = {"usage": {"prompt_tokens": 0, "completion_tokens": 0}}
    assert assembled(sse(says("a"), real, empty))[1].outcome.usage == Usage(3, 2)
    assert assembled(sse(says("a"), empty))[1].outcome.usage == Usage(0, 0)
    assert assembled(sse(says("a"), empty, real))[1].outcome.usage == Usage(3, 2)


def test_an_error_in_the_middle_is_a_refusal() -> None:
    assembler = ChatAssembler(b"{}")
    assembler.feed(sse(says("a")))
    with pytest.raises(UpstreamFailed, match="out of memory"):
        assembler.feed(sse({"error": {"message": "out of memory"}}))
    with pytest.raises(RateLimited):
        ChatAssembler(b"{}").feed(sse({"error": {"message": "slow down", "code": 429}}))


def test_a_whole_completion_is_understood_instead_of_a_stream() -> None:
    completion = {
        "id": "c-2",
        "model": "m",
        "choices": [{"message": {"content": "hi", "reasoning": "r"}, "finish_reason": "length"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1},
    }
    body = json.dumps(completion).encode()
    assembler = ChatAssembler(b"{}")
    assert assembler.feed(b" \n") == assembler.feed(body[:20]) == assembler.feed(body[20:]) == []
    assert assembler.finish() == [ChatDelta("hi", "r")]
    outcome = assembler.outcome
    assert (outcome.saw_done, outcome.finish_reason) == (True, "length")
    assert outcome.response_sha256 == sha256(b" \n" + body).hexdigest()


def test_a_completion_without_text_is_an_empty_answer() -> None:
    assert assembled(b'{"choices":[{"message":{"content":null}}]}')[0] == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n\n",
        b"<html>nope</html>",
        b"{broken",
        b'{"choices":[]}',
        b"data: [DONE]\n\n",
        b"hello",
    ],
)
def test_a_reply_without_an_answer_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedReply):
        assembled(body)


def test_an_error_body_under_status_200_is_a_refusal() -> None:
    with pytest.raises(UpstreamFailed):
        assembled(b'{"error":"boom"}')


@pytest.mark.parametrize(
    ("value", "usage"),
    [
        (None, None),
        ({}, None),
        ({"prompt_tokens": -1, "completion_tokens": 2**63}, None),
        ({"prompt_tokens": 5}, Usage(5, 0)),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 2,
                "prompt_tokens_details": {"cached_tokens": 4},
                "cache_write_tokens": 3,
                "cache_write_1h_tokens": 1,
            },
            Usage(9, 2, 4, 3, 1),
        ),
        ({"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": "4"}}, Usage(9, 0)),
    ],
)
def test_usage_is_read_leniently(value: object, usage: Usage | None) -> None:
    assert parse_usage(value) == usage
