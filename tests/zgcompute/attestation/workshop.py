"""What these tests stand on: reports of the devnet, a chain of our own, ways to spoil a report."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from devnet.providers.attestation import broker_report, model_report
from devnet.providers.profiles import PROFILES, Profile
from zgcompute.attestation import CheckVerdict, ProviderVerdict, Received, check_provider
from zgcompute.attestation.intel import QE_SIGNER, QE_VENDOR
from zgcompute.testing import fake_service
from zgcompute.types import Address, Service

SAMPLES = Path(__file__).parents[4] / "shared" / "data" / "attestation"
NOW = int(datetime(2026, 11, 22, tzinfo=UTC).timestamp())
REPORT_DATA = 568  # offset in a version 4 quote
SIGNATURE = 636
BROKER, MODEL_SERVER = "broker", "model server"


def profile(name: str) -> Profile:
    return next(profile for profile in PROFILES if profile.name == name)


def service_of(profile: Profile, **changes: Any) -> Service:
    record = {
        "tee_signer": Address(profile.tee_key.address),
        "additional_info": profile.additional_info,
        "verifiability": "TeeML",
        "tee_signer_acknowledged": True,
    }
    return fake_service(**{**record, **changes})


def devnet_reports() -> dict[str, dict[str, Any]]:
    cumulus = profile("cumulus")
    return {BROKER: broker_report(cumulus), MODEL_SERVER: model_report(cumulus, "ab" * 32)}


def judge(service: Service, reports: dict[str, Any], **options: Any) -> ProviderVerdict:
    received = [
        Received(role, body if isinstance(body, bytes) else json.dumps(body).encode())
        for role, body in reports.items()
    ]
    return check_provider(service, received, checked_at=NOW, **options)


def named(verdict: ProviderVerdict, kind: CheckVerdict) -> set[str]:
    return {check.name for check in verdict.checks if check.verdict is kind}


def failed(verdict: ProviderVerdict) -> set[str]:
    return named(verdict, CheckVerdict.FAILED)


def spoil_quote(report: dict[str, Any], offset: int, value: Callable[[int], int]) -> None:
    """Change one byte of the quote, in both places where it may stand."""
    quote = bytearray.fromhex(report["quote"])
    quote[offset] = value(quote[offset])
    for name in {"quote", "intel_quote"} & set(report):
        report[name] = quote.hex()


def flip(byte: int) -> int:
    return byte ^ 1


def inner(report: dict[str, Any], name: str) -> dict[str, Any]:
    """The parsed tcb_info, wherever it stands; written back by `put`."""
    holder = report if name in report else report["info"]
    value = holder[name]
    return json.loads(value) if isinstance(value, str) else value


def put(report: dict[str, Any], name: str, value: Any) -> None:
    holder = report if name in report else report["info"]
    holder[name] = json.dumps(value) if isinstance(holder[name], str) else value


def sign_like_intel(report: dict[str, Any]) -> bytes:
    """Sign the report's quote as Intel would, but under a root made here; return its key.

    Everything then holds except that the root is not the pinned one.
    """
    attestation, leaf = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root_key, certificates = _certificates(leaf)
    quote = bytearray.fromhex(report["quote"])[: SIGNATURE - 4]
    quote[12:28] = QE_VENDOR
    key = _point(attestation)[1:]
    enclave = bytearray(384)
    enclave[48:64] = bytes.fromhex("1500000000000000e700000000000000")
    enclave[128:160] = QE_SIGNER
    enclave[256:258] = b"\x02\0"
    enclave[320:352] = sha256(key + b"auth").digest()
    inside = (
        bytes(enclave)
        + _raw_signature(leaf, bytes(enclave))
        + _sized(2, b"auth")
        + b"\x05\0"
        + _sized(4, certificates)
    )
    section = _raw_signature(attestation, bytes(quote)) + key + b"\x06\0" + _sized(4, inside)
    report["quote"] = (bytes(quote) + _sized(4, section)).hex()
    return root_key


def _certificates(leaf: ec.EllipticCurvePrivateKey) -> tuple[bytes, bytes]:
    root, middle = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    names = ("Intel SGX Root CA", "Intel SGX PCK Platform CA", "Intel SGX PCK Certificate")
    chain = [
        _certificate(names[2], leaf, names[1], middle, platform=True),
        _certificate(names[1], middle, names[0], root),
        _certificate(names[0], root, names[0], root),
    ]
    return _point(root), b"".join(part.public_bytes(Encoding.PEM) for part in chain)


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    platform: bool = False,
) -> x509.Certificate:
    moment = datetime.fromtimestamp(NOW, UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - timedelta(days=1))
        .not_valid_after(moment + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=not platform, path_length=None), critical=True)
    )
    if platform:
        oid = x509.ObjectIdentifier("1.2.840.113741.1.13.1")
        builder = builder.add_extension(x509.UnrecognizedExtension(oid, b"\x30\0"), critical=False)
    return builder.sign(issuer_key, SHA256())


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _point(key: ec.EllipticCurvePrivateKey) -> bytes:
    public = key.public_key()
    return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _raw_signature(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    r, s = utils.decode_dss_signature(key.sign(data, ec.ECDSA(SHA256())))
    return r.to_bytes(32) + s.to_bytes(32)


def _sized(width: int, data: bytes) -> bytes:
    return len(data).to_bytes(width, "little") + data


def as_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
