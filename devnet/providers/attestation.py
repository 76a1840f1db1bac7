"""Attestation reports of the right shape (PROTOCOL §7) whose quote no hardware ever signed.

Every check that software can do holds: report data, event digests, the replay into RTMRs, the
compose hash, the measurement values. Intel's signature cannot hold: those bytes are zero, and
the vendor field of the quote says so in words.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import struct
from dataclasses import dataclass
from typing import Any

from devnet.providers.profiles import Profile
from devnet.providers.signatures import TeeKey

NOTE = "devnet: not hardware-backed; the quote carries no signature of Intel's"

_VENDOR = b"devnet-not-intel"
_ATTRIBUTES = bytes.fromhex("0000001000000000")  # the debug bit is off
_XFAM = bytes.fromhex("e702060000000000")
_RUNTIME_EVENT = 134217729
_BOOT_EVENTS = (  # (imr, event type, what is measured)
    (0, 2147483659, "firmware volume"),
    (0, 2147483649, "secure boot variables"),
    (0, 4, "separator"),
    (1, 2147483651, "kernel"),
    (1, 4, "separator"),
    (2, 6, "kernel command line"),
    (2, 6, "initial ram disk"),
)


@dataclass(frozen=True, slots=True)
class Measured:
    """What one virtual machine would have measured."""

    app_compose: str
    events: list[dict[str, Any]]
    rtmrs: tuple[bytes, bytes, bytes, bytes]
    mrtd: bytes
    os_image_hash: str

    @property
    def compose_hash(self) -> str:
        return hashlib.sha256(self.app_compose.encode()).hexdigest()

    @property
    def config_id(self) -> bytes:
        return (b"\x01" + bytes.fromhex(self.compose_hash)).ljust(48, b"\0")

    def tcb_info(self) -> dict[str, Any]:
        registers = {f"rtmr{index}": value.hex() for index, value in enumerate(self.rtmrs)}
        identity = self.config_id + bytes(48 + 48)  # owner and owner's configuration
        measured = self.mrtd + b"".join(self.rtmrs) + identity
        return {
            "mrtd": self.mrtd.hex(),
            **registers,
            "mr_aggregated": hashlib.sha256(measured).hexdigest(),
            "os_image_hash": self.os_image_hash,
            "compose_hash": self.compose_hash,
            "device_id": hashlib.sha256(b"devnet device").hexdigest(),
            "event_log": self.events,
            "app_compose": self.app_compose,
        }

    def quote(self, report_data: bytes) -> str:
        """Hex of a TDX v4 quote over `report_data` (64 bytes) with an empty signature."""
        header = struct.pack("<HHIHH16s20s", 4, 2, 0x81, 0, 0, _VENDOR, NOTE.encode()[:20])
        body = (
            bytes(16 + 48 + 48 + 8)  # TCB version, SEAM measurement and its signer, attributes
            + _ATTRIBUTES
            + _XFAM
            + self.mrtd
            + self.config_id
            + bytes(48 + 48)  # owner and owner's configuration
            + b"".join(self.rtmrs)
            + report_data
        )
        return (header + body + struct.pack("<I", 128) + bytes(128)).hex()


def broker_report(profile: Profile) -> dict[str, Any]:
    """The body of GET /v1/quote, in the layout whose report data is the signer's ASCII address."""
    measured = _measure(profile, "broker")
    report_data = profile.tee_key.address.encode().ljust(64, b"\0")
    return {
        "quote": measured.quote(report_data),
        "event_log": _compact(measured.events),
        "report_data": base64.b64encode(report_data).decode(),
        "vm_config": _vm_config(measured, gpus=0),
        "tcb_info": _compact(measured.tcb_info()),
        "note": NOTE,
    }


def quote_signature(key: TeeKey, body: bytes) -> str:
    """The header ZG-Quote-Signature: EIP-191 over keccak256 of the body."""
    from eth_utils.crypto import keccak

    return key.sign_text(keccak(body))


def model_report(profile: Profile, nonce: str = "") -> dict[str, Any]:
    """The body of GET /v1/proxy/attestation/report; `nonce` is 64 hex digits or chosen here."""
    measured = _measure(profile, "model-server")
    nonce = nonce if _is_nonce(nonce) else secrets.token_hex(32)
    signer = profile.answer_key.address
    report_data = bytes.fromhex(signer[2:]).ljust(32, b"\0") + bytes.fromhex(nonce)
    quote = measured.quote(report_data)
    record = {
        "signing_address": signer,
        "signing_algo": "ecdsa",
        "request_nonce": nonce,
        "intel_quote": quote,
        "nvidia_payload": _compact({"nonce": nonce, "evidence_list": [], "arch": "HOPPER"}),
        "info": _info(profile, measured),
        "quote": quote,
        "event_log": _compact(measured.events),
        "vm_config": _vm_config(measured, gpus=1),
        "note": NOTE,
    }
    return {**record, "all_attestations": [record]}


def _info(profile: Profile, measured: Measured) -> dict[str, Any]:
    tcb_info = measured.tcb_info()
    return {
        "app_id": _digest(profile, "app")[:40],
        "instance_id": _digest(profile, "instance")[:40],
        "app_cert": "",
        "tcb_info": tcb_info,
        "app_name": f"devnet-{profile.name}",
        "device_id": tcb_info["device_id"],
        "mr_aggregated": tcb_info["mr_aggregated"],
        "os_image_hash": measured.os_image_hash,
        "key_provider_info": _compact({"name": "devnet", "id": ""}),
        "compose_hash": measured.compose_hash,
        "vm_config": _vm_config(measured, gpus=1),
    }


def _measure(profile: Profile, role: str) -> Measured:
    app_compose = _app_compose(profile, role)
    os_image_hash = hashlib.sha256(b"devnet operating system").hexdigest()
    events = [_boot_event(*event) for event in _BOOT_EVENTS]
    for name, payload in (
        ("system-preparing", ""),
        ("app-id", _digest(profile, "app")[:40]),
        ("compose-hash", hashlib.sha256(app_compose.encode()).hexdigest()),
        ("instance-id", _digest(profile, "instance")[:40]),
        ("boot-mr-done", ""),
        ("os-image-hash", os_image_hash),
        ("key-provider", _compact({"name": "devnet", "id": ""}).encode().hex()),
        ("system-ready", ""),
    ):
        events.append(_runtime_event(name, payload))
    mrtd = hashlib.sha384(b"devnet virtual machine").digest()
    return Measured(app_compose, events, _replay(events), mrtd, os_image_hash)


def _boot_event(imr: int, event_type: int, what: str) -> dict[str, Any]:
    payload = f"devnet {what}".encode()
    return {
        "imr": imr,
        "event_type": event_type,
        "digest": hashlib.sha384(payload).hexdigest(),
        "event": "",
        "event_payload": payload.hex(),
    }


def _runtime_event(name: str, payload: str) -> dict[str, Any]:
    measured = struct.pack("<I", _RUNTIME_EVENT) + f":{name}:".encode() + bytes.fromhex(payload)
    return {
        "imr": 3,
        "event_type": _RUNTIME_EVENT,
        "digest": hashlib.sha384(measured).hexdigest(),
        "event": name,
        "event_payload": payload,
    }


def _replay(events: list[dict[str, Any]]) -> tuple[bytes, bytes, bytes, bytes]:
    registers = [bytes(48)] * 4
    for event in events:
        extended = registers[event["imr"]] + bytes.fromhex(event["digest"])
        registers[event["imr"]] = hashlib.sha384(extended).digest()
    return registers[0], registers[1], registers[2], registers[3]


def _app_compose(profile: Profile, role: str) -> str:
    compose = (
        "services:\n"
        f"  {role}:\n"
        f"    image: devnet/{profile.name}@sha256:{'0' * 64}\n"
        "    # a devnet test provider: a Python process, no enclave\n"
    )
    return _compact(
        {
            "manifest_version": 2,
            "name": f"devnet-{profile.name}-{role}",
            "runner": "docker-compose",
            "docker_compose_file": compose,
            "kms_enabled": True,
            "gateway_enabled": True,
            "public_logs": True,
            "public_sysinfo": True,
            "public_tcbinfo": True,
            "allowed_envs": [],
            "no_instance_id": False,
            "secure_time": False,
        }
    )


def _vm_config(measured: Measured, *, gpus: int) -> str:
    return _compact(
        {
            "spec_version": 1,
            "os_image_hash": measured.os_image_hash,
            "cpu_count": 2,
            "memory_size": 4 * 1024**3,
            "qemu_single_pass_add_pages": False,
            "pic": False,
            "pci_hole64_size": 2**50,
            "hugepages": False,
            "num_gpus": gpus,
            "num_nvswitches": 0,
            "hotplug_off": True,
        }
    )


def _digest(profile: Profile, what: str) -> str:
    return hashlib.sha256(f"devnet {profile.name} {what}".encode()).hexdigest()


def _is_nonce(text: str) -> bool:
    return len(text) == 64 and all(digit in "0123456789abcdef" for digit in text)


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
