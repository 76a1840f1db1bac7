from __future__ import annotations

import pytest

from marketplace.trust import assess
from zgcompute.testing import fake_service

TARGET = '{"TargetSeparated": true, "TargetTeeAddress": "0x' + "22" * 20 + '"}'


def test_a_tee_service_can_be_verified_and_is_not_called_verified() -> None:
    trust = assess(fake_service())
    assert trust.word == "Answers can be verified"
    assert trust.tone == ""
    assert "does not by itself prove" in trust.meaning


@pytest.mark.parametrize(
    ("kind", "noun"),
    [("text-to-image", "picture"), ("image-editing", "picture"), ("speech-to-text", "transcript")],
)
def test_what_a_service_makes_is_called_by_its_name(kind: str, noun: str) -> None:
    trust = assess(fake_service(service_type=kind))
    assert trust.word == f"{noun.capitalize()}s can be verified"
    assert f"signs every {noun} with the key" in trust.meaning
    unsigned = assess(fake_service(service_type=kind, verifiability=""))
    assert unsigned.word == f"{noun.capitalize()}s cannot be verified"


def test_a_model_server_of_its_own_is_told_apart() -> None:
    assert "model server" in assess(fake_service(additional_info=TARGET)).meaning


@pytest.mark.parametrize("verifiability", ["TeeTLS", "standard", "", "OpML", "<b>magic</b>"])
def test_everything_else_cannot_be_verified(verifiability: str) -> None:
    trust = assess(fake_service(verifiability=verifiability))
    assert trust.word == "Answers cannot be verified"
    assert "not verifiable" in trust.meaning


def test_a_signer_that_nobody_acknowledged_verifies_nothing() -> None:
    trust = assess(fake_service(tee_signer_acknowledged=False))
    assert trust.word == "Answers cannot be verified"
    assert "acknowledged" in trust.meaning
