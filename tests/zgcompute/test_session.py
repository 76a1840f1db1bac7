from __future__ import annotations

import base64
import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from zgcompute.errors import InvalidAddress, InvalidToken, SignatureMismatch
from zgcompute.session import (
    SessionRequest,
    SessionToken,
    normal_signature,
    recover_message_signer,
)
from zgcompute.signers import LocalSigner
from zgcompute.types import Address

VECTOR_FILE = Path(__file__).parents[1] / "vectors/session_token.json"
VECTOR = json.loads(VECTOR_FILE.read_text("utf-8"))
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # secp256k1
ALICE = LocalSigner(VECTOR["private_key"])
MALLORY = LocalSigner("0x" + "66" * 32)
PROVIDER = Address(VECTOR["provider"])
NOW = 1_750_000_000_000
DAY_MS = 86_400_000


def request(**changes: Any) -> SessionRequest:
    given: dict[str, Any] = {"generation": 0, "now_ms": NOW} | changes
    return SessionRequest.new(ALICE.address, PROVIDER, **given)


def key_of(message: str, signer: LocalSigner = ALICE) -> str:
    from eth_utils.crypto import keccak

    signature = signer.sign_message(keccak(text=message))
    return "app-sk-" + base64.b64encode(f"{message}|{signature}".encode()).decode()


def test_the_vector_is_reproduced_byte_for_byte() -> None:
    asked = request(token_id=VECTOR["token_id"], lifetime=None, nonce=VECTOR["nonce"])
    assert asked.user == VECTOR["user"]
    assert asked.message == VECTOR["message"]
    assert "0x" + asked.digest.hex() == VECTOR["digest"]
    token = asked.signed_by(ALICE)
    assert token.signature == VECTOR["signature"]
    assert token.api_key == VECTOR["api_key"]
    assert token.authorization == f"Bearer {VECTOR['api_key']}"


def test_the_vector_is_read_back() -> None:
    token = SessionToken.parse(VECTOR["api_key"])
    assert token == request(token_id=0, lifetime=None, nonce=VECTOR["nonce"]).signed_by(ALICE)
    assert (token.user, token.provider) == (VECTOR["user"], VECTOR["provider"])
    assert (token.issued_at_ms, token.expires_at_ms) == (VECTOR["issued_at_ms"], 0)
    assert (token.generation, token.token_id, token.nonce) == (0, 0, VECTOR["nonce"])
    assert not token.is_ephemeral


def test_a_session_lives_a_day_by_default_and_has_a_fresh_nonce() -> None:
    first, second = request(), request()
    assert first.token_id == 255
    assert first.expires_at_ms == NOW + DAY_MS
    assert first.signed_by(ALICE).is_ephemeral
    assert len(first.nonce) == 32
    assert first.nonce != second.nonce


def test_the_time_is_taken_from_the_clock_where_none_is_given() -> None:
    asked = SessionRequest.new(ALICE.address, PROVIDER, generation=0)
    assert asked.issued_at_ms > 1_700_000_000_000


def test_digests_with_leading_zeros_are_signed_as_32_bytes() -> None:
    for number in range(2000):
        asked = request(nonce=f"n{number}")
        if asked.digest[0] == 0:
            break
    assert asked.digest[0] == 0, "no digest with a leading zero byte was found"
    assert len(asked.digest) == 32
    token = asked.signed_by(ALICE)
    assert recover_message_signer(asked.digest, token.signature) == ALICE.address
    assert SessionToken.parse(token.api_key) == token


@pytest.mark.parametrize("offset", [0, 27])
def test_both_spellings_of_v_are_accepted_and_sent_as_27_or_28(offset: int) -> None:
    asked = request(nonce="n")
    signature = asked.signed_by(ALICE).signature
    v = int(signature[-2:], 16) - 27
    spelled = f"{signature[:-2].upper().replace('0X', '0x')}{v + offset:02x}"
    assert asked.seal(spelled).signature == signature


@pytest.mark.parametrize(
    "signature",
    ["", "0x", "0x" + "11" * 64, "0x" + "11" * 66, "11" * 65, "0x" + "zz" * 65, None, b"1" * 65],
)
def test_what_is_no_signature_is_refused(signature: Any) -> None:
    with pytest.raises(InvalidToken, match="130 hexadecimal"):
        request().seal(signature)


@pytest.mark.parametrize("v", [2, 26, 29, 37, 255])
def test_an_unknown_recovery_number_is_refused(v: int) -> None:
    with pytest.raises(InvalidToken, match="recovery number"):
        normal_signature("0x" + "11" * 64 + f"{v:02x}")


def test_a_signature_nobody_can_have_made_is_refused() -> None:
    with pytest.raises(SignatureMismatch, match="No key"):
        recover_message_signer(b"x", "0x" + "ff" * 64 + "1b")
    with pytest.raises(SignatureMismatch, match="No key"):
        recover_message_signer(b"x", "0x" + "00" * 64 + "1b")


def test_a_signature_whose_key_would_be_the_point_at_infinity_is_refused() -> None:
    """With s = h / k and r = (kG).x anybody can make one for any message, and nobody's key did."""
    from eth_keys.datatypes import PrivateKey
    from eth_utils.crypto import keccak

    k, message = 12345, b"hello"
    point = PrivateKey(k.to_bytes(32, "big")).public_key.to_bytes()
    digest = keccak(b"\x19Ethereum Signed Message:\n5" + message)
    s = int.from_bytes(digest, "big") * pow(k, -1, CURVE_ORDER) % CURVE_ORDER
    v = 27 + point[63] % 2
    with pytest.raises(SignatureMismatch, match="No key"):
        recover_message_signer(message, f"0x{point[:32].hex()}{s:064x}{v:02x}")


def test_both_halves_of_s_name_the_same_signer_as_in_ecrecover() -> None:
    signature = ALICE.sign_message(b"x")
    s, v = int(signature[66:130], 16), int(signature[130:], 16)
    mirrored = f"{signature[:66]}{CURVE_ORDER - s:064x}{27 + 28 - v:02x}"
    assert recover_message_signer(b"x", mirrored) == ALICE.address
    with pytest.raises(SignatureMismatch, match="No key"):
        recover_message_signer(b"x", f"{signature[:66]}{CURVE_ORDER:064x}{v:02x}")


@pytest.mark.parametrize("v", ["00", "01", "1b", "1c"])
def test_exactly_one_recovery_number_names_the_signer_in_both_spellings(v: str) -> None:
    signature = ALICE.sign_message(b"x")
    is_right = int(v, 16) % 27 == int(signature[130:], 16) % 27
    assert (recover_message_signer(b"x", signature[:130] + v) == ALICE.address) == is_right


def test_reading_and_sealing_tokens_and_verifying_bring_no_eth_account() -> None:
    program = (
        "import json, sys; limit = sys.getrecursionlimit();"
        "from zgcompute import SessionToken, recover_message_signer;"
        "vector = json.load(open(sys.argv[1]));"
        "token = SessionToken.parse(vector['api_key']);"
        "assert token.request.seal(token.signature) == token;"
        "assert recover_message_signer(token.request.digest, token.signature) == token.user;"
        "print([m for m in ('eth_account', 'py_ecc', 'web3') if m in sys.modules],"
        " sys.getrecursionlimit() == limit)"
    )
    command = [sys.executable, "-c", program, str(VECTOR_FILE)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.strip() == "[] True"


def test_another_wallets_signature_is_refused_with_both_addresses() -> None:
    with pytest.raises(SignatureMismatch) as mismatch:
        request().signed_by(MALLORY)
    assert MALLORY.address in str(mismatch.value)
    assert ALICE.address in str(mismatch.value)


def test_a_signature_of_the_hex_text_or_the_json_does_not_pass() -> None:
    asked = request()
    for wrong in (asked.digest.hex().encode(), asked.message.encode()):
        with pytest.raises(SignatureMismatch):
            asked.seal(ALICE.sign_message(wrong))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"token_id": 256}, "0 to 255"),
        ({"token_id": -1}, "token_id"),
        ({"token_id": True}, "token_id"),
        ({"token_id": "1"}, "token_id"),
        ({"generation": -1}, "generation"),
        ({"generation": 2**63}, "generation"),
        ({"lifetime": None}, "must have an expiration"),
        ({"lifetime": timedelta(hours=24, milliseconds=1)}, "24 hours"),
        ({"lifetime": timedelta(0)}, "live for some time"),
        ({"lifetime": timedelta(seconds=-1), "token_id": 3}, "live for some time"),
        ({"lifetime": timedelta(microseconds=999)}, "live for some time"),
        ({"now_ms": -5}, "issued_at_ms"),
        ({"now_ms": 1.5}, "issued_at_ms"),
        ({"nonce": ""}, "nonce"),
        ({"nonce": "a|b"}, "nonce"),
        ({"nonce": 'a"b'}, "nonce"),
        ({"nonce": "a\n"}, "nonce"),
        ({"nonce": "é"}, "nonce"),
        ({"nonce": "n" * 65}, "nonce"),
    ],
)
def test_tokens_outside_the_rules_cannot_be_made(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidToken, match=complaint):
        request(**changes)


def test_a_token_that_ends_before_it_begins_cannot_be_made() -> None:
    with pytest.raises(InvalidToken, match="live for some time"):
        SessionRequest(ALICE.address, PROVIDER, NOW, NOW, "n", 0, token_id=1)


def test_a_day_to_the_millisecond_is_allowed_and_api_keys_may_live_longer() -> None:
    assert request(lifetime=timedelta(hours=24)).expires_at_ms == NOW + DAY_MS
    key = request(token_id=254, lifetime=timedelta(days=365))
    assert key.expires_at_ms == NOW + 365 * DAY_MS


def test_addresses_are_checksummed_and_nothing_else_gets_into_the_json() -> None:
    asked = SessionRequest.new(ALICE.address.lower(), PROVIDER, generation=0)
    assert asked.user == ALICE.address
    with pytest.raises(InvalidAddress):
        SessionRequest.new('0x"|', PROVIDER, generation=0)
    with pytest.raises(InvalidAddress, match="checksummed"):
        SessionRequest(Address(ALICE.address.lower()), PROVIDER, NOW, 0, "n", 0, token_id=1)


def test_the_key_of_another_client_is_kept_as_it_was_signed() -> None:
    """Order, spaces and case of addresses are free, and the signature covers the bytes."""
    message = json.dumps(
        {
            "tokenId": 255,
            "address": ALICE.address.lower(),
            "generation": 7,
            "nonce": "1750000000000-k3j5h2kj5h0000000",
            "expiresAt": NOW + DAY_MS,
            "timestamp": NOW,
            "provider": PROVIDER,
        }
    )
    key = key_of(message)
    token = SessionToken.parse(key)
    assert token.user == ALICE.address
    assert (token.generation, token.token_id) == (7, 255)
    assert token.message == message
    assert token.api_key == key


def test_a_key_signed_by_somebody_else_is_refused() -> None:
    with pytest.raises(SignatureMismatch):
        SessionToken.parse(key_of(request().message, signer=MALLORY))


@pytest.mark.parametrize(
    "key",
    [
        "",
        "sk-123",
        "app-sk-",
        "app-sk-%%%",
        "app-sk-" + base64.b64encode(b"\xff|0x").decode(),
        "app-sk-" + base64.b64encode(b"no separator").decode(),
        "app-sk-" + base64.b64encode(b"{}|0x").decode(),
        "app-sk-" + "A" * 9000,
        VECTOR["api_key"][:-1],
        VECTOR["api_key"] + " ",
        "Bearer " + VECTOR["api_key"],
        VECTOR["api_key"].replace("app-sk-", "app-sk-_"),
    ],
)
def test_damaged_keys_are_refused(key: str) -> None:
    with pytest.raises(InvalidToken):
        SessionToken.parse(key)


@pytest.mark.parametrize(
    "change",
    [
        {"address": 1},
        {"address": "0x12"},
        {"provider": None},
        {"timestamp": "1"},
        {"expiresAt": 1.5},
        {"nonce": 5},
        {"generation": None},
        {"tokenId": 256},
    ],
)
def test_keys_with_wrong_content_are_refused(change: dict[str, Any]) -> None:
    content = json.loads(VECTOR["message"]) | change
    with pytest.raises(InvalidToken):
        SessionToken.parse(key_of(json.dumps(content)))


def test_a_number_too_long_to_be_read_is_refused_too() -> None:
    content = VECTOR["message"].replace('"generation":0', f'"generation":{"1" * 5000}')
    blob = base64.b64encode(f"{content}|{VECTOR['signature']}".encode()).decode()
    with pytest.raises(InvalidToken, match="damaged"):
        SessionToken.parse(f"app-sk-{blob}")


@pytest.mark.parametrize(
    "message", ["[]", "1", "null", '"x"', "{", "[" * 2000, '{"address":"x"}', ""]
)
def test_keys_with_other_json_are_refused(message: str) -> None:
    with pytest.raises(InvalidToken):
        SessionToken.parse(key_of(message))


def test_expiry_is_judged_in_whole_seconds_as_providers_do() -> None:
    token = request(lifetime=timedelta(milliseconds=1500)).signed_by(ALICE)
    assert not token.is_expired(NOW + 1999)
    assert token.is_expired(NOW + 2000)
    forever = request(token_id=1, lifetime=None).signed_by(ALICE)
    assert not forever.is_expired(2**60)


def test_a_token_never_shows_its_secret_by_accident() -> None:
    token = request().signed_by(ALICE)
    for shown in (repr(token), str(token), f"{token}"):
        assert "app-sk-…" in shown
        assert token.signature[2:] not in shown
        assert token.api_key not in shown


def test_the_signer_of_a_text_is_recovered() -> None:
    text = b"any text, as in EIP-4361"
    assert recover_message_signer(text, ALICE.sign_message(text)) == ALICE.address
    assert recover_message_signer(text + b".", ALICE.sign_message(text)) != ALICE.address
