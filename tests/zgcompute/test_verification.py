from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from zgcompute.errors import MalformedReply, VerificationError
from zgcompute.evidence import verify_evidence
from zgcompute.signers import LocalSigner
from zgcompute.testing_providers import fake_service
from zgcompute.types import ZERO_ADDRESS, Address, Service
from zgcompute.verification import (
    Outcome,
    SignatureRecord,
    Verdict,
    can_be_verified,
    judge_response,
)

VECTOR = json.loads((Path(__file__).parent.parent / "vectors/response_signature.json").read_text())
TEE = LocalSigner(VECTOR["private_key"])
SEPARATE = LocalSigner("0x" + "44" * 32)
STRANGER = LocalSigner("0x" + "55" * 32)
ASKED = sha256(b"question").hexdigest()
SAID = sha256(b"answer").hexdigest()
OTHER = sha256(b"other").hexdigest()
PRINT = "c" * 64
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def aurora(info: dict[str, Any] | None = None, **changes: Any) -> Service:
    text = "" if info is None else json.dumps(info)
    return fake_service(tee_signer=TEE.address, additional_info=text, **changes)


def signed(text: str, signer: LocalSigner = TEE, **claims: Any) -> SignatureRecord:
    return SignatureRecord(
        text, signer.sign_message(text.encode()), signer.address, "ecdsa", **claims
    )


def judged(record: SignatureRecord | None, service: Service | None = None) -> Verdict:
    return judge_response(service or aurora(), record, request_sha256=ASKED, response_sha256=SAID)


GOOD = signed(f"{ASKED}:{SAID}")


def test_the_published_vector_is_verified() -> None:
    record = SignatureRecord(VECTOR["text"], VECTOR["signature"], VECTOR["signer"], "ecdsa")
    verdict = judge_response(
        aurora(),
        record,
        request_sha256=sha256(VECTOR["request_body"].encode()).hexdigest(),
        response_sha256=sha256(VECTOR["response_body"].encode()).hexdigest(),
    )
    assert verdict.outcome is Outcome.VERIFIED
    assert (verdict.signer, verdict.expected_signer) == (VECTOR["signer"], VECTOR["signer"])
    assert (verdict.response_matches, verdict.request_matches) == (True, True)
    assert (verdict.signed_text, verdict.signature) == (VECTOR["text"], VECTOR["signature"])


def test_a_good_signature_over_other_bytes_fails() -> None:
    verdict = judged(signed(f"{ASKED}:{OTHER}"))
    assert verdict.outcome is Outcome.FAILED
    assert "other bytes" in verdict.reason
    assert (verdict.signer, verdict.response_matches) == (TEE.address, False)


def test_a_rewritten_request_is_reported_and_no_failure() -> None:
    verdict = judged(signed(f"{OTHER}:{SAID}"))
    assert (verdict.outcome, verdict.request_matches) == (Outcome.VERIFIED, False)


def test_a_stranger_who_claims_the_right_address_fails() -> None:
    verdict = judged(replace(signed(f"{ASKED}:{SAID}", STRANGER), signing_address=TEE.address))
    assert verdict.outcome is Outcome.FAILED
    assert STRANGER.address in verdict.reason
    assert TEE.address in verdict.reason
    assert verdict.response_matches


def test_the_claimed_address_does_not_matter() -> None:
    assert judged(replace(GOOD, signing_address="nonsense")).outcome is Outcome.VERIFIED


def test_a_separate_model_server_must_sign_itself() -> None:
    service = aurora({"TargetSeparated": True, "TargetTeeAddress": SEPARATE.address})
    assert judged(signed(f"{ASKED}:{SAID}", SEPARATE), service).outcome is Outcome.VERIFIED
    assert judged(GOOD, service).outcome is Outcome.FAILED


def test_a_separate_signer_counts_only_where_the_contract_says_separated() -> None:
    service = aurora({"TargetSeparated": "true", "TargetTeeAddress": SEPARATE.address})
    assert judged(GOOD, service).outcome is Outcome.VERIFIED


def test_the_twin_of_a_signature_counts_only_if_it_recovers_the_same_key() -> None:
    r, s, v = GOOD.signature[2:66], int(GOOD.signature[66:130], 16), int(GOOD.signature[130:], 16)
    high = f"0x{r}{CURVE_ORDER - s:064x}{55 - v:02x}"
    assert judged(replace(GOOD, signature=high)).outcome is Outcome.VERIFIED
    wrong_v = f"0x{r}{CURVE_ORDER - s:064x}{v:02x}"
    assert judged(replace(GOOD, signature=wrong_v)).outcome is Outcome.FAILED


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "0x",
        "0x" + "00" * 65,
        "0x" + "ff" * 65,
        "0x" + "11" * 64 + "05",
        "zz" * 66,
        "0x" + "1" * 131,
    ],
)
def test_a_malformed_signature_fails(signature: str) -> None:
    verdict = judged(replace(GOOD, signature=signature))
    assert verdict.outcome is Outcome.FAILED
    assert verdict.signer is None
    assert verdict.reason


@pytest.mark.parametrize(
    "text",
    [
        "",
        ASKED,
        f"{ASKED}:",
        f":{SAID}",
        f"{ASKED}:{SAID}:",
        f"{ASKED}:{SAID}:a:b",
        f"{ASKED.upper()}:{SAID}",
        f"{ASKED}:{SAID.upper()}",
        f"0x{ASKED}:0x{SAID}",
        f" {ASKED}:{SAID}",
        f"{ASKED}:{SAID}\n",
        f"{ASKED}:{SAID},",
        f"{ASKED}:{SAID},{SAID[:-1]}",
        f"{ASKED}:" + ",".join([SAID] * 65),
        "x" * 20_000,
    ],
)
def test_a_malformed_text_fails_however_well_it_is_signed(text: str) -> None:
    verdict = judged(signed(text))
    assert verdict.outcome is Outcome.FAILED
    assert verdict.response_matches is None


def test_images_are_compared_as_a_list() -> None:
    images = f"{SAID},{OTHER}"
    record = signed(f"{ASKED}:{images}")
    both = judge_response(aurora(), record, request_sha256=ASKED, response_sha256=images)
    swapped = judge_response(
        aurora(), record, request_sha256=ASKED, response_sha256=f"{OTHER},{SAID}"
    )
    assert (both.outcome, swapped.outcome) == (Outcome.VERIFIED, Outcome.FAILED)
    assert judged(record).outcome is Outcome.FAILED


CENTRALIZED = {"ProviderType": "centralized", "ProviderIdentity": "acme"}


def forwarded(kind: str = "centralized", identity: str = "acme", fingerprint: str = PRINT) -> str:
    return f"{ASKED}:{SAID}:{kind}:{identity}:{fingerprint}"


def test_a_forwarded_answer_with_a_fingerprint_is_verified() -> None:
    record = signed(forwarded(), tls_cert_fingerprint=PRINT)
    verdict = judged(record, aurora(CENTRALIZED))
    assert verdict.outcome is Outcome.VERIFIED
    assert "written by acme, outside the TEE" in verdict.reason


def test_an_identity_may_hold_colons() -> None:
    info = {"ProviderType": "centralized", "ProviderIdentity": "https://acme:443"}
    record = signed(forwarded(identity="https://acme:443"))
    assert judged(record, aurora(info)).outcome is Outcome.VERIFIED


def test_an_identity_that_is_not_registered_is_taken_from_the_text() -> None:
    assert (
        judged(signed(forwarded()), aurora({"ProviderType": "centralized"})).outcome
        is Outcome.VERIFIED
    )


@pytest.mark.parametrize(
    "text", [forwarded("standard"), forwarded(identity="evil"), forwarded(fingerprint="C" * 64)]
)
def test_a_forwarded_answer_of_somebody_else_fails(text: str) -> None:
    assert judged(signed(text), aurora(CENTRALIZED)).outcome is Outcome.FAILED


def test_a_record_that_claims_another_certificate_fails() -> None:
    record = signed(forwarded(), tls_cert_fingerprint="d" * 64)
    assert judged(record, aurora(CENTRALIZED)).outcome is Outcome.FAILED


@pytest.mark.parametrize("text", [f"{ASKED}:{SAID}", forwarded(fingerprint="")])
def test_a_forwarded_answer_without_a_fingerprint_cannot_be_verified(text: str) -> None:
    verdict = judged(signed(text), aurora(CENTRALIZED))
    assert verdict.outcome is Outcome.NOT_VERIFIABLE


def test_a_wrongly_signed_forwarded_answer_fails() -> None:
    assert judged(signed(forwarded(), STRANGER), aurora(CENTRALIZED)).outcome is Outcome.FAILED


def test_a_forwarder_in_disguise_fails() -> None:
    verdict = judged(signed(forwarded()))
    assert verdict.outcome is Outcome.FAILED
    assert "third party" in verdict.reason


def test_another_algorithm_cannot_be_verified() -> None:
    assert judged(replace(GOOD, signing_algo="ed25519")).outcome is Outcome.NOT_VERIFIABLE
    assert judged(replace(GOOD, signing_algo="")).outcome is Outcome.VERIFIED


@pytest.mark.parametrize(
    "service",
    [
        aurora(verifiability="TeeTLS"),
        aurora(verifiability="standard"),
        aurora(verifiability=""),
        aurora(verifiability="ZKML"),
        aurora(verifiability="TeeML\x00" + "x" * 999),
        aurora({"ProviderType": "standard"}),
        aurora(tee_signer_acknowledged=False),
        replace(aurora(), tee_signer=ZERO_ADDRESS),
    ],
)
def test_some_services_can_never_be_verified(service: Service) -> None:
    reason = can_be_verified(service)
    assert reason
    assert len(reason) < 200
    verdict = judged(GOOD, service)
    assert (verdict.outcome, verdict.reason) == (Outcome.NOT_VERIFIABLE, reason)
    assert not verdict.can_retry


def test_an_ordinary_service_can_be_verified() -> None:
    assert can_be_verified(aurora()) is None


def test_without_a_record_nothing_is_said() -> None:
    verdict = judged(None)
    assert (verdict.outcome, verdict.signed_text, verdict.signature) == (
        Outcome.NOT_CHECKED,
        "",
        "",
    )
    late = judge_response(
        aurora(),
        None,
        request_sha256=ASKED,
        response_sha256=SAID,
        not_checked_reason="too late",
        can_retry=True,
    )
    assert (late.outcome, late.reason, late.can_retry) == (Outcome.NOT_CHECKED, "too late", True)


def test_without_the_hash_of_the_answer_nothing_is_said() -> None:
    verdict = judge_response(aurora(), GOOD, request_sha256="", response_sha256="")
    assert verdict.outcome is Outcome.NOT_CHECKED
    assert (verdict.response_matches, verdict.request_matches) == (None, None)


def test_the_outcomes_are_the_words_that_people_read() -> None:
    words = {"verified", "failed", "not verifiable", "not checked"}
    assert {outcome.value for outcome in Outcome} == words


def test_a_record_is_read_from_the_reply() -> None:
    body = json.dumps({"text": "t", "signature": "0x1\n", "signing_algo": 5, "more": 1}).encode()
    assert SignatureRecord.parse(body) == SignatureRecord("t", "0x1")


@pytest.mark.parametrize("body", [b"", b"[]", b'{"signature":"0x"}', b'{"text":5}', b"<html>"])
def test_a_reply_that_is_no_record_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedReply):
        SignatureRecord.parse(body)


# Evidence


def evidence_of(verdict: Verdict) -> dict[str, Any]:
    written = verdict.to_evidence(network="testnet", chain_id=16602, response_id="r", checked_at=1)
    return dict(json.loads(json.dumps(written)))


@pytest.mark.parametrize(
    "verdict",
    [
        judged(GOOD),
        judged(None),
        judged(signed(f"{ASKED}:{OTHER}")),
        judged(signed(f"{ASKED}:{SAID}", STRANGER)),
        judged(GOOD, aurora(verifiability="TeeTLS")),
        judged(GOOD, aurora(input_price=2**200)),
    ],
)
def test_evidence_gives_the_same_verdict_again(verdict: Verdict) -> None:
    again = verify_evidence(evidence_of(verdict))
    assert again == verdict


def test_evidence_that_lies_about_its_outcome_is_refused() -> None:
    lie = evidence_of(judged(signed(f"{ASKED}:{OTHER}"))) | {"outcome": "verified"}
    with pytest.raises(VerificationError, match="verified"):
        verify_evidence(lie)


def test_evidence_with_changed_bytes_is_refused() -> None:
    with pytest.raises(VerificationError):
        verify_evidence(evidence_of(judged(GOOD)) | {"response_sha256": OTHER})


def _without(name: str) -> dict[str, Any]:
    return {key: value for key, value in evidence_of(judged(GOOD)).items() if key != name}


def _service_with(**changes: Any) -> dict[str, Any]:
    evidence = evidence_of(judged(GOOD))
    return evidence | {"service": evidence["service"] | changes}


@pytest.mark.parametrize(
    "evidence",
    [
        {},
        [],
        _without("service"),
        _without("format"),
        _without("outcome"),
        _without("response_sha256"),
        _service_with(updated_at=True),
        _service_with(provider="0x12"),
        _service_with(input_price="1.5"),
        _service_with(tee_signer=Address("x")),
        evidence_of(judged(GOOD)) | {"record": "x"},
        evidence_of(judged(GOOD)) | {"record": {"text": 5}},
    ],
)
def test_what_is_no_evidence_is_refused(evidence: Any) -> None:
    with pytest.raises(VerificationError):
        verify_evidence(evidence)
