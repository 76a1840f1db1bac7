from __future__ import annotations

import pickle

import pytest

from zgcompute.errors import ConfigurationError
from zgcompute.signers import LocalSigner, Signer

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
    from eth_account import Account

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
