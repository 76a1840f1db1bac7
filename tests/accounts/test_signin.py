from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.signin import SignInMessage, SignInRefused, new_nonce
from tests.accounts import cast

NOW = datetime(2026, 5, 4, 14, 2, tzinfo=UTC)


def message(**changes: Any) -> SignInMessage:
    made = SignInMessage(
        domain="compute.example",
        address=cast.ALICE.address,
        uri="https://compute.example/devnet/account/",
        chain_id=31337,
        nonce="0123456789abcdef",
        issued_at=NOW,
        expires_at=NOW + timedelta(minutes=10),
        statement="Sign in.",
    )
    return replace(made, **changes)


def check(made: SignInMessage, now: datetime = NOW) -> None:
    SignInMessage.parse(str(made)).check(
        domain="compute.example", scheme="https", chain_id=31337, now=now
    )


def test_a_message_is_written_as_the_standard_lays_it_out() -> None:
    assert str(message()) == (
        "compute.example wants you to sign in with your Ethereum account:\n"
        f"{cast.ALICE.address}\n"
        "\n"
        "Sign in.\n"
        "\n"
        "URI: https://compute.example/devnet/account/\n"
        "Version: 1\n"
        "Chain ID: 31337\n"
        "Nonce: 0123456789abcdef\n"
        "Issued At: 2026-05-04T14:02:00Z\n"
        "Expiration Time: 2026-05-04T14:12:00Z"
    )


@pytest.mark.parametrize(
    "made",
    [
        message(),
        message(statement=""),
        message(scheme="https"),
        message(not_before=NOW, request_id="", resources=("https://a.example/x", "ipfs://y")),
        message(expires_at=None, request_id="a b"),
    ],
)
def test_what_is_written_can_be_read_and_passes(made: SignInMessage) -> None:
    assert SignInMessage.parse(str(made)) == made
    check(made)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"domain": "evil.example"}, "is for evil.example"),
        ({"domain": "compute.example:8443"}, "is for compute.example:8443"),
        ({"scheme": "http"}, "is for"),
        ({"uri": "https://evil.example/devnet/account/"}, "another page"),
        ({"uri": "http://compute.example/devnet/account/"}, "another page"),
        ({"uri": "https://compute.example@evil.example/"}, "another page"),
        ({"version": "2"}, "version 2"),
        ({"chain_id": 1}, "is for chain 1"),
        ({"nonce": "short"}, "nonce"),
        ({"nonce": "0123456789abcdef!"}, "nonce"),
        ({"issued_at": NOW + timedelta(minutes=2)}, "future"),
        ({"issued_at": NOW - timedelta(minutes=11)}, "too old"),
        ({"expires_at": NOW}, "expired"),
        ({"not_before": NOW + timedelta(seconds=1)}, "not valid yet"),
    ],
)
def test_a_message_for_elsewhere_or_another_time_is_refused(
    changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(SignInRefused, match=reason):
        check(message(**changes))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace("Ethereum", "ethereum"),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text + "\n",
        lambda text: " " + text,
        lambda text: text.replace("Version: 1\n", ""),
        lambda text: text.replace("Nonce: ", "Nonce:"),
        lambda text: text.replace("Chain ID: 31337", "Chain ID: 0x7a69"),
        lambda text: text.replace("2026-05-04T14:02:00Z", "yesterday"),
        lambda text: text.replace("2026-05-04T14:02:00Z", "2026-05-04T14:02:00"),
        lambda text: text.replace("2026-05-04T14:02:00Z", "2026-13-04T14:02:00Z"),
        lambda text: text.replace("Sign in.", "Sign in.\nSend money."),
        lambda text: text.replace("Sign in.", "Sign in." * 600),
    ],
)
def test_text_that_does_not_follow_the_standard_is_refused(spoil: Any) -> None:
    with pytest.raises(SignInRefused):
        SignInMessage.parse(spoil(str(message())))


def test_an_address_without_its_checksum_is_refused() -> None:
    text = str(message()).replace(cast.ALICE.address, cast.ALICE.address.lower())
    with pytest.raises(SignInRefused, match="checksum"):
        SignInMessage.parse(text)
    wrong = str(message()).replace(
        cast.ALICE.address,
        cast.ALICE.address.swapcase()[:0] + "0x" + cast.ALICE.address[2:].swapcase(),
    )
    with pytest.raises(SignInRefused, match="checksum"):
        SignInMessage.parse(wrong)


def test_nonces_are_long_alphanumeric_and_never_the_same() -> None:
    nonces = {new_nonce() for _ in range(50)}
    assert len(nonces) == 50
    assert all(len(nonce) >= 32 and nonce.isalnum() for nonce in nonces)
