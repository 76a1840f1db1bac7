"""Rate limits: the token bucket, concurrency, and the block for wrong models."""

from __future__ import annotations

import asyncio

import pytest

from devnet.providers.limits import Limits, go_duration
from tests.devnet.bench import Bench, bench, chat_body

CHAT = "/v1/proxy/chat/completions"


@pytest.fixture
def aurora() -> Bench:
    return bench()


def test_five_at_once_then_one_every_two_seconds(aurora: Bench) -> None:
    clock = [100.0]
    aurora.provider.limits = Limits(clock=lambda: clock[0])
    replies = [aurora.chat() for _ in range(6)]
    assert [reply.status for reply in replies] == [200] * 5 + [429]
    assert replies[5].error == {
        "type": "rate_limit_error",
        "message": "Rate limit exceeded. Please wait 2 seconds (limit: 30 requests/min).",
    }
    assert "retry-after" not in replies[5].headers
    clock[0] += 2.0
    assert aurora.chat().status == 200
    assert aurora.chat().status == 429


def test_headers_tell_the_state_before_the_charge(aurora: Bench) -> None:
    first, second = aurora.chat(), aurora.chat()
    assert first.headers["x-ratelimit-limit-requests"] == "30"
    assert first.headers["x-ratelimit-remaining-requests"] == "5"
    assert second.headers["x-ratelimit-remaining-requests"] == "4"
    assert second.headers["x-ratelimit-reset-requests"] == "2s"


def test_older_builds_ask_to_slow_down(aurora: Bench) -> None:
    aurora.provider.options.older_build = True
    error = [aurora.chat() for _ in range(6)][5].error
    expected = "Please slow down your request rate (limit: 30 requests/min)."
    assert error == f"Rate limit exceeded. {expected}"


def test_limits_can_be_switched_off(aurora: Bench) -> None:
    aurora.provider.limits.settings.enabled = False
    assert {aurora.chat().status for _ in range(9)} == {200}


def test_a_session_is_checked_before_the_bucket_is_charged(aurora: Bench) -> None:
    for _ in range(9):
        assert aurora.ask(CHAT, chat_body(), token=None).status == 400
    assert aurora.chat().status == 200


def test_the_sixth_request_at_the_same_time_is_refused(aurora: Bench) -> None:
    aurora.provider.options.tokens_per_second = 1000.0
    aurora.provider.limits.settings.burst = 20

    async def ask_six() -> list[int]:
        asked = [aurora.ask_async(CHAT, chat_body(), method="POST") for _ in range(6)]
        replies = await asyncio.gather(*asked)
        (refused,) = [reply for reply in replies if reply.status == 429]
        assert refused.error == (
            "Too many concurrent requests. You have 5 active requests (limit: 5). "
            "Please wait for some to complete."
        )
        return sorted(reply.status for reply in replies)

    assert asyncio.run(ask_six()) == [200] * 5 + [429]
    assert aurora.chat().status == 200


def test_the_server_as_a_whole_has_a_limit(aurora: Bench) -> None:
    limits = aurora.provider.limits
    limits.settings.concurrent_in_all = 1
    with limits.slot("somebody else"):
        reply = aurora.chat()
    assert reply.status == 503
    assert (
        reply.error == "Server is currently processing too many requests. Please try again later."
    )


def test_five_wrong_models_block_for_an_hour(aurora: Bench) -> None:
    clock = [0.0]
    aurora.provider.limits = Limits(clock=lambda: clock[0])
    for _ in range(5):
        clock[0] += 50.0
        reply = aurora.chat(model="gpt-4")
        assert reply.error == (
            "prepare HTTP request: enforce configured model: "
            'model not supported: requested "gpt-4", accepted: ["devnet-chat"]'
        )
    clock[0] += 10.0
    blocked = aurora.chat(model="devnet-chat")
    assert blocked.status == 429
    assert blocked.error == (
        "Rate limit exceeded: too many invalid model requests. Please try again in 59m50s"
    )
    clock[0] += 3600.0
    assert aurora.chat().status == 200


def test_wrong_models_far_apart_do_not_block(aurora: Bench) -> None:
    clock = [0.0]
    aurora.provider.limits = Limits(clock=lambda: clock[0])
    for _ in range(8):
        clock[0] += 80.0
        assert aurora.chat(model="gpt-4").status == 400


def test_durations_read_as_in_go() -> None:
    assert [go_duration(n) for n in (3600, 3598, 7)] == ["1h0m0s", "59m58s", "7s"]
