"""Chat: what is forwarded, streamed, billed and signed."""

from __future__ import annotations

import asyncio
import json

import pytest

from devnet.providers import reencoding, tokens
from devnet.providers.signatures import response_text, sha256
from devnet.providers.wire import Refusal
from tests.devnet.bench import ALICE, Bench, Reply, bench, chat_body, recovered
from zgcompute.bodies import chat_body as sdk_body
from zgcompute.types import Address

USER = Address(ALICE.address)
CHAT = "/v1/proxy/chat/completions"


@pytest.fixture
def aurora() -> Bench:
    return bench()


def signature(bench: Bench, response_id: str) -> Reply:
    return bench.ask(f"/v1/proxy/signature/{response_id}?model=x", token=None)


def test_the_published_request_body_is_what_is_forwarded() -> None:
    sent = b'{ "model":"m", "stream":true, "messages":[{"role":"user","content":"hi"}] }'
    forwarded, _ = reencoding.prepare(sent, default_model="m")
    expected = (
        b'{"messages":[{"content":"hi","role":"user"}],"model":"m","stream":true,'
        b'"stream_options":{"include_usage":true}}'
    )
    assert forwarded == expected
    assert sha256(forwarded).startswith("9e8efa3838fc68fca8927ffa3b9f5abf5a526d0903c6fe1b")


@pytest.mark.parametrize(
    "body",
    [
        b'{ "model": "m" }',
        b'{"model":"m","stream":false}',
        b'{"model":"m","stream":"true"}',
        b'{"model":"m","stream":true,"stream_options":{"include_usage":false}}',
        b'{"model":"m","stream":true, "stream_options":{"include_usage":true}}',
    ],
)
def test_a_body_that_needs_no_change_is_forwarded_untouched(body: bytes) -> None:
    assert reencoding.prepare(body, default_model="m")[0] == body


def test_changed_bodies_are_written_as_go_writes_them() -> None:
    sent = (
        '{"stream":true,"stream_options":7,"b":{"z":1.0,"a":[1e21,1e-7,0.1,-0,9007199254740993,'
        '100000000000000000000]},"t":"<a&b>\u2028é😀\\u0001\\b\\ud800/","n":null,"model":"m"}'
    )
    forwarded, _ = reencoding.prepare(sent.encode(), default_model="m")
    assert forwarded.decode() == (
        '{"b":{"a":[1e+21,1e-7,0.1,-0,9007199254740992,100000000000000000000],"z":1},"model":"m",'
        '"n":null,"stream":true,"stream_options":{"include_usage":true},'
        '"t":"\\u003ca\\u0026b\\u003e\\u2028é😀\\u0001\\b\ufffd/"}'
    )


def test_the_sdks_bodies_survive_a_re_encoding() -> None:
    nested = {"tools": [{"b": {"é": "<&>\u2029", "a": 1.5e-9}}], "temperature": 0.7, "seed": 12}
    messages = [{"role": "user", "content": 'Grüße <b>&amp;</b> 你好 \x7f \\ " \x0c'}]
    sent = sdk_body("m", messages, stream=True, **nested)
    assert reencoding.prepare(sent, default_model="m")[0] == sent
    assert reencoding.encode(json.loads(sent)) == sent


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"x"', b'{"a":NaN}', b'{"a":1e999}', b"[" * 9999]
)
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(Refusal):
        reencoding.prepare(body, default_model="m")


def test_an_answer_streams_in_openais_shape(aurora: Bench) -> None:
    reply = aurora.chat("hello there", stream=True)
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert reply.body.endswith(b"data: [DONE]\n\n")
    *chunks, last, usage = reply.events
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert last["choices"][0]["finish_reason"] == "stop"
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] == len(tokens.split(reply.text))
    assert "> hello there" in reply.text
    assert {event["id"] for event in reply.events} == {f"chatcmpl-{reply.headers['zg-res-key']}"}


def test_headers_name_the_provider(aurora: Bench) -> None:
    headers = aurora.chat(stream=True).headers
    assert headers["provider"] == aurora.provider.address
    assert headers["x-accel-buffering"] == "no"
    assert headers["access-control-expose-headers"] == "Provider,content-encoding,ZG-Res-Key"


@pytest.mark.parametrize("stream", [True, False])
def test_the_signature_binds_request_and_response(aurora: Bench, stream: bool) -> None:
    messages = [{"role": "user", "content": "<&> Grüße"}]
    sent = sdk_body("devnet-chat", messages, stream=stream)
    reply = aurora.ask(CHAT, sent)
    record = signature(aurora, reply.headers["zg-res-key"]).json
    assert record["text"] == response_text(sent, reply.body)
    assert record["signing_algo"] == "ecdsa"
    assert record["signing_address"] == recovered(record) == aurora.provider.profile.tee_key.address


def test_the_signed_request_is_the_rewritten_one(aurora: Bench) -> None:
    reply = aurora.chat(stream=True)
    signed_request = signature(aurora, reply.headers["zg-res-key"]).json["text"].split(":")[0]
    rewritten = reencoding.encode(
        {
            **chat_body(),
            "model": "devnet-chat",
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    )
    assert signed_request == sha256(rewritten)


def test_signatures_are_found_in_any_case_and_expire(aurora: Bench) -> None:
    clock = [0.0]
    aurora.provider.signatures._clock = lambda: clock[0]
    key = aurora.chat().headers["zg-res-key"]
    assert signature(aurora, key.upper()).status == 200
    clock[0] = 20 * 60.0
    missing = signature(aurora, key)
    assert missing.status == 400
    assert missing.error == (
        "prepare HTTP request: Chat id not found or expired, chat_id_not_found"
    )


def test_a_separated_model_server_signs_with_its_own_key_by_its_own_id() -> None:
    cumulus = bench("cumulus")
    reply = cumulus.chat("why?", stream=True)
    assert "zg-res-key" not in reply.headers
    record = signature(cumulus, reply.events[0]["id"]).json
    profile = cumulus.provider.profile
    assert recovered(record) == profile.answer_key.address != profile.tee_key.address
    assert record["text"].split(":")[1] == sha256(reply.body)


def test_a_reasoner_reasons_before_it_answers() -> None:
    deltas = [
        event["choices"][0]["delta"] for event in bench("cumulus").chat(stream=True).events[:-1]
    ]
    kinds = ["reasoning" if "reasoning_content" in delta else "content" for delta in deltas]
    assert kinds[1] == "reasoning"
    assert "reasoning" not in kinds[kinds.index("content", 1) :]


def test_the_fee_is_that_of_the_usage_sent(aurora: Bench) -> None:
    usage = aurora.chat(stream=True).events[-1]["usage"]
    profile = aurora.provider.profile
    expected = (
        usage["prompt_tokens"] * profile.input_price
        + usage["completion_tokens"] * profile.output_price
    )
    reply = aurora.ask(f"/v1/user/{USER.lower()}/unsettledfee")
    assert reply.json == {"userAddress": USER, "unsettledFee": str(expected)}


def test_refused_usage_is_billed_by_words(aurora: Bench) -> None:
    reply = aurora.chat(stream=True, stream_options={"include_usage": False})
    assert all(event["choices"] for event in reply.events)
    words = len(reply.text.split())
    assert aurora.provider.book.unsettled(USER) == words * aurora.provider.profile.output_price


def test_the_second_turn_finds_the_first_one_cached() -> None:
    cumulus = bench("cumulus")
    first = {"role": "user", "content": "one two three four five six seven eight nine ten " * 5}
    cumulus.ask(CHAT, {"messages": [first]})
    again = [first, {"role": "assistant", "content": "ok"}, {"role": "user", "content": "more"}]
    usage = cumulus.ask(CHAT, {"messages": again}).json["usage"]
    cached = usage["prompt_tokens_details"]["cached_tokens"]
    assert 0 < cached < usage["prompt_tokens"]
    assert cached % tokens.CACHE_BLOCK == 0


def test_max_tokens_cuts_the_answer(aurora: Bench) -> None:
    reply = aurora.chat(stream=True, max_tokens=7)
    assert len(tokens.split(reply.text)) <= 7
    assert reply.events[-2]["choices"][0]["finish_reason"] == "length"
    assert reply.events[-1]["usage"]["completion_tokens"] == 7


def test_content_may_be_a_list_of_parts(aurora: Bench) -> None:
    parts = [{"type": "text", "text": "from parts"}, {"type": "other"}, 7]
    reply = aurora.ask(CHAT, {"messages": [{"role": "user", "content": parts}]})
    assert "> from parts" in reply.json["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    ("question", "sign"),
    [("a table please", "| ---: |"), ("some code", "```python"), ("a poem", "ledger turns a page")],
)
def test_some_words_ask_for_special_answers(aurora: Bench, question: str, sign: str) -> None:
    content = aurora.chat(question).json["choices"][0]["message"]["content"]
    assert sign in content
    assert "Devnet answer" in content


@pytest.mark.parametrize(
    ("kind", "sign"),
    [("mix", "\n| ---: |"), ("code", "```python"), ("table", "| 40 |"), ("list", "\n9. **")],
)
def test_answers_have_the_tokens_asked_for(aurora: Bench, kind: str, sign: str) -> None:
    reply = aurora.chat(f"Write 1,500 tokens of a {kind}").json
    assert sign in reply["choices"][0]["message"]["content"]
    assert reply["usage"]["completion_tokens"] == 1500


def test_a_tenth_of_the_tokens_asked_for_is_reasoning() -> None:
    reply = bench("cumulus").chat("2000 tokens of one paragraph").json
    assert reply["usage"]["completion_tokens"] == 2000
    assert reply["usage"]["completion_tokens_details"] == {"reasoning_tokens": 200}


def test_long_answers_have_the_words_asked_for(aurora: Bench) -> None:
    content = aurora.chat("write 250 words").json["choices"][0]["message"]["content"]
    label, _, text = content.partition("\n\n")
    assert "Devnet" in label
    assert len(text.split()) == 250


def test_answers_are_the_same_every_time(aurora: Bench) -> None:
    assert aurora.chat("x", stream=True).text == aurora.chat("x", stream=True).text


@pytest.mark.parametrize("path", ["/v1/proxy/v1/chat/completions", CHAT + "/"])
def test_a_second_v1_and_a_last_slash_are_overlooked(aurora: Bench, path: str) -> None:
    assert aurora.ask(path, chat_body()).status == 200


@pytest.mark.parametrize(
    "path", ["/v1/proxy/models", "/v1/proxy", "/v1/proxy/images/generations", "/v1/proxy/x/y"]
)
def test_other_endpoints_are_not_supported(aurora: Bench, path: str) -> None:
    reply = aurora.ask(path, chat_body())
    assert (reply.status, reply.error) == (400, "unsupported endpoint: endpoint not supported")


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": []},
        {"messages": "hi"},
        {"messages": [7]},
        {"messages": [{"role": 1}]},
        {"messages": [{"role": "user", "content": 7}]},
        {**chat_body(), "max_tokens": "many"},
        {**chat_body(), "max_tokens": 0},
        {**chat_body("word " * 40_000)},
    ],
)
def test_the_model_servers_refusals_are_passed_through(aurora: Bench, fields: object) -> None:
    reply = aurora.ask(CHAT, fields)
    assert reply.status == 400
    assert reply.error["type"] == "BadRequestError"
    assert aurora.provider.book.unsettled(USER) == 0


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe",
        b"null",
        b'{"messages":[{"role":"user","content":"\\ud800"}],"model":"\\udfff"}',
        b'{"messages":[{"role":"user","content":"\\ud800"}]}',
        b'{"model":{"a":[1]},"messages":[{"role":"user"}]}',
        b'{"messages":' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"stream":true,"stream_options":[],"messages":[{"role":"user","content":null}]}',
    ],
)
def test_garbage_never_crashes_a_provider(aurora: Bench, body: bytes) -> None:
    assert aurora.ask(CHAT, body).status in (200, 400)


def test_a_body_over_32_megabytes_is_refused(aurora: Bench) -> None:
    reply = aurora.ask(CHAT, b" " * (32 * 1024 * 1024 + 1))
    assert reply.status == 413
    assert reply.error == "Request body size exceeds the maximum allowed size of 32MB"


def test_browsers_may_ask_from_any_origin(aurora: Bench) -> None:
    headers = {"origin": "https://site.example"}
    preflight = aurora.ask(CHAT, method="OPTIONS", token=None, headers=headers)
    assert preflight.status == 204
    assert preflight.headers["access-control-allow-origin"] == "https://site.example"
    assert preflight.headers["access-control-allow-credentials"] == "true"
    own = aurora.ask("/v1/models", token=None, headers=headers)
    assert own.headers["access-control-allow-origin"] == "*"


def test_older_builds_keep_the_model_servers_id(aurora: Bench) -> None:
    aurora.provider.options.older_build = True
    reply = aurora.chat(stream=True)
    key = reply.headers["zg-res-key"]
    assert reply.events[0]["id"] != f"chatcmpl-{key}"
    assert signature(aurora, key).status == 200


def test_a_client_that_leaves_still_pays(aurora: Bench) -> None:
    async def leave() -> None:
        async def gone(message: object) -> None:
            raise ConnectionResetError

        body = json.dumps(chat_body(stream=True)).encode()

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": body}

        from tests.devnet.bench import session

        header = (b"authorization", f"Bearer {session()}".encode())
        scope = {"type": "http", "method": "POST", "path": CHAT, "headers": [header]}
        await aurora.app(scope, receive, gone)

    asyncio.run(leave())
    assert aurora.provider.book.unsettled(USER) > 0


def test_tokens_join_to_the_text_they_came_from() -> None:
    text = "Grüße,  你好\n\n```py\nx_1 = 12345\n``` 😀 \t ½ e\u0301 ok"
    assert "".join(tokens.split(text)) == text
