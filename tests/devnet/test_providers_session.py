"""The session checks of PROTOCOL §1.4: each message, and which check comes first."""

from __future__ import annotations

import time

import pytest

from devnet.providers.session import split_header
from devnet.providers.wire import Refusal
from tests.devnet.bench import (
    ALICE,
    MALLORY,
    PROVIDER,
    Bench,
    bench,
    packed,
    sealed,
    session,
    sub_account,
    token_json,
)

VECTOR_KEY = "0x" + "11" * 32
VECTOR = (
    "eyJhZGRyZXNzIjoiMHgxOUU3RTM3NkU3QzIxM0I3RTdlN2U0NmNjNzBBNWREMDg2REFmZjJBIiwicHJvdmlkZXIiOi"
    "IweDMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMiLCJ0aW1lc3RhbXAiOjE3NTAwMDAwMDAw"
    "MDAsImV4cGlyZXNBdCI6MCwibm9uY2UiOiIwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMCIsImdlbmVyYX"
    "Rpb24iOjAsInRva2VuSWQiOjB9fDB4OGRkNTk1ZTlkZTE4Yzg1YTVhNzY1YWJlYjM3OTY2YTJjNTA3NTVkYzA1ZWM1"
    "OGRiNTE0YWFhZWQxMzg0NmM4YzFiM2IyYTAzMTY5NDUyMTFmZGU5MmE3NDU2ODMzNDY2MTlhMjQ0ODI3YjY5NDUxNT"
    "BiMGQ1YWU0N2YyOWNmOWExYg=="
)
MS = 1000
DAY = 86_400_000
NO_HEADER = (
    "missing or invalid Authorization header, must be Bearer app-sk-<base64(rawMessage:signature)>"
)


@pytest.fixture
def aurora() -> Bench:
    return bench()


def refused(aurora: Bench, token: str | None) -> str:
    reply = aurora.ask("/v1/proxy/chat/completions", {"messages": []}, token=token)
    assert reply.status == 400
    prefix, _, message = reply.error.partition(": ")
    assert prefix == "validate session"
    return str(message)


def test_the_published_vector_is_accepted(aurora: Bench) -> None:
    reply = aurora.ask(
        "/v1/user/0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a/unsettledfee",
        token=f"app-sk-{VECTOR}",
    )
    assert reply.status == 200
    assert reply.json == {
        "userAddress": "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A",
        "unsettledFee": "0",
    }


def test_a_missing_header_is_refused(aurora: Bench) -> None:
    assert refused(aurora, None) == NO_HEADER


def test_a_router_key_is_refused_as_a_missing_header(aurora: Bench) -> None:
    assert refused(aurora, "sk-" + VECTOR) == NO_HEADER


@pytest.mark.parametrize(
    ("text", "byte"),
    [("ab_d", 2), ("abcd!", 4), ("abcde", 4), ("abcdef", 4), ("abc", 0), ("abcdef=", 7), ("=", 0)],
)
def test_bad_base64_names_the_byte_where_it_broke(aurora: Bench, text: str, byte: int) -> None:
    assert refused(aurora, f"app-sk-{text}") == (
        f"invalid base64 in Authorization header: illegal base64 data at input byte {byte}"
    )


def test_a_payload_without_a_bar_is_refused(aurora: Bench) -> None:
    expected = "invalid Authorization payload, expect base64(rawMessage:signature)"
    assert refused(aurora, packed("no bar here")) == expected


def test_only_the_first_bar_separates() -> None:
    raw, signature = split_header("Bearer " + packed("a|b|c"))
    assert (raw, signature) == (b"a", "b|c")


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ("{not json", ""),
        ("[]", "json: cannot unmarshal array into Go value"),
        (token_json(tokenId=256), "cannot unmarshal number 256 into Go struct field SessionToken."),
        (token_json(tokenId=-1), "of type uint8"),
        (token_json(generation="0"), "cannot unmarshal string"),
        (token_json(timestamp=1.5), "of type int64"),
        (token_json(expiresAt=True), "cannot unmarshal bool"),
        (token_json(address=7), "SessionToken.address of type string"),
        ('{"tokenId": NaN}', "invalid character"),
        ("[" * 5000, ""),
    ],
)
def test_a_token_that_is_no_struct_is_refused(aurora: Bench, payload: str, reason: str) -> None:
    message = refused(aurora, packed(payload + "|0x00"))
    assert message.startswith("invalid session token format in Authorization: ")
    assert reason in message


def test_a_token_for_another_provider_is_refused(aurora: Bench) -> None:
    token = session(provider="0x" + "4" * 40)
    assert refused(aurora, token) == "session token is for different provider"


def test_the_provider_may_be_spelled_in_any_case(aurora: Bench) -> None:
    token = session(provider=PROVIDER.upper().replace("X", "x"))
    assert aurora.ask(f"/v1/user/{ALICE.address}/unsettledfee", token=token).status == 200


def test_an_ephemeral_token_needs_an_end(aurora: Bench) -> None:
    expected = "ephemeral token must have an expiration time"
    assert refused(aurora, session(expiresAt=0)) == expected


def test_an_ephemeral_token_lives_a_day_at_most(aurora: Bench) -> None:
    now = int(time.time()) * MS
    token = session(timestamp=now, expiresAt=now + DAY + 1)
    assert refused(aurora, token) == "ephemeral token duration cannot exceed 24 hours"
    exact = session(timestamp=now, expiresAt=now + DAY)
    assert aurora.ask(f"/v1/user/{ALICE.address}/unsettledfee", token=exact).status == 200


def test_an_expired_token_is_refused_by_whole_seconds(aurora: Bench) -> None:
    aurora.provider.guard._clock = lambda: 1001.9
    fine = session(timestamp=0, expiresAt=1_001_000)
    assert aurora.ask(f"/v1/user/{ALICE.address}/unsettledfee", token=fine).status == 200
    late = session(timestamp=0, expiresAt=1_000_999)
    assert refused(aurora, late) == "session token expired"


def test_a_stale_generation_is_a_revocation(aurora: Bench) -> None:
    aurora.chain.accounts[ALICE.address] = sub_account(generation=2)
    expected = "session token has been revoked (generation expired)"
    assert refused(aurora, session(generation=1)) == expected


def test_a_future_generation_is_refused(aurora: Bench) -> None:
    assert refused(aurora, session(generation=1)) == "invalid session token (future generation)"


def test_a_revoked_slot_is_refused_but_never_the_ephemeral_one(aurora: Bench) -> None:
    aurora.chain.accounts[ALICE.address] = sub_account(revoked_bitmap=1 << 7 | 1 << 255)
    assert refused(aurora, session(tokenId=7)) == "session token has been revoked"
    fine = aurora.ask(f"/v1/user/{ALICE.address}/unsettledfee", token=session())
    assert fine.status == 200


@pytest.mark.parametrize(
    ("signature", "message"),
    [
        ("0xzz", "invalid signature format: encoding/hex: invalid byte: U+007A 'z'"),
        ("0x123", "invalid signature format: encoding/hex: odd length hex string"),
        ("0x1234", "invalid signature length"),
        ("0x" + "00" * 65, "failed to recover public key from signature: "),
        ("0x" + "11" * 64 + "01", "failed to recover public key from signature: "),
    ],
)
def test_a_bad_signature_is_named(aurora: Bench, signature: str, message: str) -> None:
    assert refused(aurora, packed(f"{token_json()}|{signature}")).startswith(message)


def test_a_strangers_signature_is_an_address_mismatch(aurora: Bench) -> None:
    expected = "signature verification failed: address mismatch"
    assert refused(aurora, session(key=MALLORY)) == expected
    assert refused(aurora, session(key=MALLORY, address="nobody")) == expected


def test_a_v_of_zero_or_one_fails_as_on_the_real_broker(aurora: Bench) -> None:
    text = token_json()
    payload = split_header("Bearer " + sealed(text))[1]
    low = f"{int(payload[-2:], 16) - 27:02x}"
    message = refused(aurora, packed(f"{text}|{payload[:-2]}{low}"))
    assert message.startswith("failed to recover public key")


def test_earlier_checks_win_over_later_ones(aurora: Bench) -> None:
    aurora.chain.accounts[ALICE.address] = sub_account(generation=1, revoked_bitmap=1)
    wrong_everywhere = {"provider": "0x" + "4" * 40, "expiresAt": 0, "key": MALLORY}
    assert refused(aurora, session(**wrong_everywhere)) == "session token is for different provider"
    no_end = session(expiresAt=0, key=MALLORY)
    assert refused(aurora, no_end) == "ephemeral token must have an expiration time"
    expired = session(timestamp=1, expiresAt=2, tokenId=0, key=MALLORY)
    assert refused(aurora, expired) == "session token expired"
    stale = session(tokenId=0, key=MALLORY)
    assert refused(aurora, stale) == "session token has been revoked (generation expired)"


def test_a_user_without_an_account_passes_the_session_check(aurora: Bench) -> None:
    token = session(key=MALLORY, address=MALLORY.address, generation=9)
    assert aurora.ask(f"/v1/user/{MALLORY.address}/unsettledfee", token=token).status == 200


def test_nobody_sees_anothers_unsettled_fee(aurora: Bench) -> None:
    reply = aurora.ask(f"/v1/user/{MALLORY.address}/unsettledfee")
    assert (reply.status, reply.error) == (403, "you can only query your own unsettled fee")


def test_older_builds_say_more_before_the_message(aurora: Bench) -> None:
    aurora.provider.options.older_build = True
    reply = aurora.ask("/v1/proxy/chat/completions", {"messages": []}, token=None)
    prefix = "Provider proxy: handle proxied service, validate session: "
    assert reply.error == prefix + NO_HEADER


def test_split_header_raises_refusals_only() -> None:
    for junk in ("Bearer app-sk-\xff", "Bearer app-sk-" + "A" * 100_001, "Basic x", ""):
        with pytest.raises(Refusal):
            split_header(junk)
