from __future__ import annotations

import json
import pickle
import traceback
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_keys.datatypes import PrivateKey

from zgcompute.errors import ConfigurationError, InvalidToken, SignatureMismatch
from zgcompute.signers import CURVE_ORDER, HashSigner, LocalSigner, Signer, as_signer

KEY = "11" * 32
ADDRESS = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"


@pytest.mark.parametrize("key", [KEY, "0x" + KEY, bytes.fromhex(KEY)])
def test_a_key_is_taken_as_text_or_bytes(key: str | bytes) -> None:
    assert LocalSigner(key).address == ADDRESS


def test_a_local_signer_is_a_signer() -> None:
    assert isinstance(LocalSigner(KEY), Signer)


@pytest.mark.parametrize("key", ["", "0x", "11" * 31, "zz" * 32, "secret-words", "00" * 32, b"1"])
def test_a_wrong_key_is_refused_without_being_repeated(key: str | bytes) -> None:
    with pytest.raises(ConfigurationError, match="private key is not valid") as refused:
        LocalSigner(key)
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None  # eth-account repeats the key in some of its errors
    text = key if isinstance(key, str) else key.decode()
    assert not text or text not in str(refused.value) + refused.value.advice


def test_the_key_is_never_shown_and_never_pickled() -> None:
    signer = LocalSigner(KEY)
    assert repr(signer) == f"LocalSigner({ADDRESS})"
    assert KEY not in repr(signer) + str(signer)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(signer)
    assert not hasattr(signer, "__dict__")


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZG_PRIVATE_KEY", f" 0x{KEY}\n")
    monkeypatch.setenv("OTHER", KEY)
    assert LocalSigner.from_environment().address == ADDRESS
    assert LocalSigner.from_environment("OTHER").address == ADDRESS


def test_a_missing_or_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZG_PRIVATE_KEY", raising=False)
    with pytest.raises(ConfigurationError, match="ZG_PRIVATE_KEY is not set"):
        LocalSigner.from_environment()
    monkeypatch.setenv("ZG_PRIVATE_KEY", "hunter2")
    with pytest.raises(ConfigurationError, match="ZG_PRIVATE_KEY does not hold") as wrong:
        LocalSigner.from_environment()
    assert "hunter2" not in str(wrong.value)


def test_messages_are_signed_as_the_vector_has_it() -> None:
    text = (
        "9e8efa3838fc68fca8927ffa3b9f5abf5a526d0903c6fe1ba12b02545c1812c2:"
        "247ed9ecfd78c5ec8124a83bf93f8727aa00bc118801fe75cf482232ad54c64a"
    )
    assert LocalSigner("22" * 32).sign_message(text.encode()) == (
        "0x8740dea2cb45215fbff1c7898e9ce2207be4e1997c3f65a126d5eb36b4f63c28"
        "5153694b030ae40364fdd5540a8e7c8d8524956418969ae8c58ba3e8ece17a6e1c"
    )


def test_a_transaction_is_signed_into_raw_bytes() -> None:
    transaction = {
        "chainId": 31337,
        "nonce": 0,
        "to": ADDRESS,
        "data": "0x",
        "value": 1,
        "gas": 21_000,
        "maxFeePerGas": 10,
        "maxPriorityFeePerGas": 1,
    }
    raw = LocalSigner(KEY).sign_transaction(transaction)
    assert Account.recover_transaction(raw) == ADDRESS


class Safe:
    """Somebody else's way to hold a key: an address, and 32 bytes signed at a time."""

    address = ADDRESS

    def __init__(self, key: str = KEY, *, upper_half: bool = False, as_text: bool = False) -> None:
        self._key = PrivateKey(bytes.fromhex(key))
        self._is_upper, self._is_text = upper_half, as_text

    def sign(self, digest: bytes) -> bytes | str:
        v, r, s = self._key.sign_msg_hash(digest).vrs
        if self._is_upper:
            v, s = 1 - v, CURVE_ORDER - s
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([v])
        return "0x" + signature.hex() if self._is_text else signature


TRANSACTIONS: list[dict[str, Any]] = [
    {"maxFeePerGas": 10, "maxPriorityFeePerGas": 1},
    {"gasPrice": 10},
]


@pytest.mark.parametrize(
    "holder", [Safe(), Safe(upper_half=True), Safe(as_text=True), Account.from_key(KEY)]
)
def test_whoever_signs_32_bytes_signs_like_a_local_key(holder: Any) -> None:
    signer, local = as_signer(holder), LocalSigner(KEY)
    assert isinstance(signer, Signer)
    assert signer.address == ADDRESS
    assert signer.sign_message(b"x" * 32) == local.sign_message(b"x" * 32)
    for fees in TRANSACTIONS:
        call = {"chainId": 16602, "nonce": 3, "to": ADDRESS, "data": "0x12", "value": 1}
        transaction = {**call, "gas": 21_000, **fees}
        assert signer.sign_transaction(transaction) == local.sign_transaction(transaction)


def test_a_signature_of_another_key_is_not_used() -> None:
    with pytest.raises(SignatureMismatch, match=f"not by {ADDRESS}"):
        as_signer(Safe("22" * 32)).sign_message(b"x" * 32)
    with pytest.raises(SignatureMismatch, match="no key at all"):
        HashSigner(ADDRESS, lambda digest: b"\xff" * 64 + b"\x00").sign_message(b"x")
    with pytest.raises(InvalidToken):
        HashSigner(ADDRESS, lambda digest: b"short").sign_message(b"x")


def test_a_signer_stays_itself_and_what_cannot_sign_is_refused() -> None:
    local = LocalSigner(KEY)
    assert as_signer(local) is local
    assert repr(as_signer(Safe())) == f"HashSigner({ADDRESS})"
    for nobody in (object(), "0x" + KEY, None):
        with pytest.raises(ConfigurationError) as refused:
            as_signer(nobody)
        assert KEY not in str(refused.value) + refused.value.advice


@pytest.fixture(scope="module")
def keystore(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "keystore.json"
    path.write_text(json.dumps(Account.encrypt(KEY, "correct horse", kdf="scrypt", iterations=2)))
    return path


def test_the_key_comes_from_a_keystore(keystore: Path) -> None:
    assert LocalSigner.from_keystore(keystore, "correct horse").address == ADDRESS
    assert LocalSigner.from_keystore(str(keystore), "correct horse").address == ADDRESS


def test_a_keystore_that_does_not_open_is_named_and_its_password_is_not(
    keystore: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match="does not open") as refused:
        LocalSigner.from_keystore(keystore, "hunter2")
    shown = "".join(traceback.format_exception(refused.value))
    assert str(keystore) in shown
    assert "hunter2" not in shown.replace('from_keystore(keystore, "hunter2")', "")
    with pytest.raises(ConfigurationError, match="There is no file"):
        LocalSigner.from_keystore(tmp_path / "none.json", "x")
    other = tmp_path / "other.json"
    other.write_text(json.dumps(json.loads(keystore.read_text()) | {"address": "33" * 20}))
    with pytest.raises(ConfigurationError, match="key of another address"):
        LocalSigner.from_keystore(other, "correct horse")
