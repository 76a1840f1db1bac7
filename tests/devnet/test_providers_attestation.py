"""Reports: all that software can check holds; what only hardware can say is not claimed."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_utils.crypto import keccak

from devnet.providers.attestation import broker_report, model_report
from devnet.providers.profiles import PROFILES, Profile
from tests.devnet.bench import bench, profile_of

ALL = [pytest.param(profile, id=profile.name) for profile in PROFILES]


def replayed(events: list[dict[str, Any]]) -> list[str]:
    registers = [bytes(48)] * 4
    for event in events:
        digest = bytes.fromhex(event["digest"])
        registers[event["imr"]] = hashlib.sha384(registers[event["imr"]] + digest).digest()
    return [register.hex() for register in registers]


def fields_of(quote: str) -> dict[str, Any]:
    data = bytes.fromhex(quote)
    assert struct.unpack_from("<HHI", data) == (4, 2, 0x81)
    rtmrs = [data[offset : offset + 48].hex() for offset in (376, 424, 472, 520)]
    return {
        "mrtd": data[184:232].hex(),
        "config_id": data[232:280],
        "rtmrs": rtmrs,
        "report_data": data[568:632],
        "debug": data[168] & 1,
        "signature": data[636:],
    }


def require_consistency(quote: str, events: list[dict[str, Any]], tcb_info: dict[str, Any]) -> None:
    fields = fields_of(quote)
    assert replayed(events) == fields["rtmrs"]
    assert [tcb_info[f"rtmr{n}"] for n in range(4)] == fields["rtmrs"]
    assert tcb_info["mrtd"] == fields["mrtd"]
    compose_hash = hashlib.sha256(tcb_info["app_compose"].encode()).hexdigest()
    (event,) = [event for event in events if event["event"] == "compose-hash"]
    assert event["event_payload"] == compose_hash == fields["config_id"][1:33].hex()
    assert fields["config_id"][0] == 1
    for event in events:
        if event["imr"] == 3:
            payload = bytes.fromhex(event["event_payload"])
            kind = struct.pack("<I", event["event_type"])
            measured = kind + f":{event['event']}:".encode() + payload
            assert event["digest"] == hashlib.sha384(measured).hexdigest()
    assert not fields["debug"]
    assert not any(fields["signature"])


@pytest.mark.parametrize("profile", ALL)
def test_the_brokers_report_holds_in_software(profile: Profile) -> None:
    report = broker_report(profile)
    require_consistency(
        report["quote"], json.loads(report["event_log"]), json.loads(report["tcb_info"])
    )
    report_data = base64.b64decode(report["report_data"])
    assert report_data == fields_of(report["quote"])["report_data"]
    assert report_data.rstrip(b"\0").decode() == profile.tee_key.address
    assert json.loads(json.loads(report["tcb_info"])["app_compose"])["docker_compose_file"]


def test_the_model_servers_report_binds_its_own_signer_and_a_nonce() -> None:
    profile = profile_of("cumulus")
    report = model_report(profile, "ab" * 32)
    tcb_info = report["info"]["tcb_info"]
    require_consistency(report["quote"], json.loads(report["event_log"]), tcb_info)
    report_data = fields_of(report["intel_quote"])["report_data"]
    assert report_data[:20].hex() == profile.answer_key.address[2:].lower()
    assert report_data[20:32] == bytes(12)
    assert report_data[32:].hex() == report["request_nonce"] == "ab" * 32
    assert json.loads(report["nvidia_payload"])["nonce"] == report["request_nonce"]
    assert len(report["all_attestations"]) == 1


def test_the_registered_record_names_the_model_servers_signer() -> None:
    profile = profile_of("cumulus")
    info = json.loads(profile.additional_info)
    assert info["TargetSeparated"] is True
    assert info["TargetTeeAddress"] == profile.answer_key.address
    assert list(info) == sorted(info)


def test_reports_are_served_signed_and_labelled() -> None:
    reply = bench().ask("/v1/quote", token=None)
    message = encode_defunct(primitive=keccak(reply.body))
    signer = Account.recover_message(message, signature=reply.headers["zg-quote-signature"])
    assert signer == profile_of("aurora").tee_key.address
    assert "not hardware-backed" in reply.json["note"]
    report = bench("cumulus").ask("/v1/proxy/attestation/report?model=x", token=None)
    assert len(report.json["request_nonce"]) == 64


@pytest.mark.parametrize("profile", [p for p in ALL if p.values[0].listens])
def test_every_provider_publishes_its_models(profile: Profile) -> None:
    cards = bench(profile.name).ask("/v1/models", token=None).json["data"]
    assert [card["id"] for card in cards] == [model.name for model in profile.models]
    for card, model in zip(cards, profile.models, strict=True):
        assert card["type"] == profile.service_type
        assert card["tee_attested"] is False
        if "image" in profile.service_type:
            image = str(model.output_price)
            assert card["pricing"] == {"prompt": "0", "completion": "0", "image": image}
        else:
            assert card["pricing"]["prompt"] == str(model.input_price)


def test_unknown_pages_are_not_found() -> None:
    assert bench().ask("/v1/service", token=None).status == 404
    assert bench().ask("/", b"x", token=None).status == 404
