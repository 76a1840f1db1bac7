"""Each change to a report fails the check that covers it, and leaves the others as they were.

Every story is told twice: of the devnet's reports, whose quotes no hardware signed, and of
genuine ones where they are at hand.
"""

from __future__ import annotations

import base64
import copy
import json
from dataclasses import replace
from typing import Any

import pytest

from tests.zgcompute.attestation.workshop import (
    BROKER,
    MODEL_SERVER,
    NOW,
    REPORT_DATA,
    SAMPLES,
    SIGNATURE,
    devnet_reports,
    failed,
    flip,
    inner,
    judge,
    named,
    profile,
    put,
    service_of,
    sign_like_intel,
    spoil_quote,
)
from zgcompute.attestation import (
    Check,
    CheckVerdict,
    Overall,
    Received,
    check_provider,
    manual_steps,
)
from zgcompute.attestation.quotes import parse_quote
from zgcompute.testing import fake_service
from zgcompute.types import Address, Service

GENUINE_SIGNER = Address("0xDC1A4da6BdCD90c20d7FF53a6cDc11fBf0E2303C")
GENUINE_MODEL_SIGNER = Address("0x8a4D4984CF370210dFEeFC773FAf9bb0edE97cC0")
FOREIGN = Address("0x3333333333333333333333333333333333333333")
NOT_KNOWN = {"freshness", "tcb-status", "os-published"}  # beyond what a report can show

Reports = dict[str, dict[str, Any]]


class World:
    """One provider with two reports, and the checks that fail before anything is changed."""

    def __init__(self, service: Service, reports: Reports, before: set[str]) -> None:
        self.service = service
        self.reports = reports
        self.before = before
        self.is_genuine = not before

    def require(self, *expected: str, service: Service | None = None, **raw: bytes) -> None:
        """Exactly `expected` must fail now, besides what failed before."""
        bodies = {
            **self.reports,
            **{BROKER if n == "broker" else MODEL_SERVER: b for n, b in raw.items()},
        }
        verdict = judge(service or self.service, bodies)
        signed = {name for name in expected if self.is_genuine or not name.endswith("-signature")}
        assert failed(verdict) == self.before | signed
        assert verdict.overall is Overall.FAILED


@pytest.fixture(params=["devnet", "genuine"])
def world(request: pytest.FixtureRequest) -> World:
    if request.param == "devnet":
        unsigned = {f"{role}: quote-signature" for role in (BROKER, MODEL_SERVER)}
        return World(service_of(profile("cumulus")), devnet_reports(), unsigned)
    return genuine_world()


def genuine_world() -> World:
    if not SAMPLES.is_dir():
        pytest.skip("the genuine reports are not at hand")
    info = {"TargetSeparated": True, "TargetTeeAddress": GENUINE_MODEL_SIGNER}
    service = fake_service(tee_signer=GENUINE_SIGNER, additional_info=json.dumps(info))
    reports = {
        role: json.loads((SAMPLES / f"{name}_attestation_report.json").read_text())
        for role, name in ((BROKER, "broker"), (MODEL_SERVER, "llm"))
    }
    return World(service, reports, set())


def test_genuine_reports_pass_every_check_that_can_be_done_offline() -> None:
    world = genuine_world()
    verdict = judge(world.service, world.reports)
    assert failed(verdict) == set()
    unknown = {check.key for check in verdict.checks if check.verdict is CheckVerdict.UNCHECKED}
    assert unknown == NOT_KNOWN | {"nonce", "gpu-nonce"}  # the broker's has none
    assert verdict.overall is Overall.VERIFIED


def test_a_devnet_report_holds_in_software_and_is_never_verified() -> None:
    verdict = judge(service_of(profile("cumulus")), devnet_reports())
    assert {check.key for check in verdict.checks if check.verdict is CheckVerdict.FAILED} == {
        "quote-signature"
    }
    (broker, _) = [check for check in verdict.checks if check.key == "quote-signature"]
    assert "not hardware-backed" in broker.reason
    assert verdict.overall is Overall.FAILED


@pytest.mark.parametrize("offset", [0, 21, 63])
def test_a_byte_of_report_data_in_the_quote(world: World, offset: int) -> None:
    spoil_quote(world.reports[BROKER], REPORT_DATA + offset, flip)
    world.require("broker: report-data", "broker: quote-signature", "broker: signer")


def test_a_byte_of_the_report_data_field(world: World) -> None:
    report = world.reports[BROKER]
    data = bytearray(base64.b64decode(report["report_data"]))
    data[5] ^= 1
    report["report_data"] = base64.b64encode(data).decode()
    world.require("broker: report-data")


def test_a_byte_of_the_nonce_in_the_quote(world: World) -> None:
    spoil_quote(world.reports[MODEL_SERVER], REPORT_DATA + 40, flip)
    world.require("model server: nonce", "model server: quote-signature")


def test_an_event_digest_of_a_boot_register(world: World) -> None:
    change_event(world.reports[BROKER], 0, digest="00" * 48)
    world.require("broker: rtmr-replay")


def test_an_event_digest_of_the_run_time_register(world: World) -> None:
    change_event(world.reports[BROKER], -1, digest="00" * 48)
    world.require("broker: rtmr-replay", "broker: event-digests")


def test_a_run_time_event_renamed(world: World) -> None:
    change_event(world.reports[MODEL_SERVER], -1, event="system-unready")
    world.require("model server: event-digests")


@pytest.mark.parametrize("role", [BROKER, MODEL_SERVER])
def test_a_character_of_the_compose_file(world: World, role: str) -> None:
    tcb_info = inner(world.reports[role], "tcb_info")
    tcb_info["app_compose"] = tcb_info["app_compose"].replace("s", "z", 1)
    put(world.reports[role], "tcb_info", tcb_info)
    world.require(f"{role}: compose-hash")


@pytest.mark.parametrize(
    ("name", "check"),
    [("rtmr2", "measurements"), ("mr_aggregated", "mr-aggregated"), ("os_image_hash", "os-image")],
)
def test_a_value_listed_beside_the_quote(world: World, name: str, check: str) -> None:
    tcb_info = inner(world.reports[BROKER], "tcb_info")
    tcb_info[name] = "00" + tcb_info[name][2:]
    put(world.reports[BROKER], "tcb_info", tcb_info)
    world.require(f"broker: {check}")


def test_a_swapped_signer_in_the_contract(world: World) -> None:
    world.require("broker: signer", service=replace(world.service, tee_signer=FOREIGN))


def test_a_swapped_signer_of_the_model_server(world: World) -> None:
    info = json.dumps({"TargetSeparated": True, "TargetTeeAddress": FOREIGN})
    world.require("model server: signer", service=replace(world.service, additional_info=info))


def test_a_signing_address_that_the_quote_does_not_hold(world: World) -> None:
    world.reports[MODEL_SERVER]["signing_address"] = FOREIGN
    world.require("model server: report-data")


def test_the_debug_bit(world: World) -> None:
    spoil_quote(world.reports[BROKER], 168, lambda byte: byte | 1)
    world.require("broker: debug", "broker: quote-signature")


def test_a_foreign_module(world: World) -> None:
    spoil_quote(world.reports[BROKER], 48 + 16 + 48, flip)
    world.require("broker: tdx-module", "broker: quote-signature")


@pytest.mark.parametrize("length", [3, 47, 300, 631, 633, 640, 760])
def test_a_truncated_quote(world: World, length: int) -> None:
    report = world.reports[BROKER]
    report["quote"] = report["quote"][: 2 * length]
    world.before -= {"broker: quote-signature"}
    world.require("broker: quote")


@pytest.mark.parametrize(
    "body", [b"<!doctype html><title>502</title>", b"", b"null", b"[1]", b'"{"', b"[" * 100_000]
)
def test_something_else_than_a_report(world: World, body: bytes) -> None:
    world.before -= {"broker: quote-signature"}
    world.require("broker: report", broker=body)


def test_another_reports_event_log(world: World) -> None:
    world.reports[BROKER]["event_log"] = world.reports[MODEL_SERVER]["event_log"]
    world.require("broker: rtmr-replay", "broker: compose-hash", "broker: config-id")


def test_a_whole_foreign_report(world: World) -> None:
    """A genuine chain says nothing about a quote that is bound to somebody else's key."""
    foreign = json.dumps(world.reports[MODEL_SERVER]).encode()
    world.require("broker: signer", broker=foreign)


def test_a_second_compose_hash_event(world: World) -> None:
    report = world.reports[BROKER]
    events = json.loads(report["event_log"])
    (measured,) = [event for event in events if event["event"] == "compose-hash"]
    report["event_log"] = json.dumps([*events, measured])
    world.require("broker: rtmr-replay", "broker: compose-hash", "broker: config-id")


def test_an_event_log_that_is_none(world: World) -> None:
    world.reports[BROKER]["event_log"] = "[]"
    failing = ("rtmr-replay", "event-digests", "compose-hash", "config-id")
    world.require(*(f"broker: {name}" for name in failing))


def test_a_report_of_more_than_eight_megabytes(world: World) -> None:
    world.before -= {"broker: quote-signature"}
    world.require("broker: report", broker=b" " * (50 << 20))


@pytest.mark.parametrize(
    ("offset", "check"),
    [(3, "quote-signature"), (70, "quote-signature"), (134 + 70, "quoting-enclave")],
)
def test_a_byte_of_the_genuine_signature(offset: int, check: str) -> None:
    world = genuine_world()
    spoil_quote(world.reports[BROKER], SIGNATURE + offset, flip)
    also = ["broker: quoting-enclave"] if offset == 70 else []  # the attestation key itself
    world.require(f"broker: {check}", *also)


@pytest.mark.parametrize("certificate", [0, 1, 2])
@pytest.mark.parametrize("place", [0.1, 0.95])
def test_a_byte_of_a_genuine_certificate(certificate: int, place: float) -> None:
    world = genuine_world()
    quote = bytes.fromhex(world.reports[BROKER]["quote"])
    begin = end = 0
    for _ in range(certificate + 1):
        begin = quote.index(b"-----BEGIN", end) + 28
        end = quote.index(b"-----END", begin)
    offset = begin + int((end - begin) * place)
    spoil_quote(world.reports[BROKER], offset, lambda byte: byte + 1 if byte != 10 else byte)
    verdict = judge(world.service, world.reports)
    assert "broker: certificate-chain" in failed(verdict)
    assert failed(verdict) <= {"broker: certificate-chain", "broker: quoting-enclave"}
    assert certificate == 0 or failed(verdict) == {"broker: certificate-chain"}


def test_a_chain_that_ends_in_another_root_fails_only_there() -> None:
    reports = devnet_reports()
    for role in reports:
        sign_like_intel(reports[role])
        reports[role].pop("intel_quote", None)
        reports[role].pop("all_attestations", None)
    verdict = judge(service_of(profile("cumulus")), reports)
    assert failed(verdict) == {"broker: certificate-chain", "model server: certificate-chain"}
    assert verdict.overall is Overall.FAILED


def test_a_genuine_chain_is_not_valid_for_ever() -> None:
    world = genuine_world()
    received = [Received(role, json.dumps(body).encode()) for role, body in world.reports.items()]
    verdict = check_provider(world.service, received, checked_at=NOW + 30 * 365 * 86_400)
    assert failed(verdict) == {"broker: certificate-chain", "model server: certificate-chain"}


def test_a_combined_provider_gives_one_report(world: World) -> None:
    service = replace(world.service, additional_info="")
    verdict = judge(service, world.reports)
    assert {check.subject for check in verdict.checks} == {"contract", BROKER}
    assert (verdict.overall is Overall.VERIFIED) == world.is_genuine


def test_a_centralized_provider_is_judged_by_its_broker_alone(world: World) -> None:
    info = {"ProviderType": "centralized", "TargetSeparated": True, "ProviderIdentity": "acme"}
    service = replace(world.service, additional_info=json.dumps(info), verifiability="TeeTLS")
    verdict = judge(service, world.reports)
    assert {check.subject for check in verdict.checks} == {"contract", BROKER}
    assert "acme" in verdict.scope


def test_a_separated_provider_without_its_second_report_is_not_verified(world: World) -> None:
    verdict = judge(world.service, {BROKER: world.reports[BROKER]})
    assert verdict.overall is not Overall.VERIFIED
    assert f"{MODEL_SERVER}: report" in named(verdict, CheckVerdict.UNCHECKED)


@pytest.mark.parametrize(
    "body",
    [
        {"compose_content": "services: {}", "evidence": "e30="},
        {"quote": "04"},
        {},
        {"evidence": {"quote": "00"}, "event_log": "[]"},
    ],
)
def test_an_unknown_format_could_not_be_checked(world: World, body: dict[str, Any]) -> None:
    service = replace(world.service, additional_info='{"TEEVerifier":"cryptopilot"}')
    verdict = judge(service, {BROKER: body})
    assert verdict.overall is Overall.UNCHECKED
    assert failed(verdict) == set()


def test_further_nodes_are_not_taken_for_checked(world: World) -> None:
    report = world.reports[MODEL_SERVER]
    report["all_attestations"] = [copy.deepcopy(report) | {"quote": "00"}]
    assert "model server: nodes" in named(
        judge(world.service, world.reports), CheckVerdict.UNCHECKED
    )


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"tee_signer_acknowledged": False}, "contract: acknowledgement"),
        ({"tee_signer": Address("0x" + "0" * 40)}, "contract: contract-record"),
    ],
)
def test_the_contracts_own_record_counts(world: World, change: dict[str, Any], check: str) -> None:
    verdict = judge(replace(world.service, **change), world.reports)
    assert failed(verdict) == world.before | {check}


def test_a_removed_provider_is_not_verified(world: World) -> None:
    verdict = judge(world.service, world.reports, listed=False)
    assert failed(verdict) == world.before | {"contract: contract-record"}


def test_no_claim_means_no_verification(world: World) -> None:
    verdict = judge(replace(world.service, verifiability="standard"), world.reports)
    assert verdict.overall is not Overall.VERIFIED


def test_every_check_says_why_it_matters(world: World) -> None:
    verdict = judge(world.service, world.reports)
    assert all(check.title and check.why_it_matters for check in verdict.checks)
    unclear: list[Check] = [
        check
        for check in verdict.checks
        if check.verdict is not CheckVerdict.PASSED and not check.reason
    ]
    assert unclear == []
    assert len({check.name for check in verdict.checks}) == len(verdict.checks)


def test_the_same_checks_are_listed_whatever_came(world: World) -> None:
    whole = judge(world.service, world.reports)
    empty = check_provider(world.service, [], checked_at=NOW)
    assert {c.name for c in empty.checks} == {c.name for c in whole.checks}
    assert empty.overall is Overall.UNCHECKED


def test_version_five_quotes_are_read() -> None:
    quote = bytes.fromhex(devnet_reports()[BROKER]["quote"])
    body = quote[48:632] + bytes(64)
    five = b"\x05\0" + quote[2:48] + b"\x03\0" + len(body).to_bytes(4, "little") + body + bytes(4)
    assert parse_quote(five).report_data == parse_quote(quote).report_data
    assert parse_quote(five).rtmrs == parse_quote(quote).rtmrs
    assert parse_quote(five).signed == five[:-4]


def test_padding_after_the_quote_is_no_fault(world: World) -> None:
    for name in {"quote", "intel_quote"} & set(world.reports[BROKER]):
        world.reports[BROKER][name] += "00" * 70
    assert failed(judge(world.service, world.reports)) == world.before


def test_hostile_texts_stay_out_of_the_commands(world: World) -> None:
    info = {"ImageName": "x; rm -rf ~", "ImageDigest": "sha256:" + "0" * 64}
    service = replace(world.service, additional_info=json.dumps(info))
    commands = [c for step in manual_steps(judge(service, world.reports)) for c in step.commands]
    assert len(commands) >= 3
    assert not any("rm -rf" in command for command in commands)


def change_event(report: dict[str, Any], index: int, **changes: str) -> None:
    events = json.loads(report["event_log"])
    events[index] |= changes
    report["event_log"] = json.dumps(events)
