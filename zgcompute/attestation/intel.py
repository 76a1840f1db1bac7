"""Who signed a quote? From the attestation key up to Intel's root, offline (pure).

The report's own copy of the root is never trusted: its key must be the one pinned here. Facts
pinned: the public key of the Intel SGX Root CA (certificate published by Intel's provisioning
certification service) and the identity of Intel's TD quoting enclave (same service, qe/identity).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from zgcompute.attestation.quotes import Cursor
from zgcompute.errors import QuoteInvalid

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.x509 import Certificate

INTEL_ROOT_KEY = bytes.fromhex(  # uncompressed point on P-256
    "040ba9c4c0c0c86193a3fe23d6b02cda10a8bbd4e88e48b4458561a36e705525f5"
    "67918e2edc88e40d860bd0cc4ee26aacc988e505a953558c453f6b0904ae7394"
)
QE_VENDOR = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")
QE_SIGNER = bytes.fromhex("dc9e2a7c6f948f17474e34a7fc43ed030f7c1563f1babddf6340c82e0e54a8c5")
_QE_PRODUCT = 2
_QE_ATTRIBUTES = bytes.fromhex("11000000000000000000000000000000")
_QE_ATTRIBUTES_MASK = bytes.fromhex("fbffffffffffffff0000000000000000")
_PCK_NAMES = ("Intel SGX PCK Platform CA", "Intel SGX PCK Processor CA")
_PCK_EXTENSION = "1.2.840.113741.1.13.1"
_QE_REPORT, _PEM_CHAIN = 6, 5  # kinds of certification data
_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"


@dataclass(frozen=True, slots=True)
class QuoteSignature:
    """The signature section of a quote; `certificates` are PEM texts, the leaf first."""

    signature: bytes
    attestation_key: bytes
    qe_report: bytes
    qe_signature: bytes
    qe_auth_data: bytes
    certificates: tuple[bytes, ...]


def parse_signature(section: bytes) -> QuoteSignature:
    """Read the signature section of a quote; raises QuoteInvalid."""
    cursor = Cursor(section)
    signature, key = cursor.take(64), cursor.take(64)
    if not any(signature) or not any(key):
        raise QuoteInvalid("The quote carries no signature: it is not hardware-backed.")
    if cursor.number(2) != _QE_REPORT:
        raise QuoteInvalid("The quote is certified in a way that is not known here.")
    inner = Cursor(cursor.take(cursor.number(4)))
    report, report_signature = inner.take(384), inner.take(64)
    auth_data = inner.take(inner.number(2))
    if inner.number(2) != _PEM_CHAIN:
        raise QuoteInvalid("The quote does not carry its certificates.")
    chain = inner.take(inner.number(4))
    return QuoteSignature(signature, key, report, report_signature, auth_data, _split(chain))


def verify_quote_signature(signed: bytes, signature: QuoteSignature) -> None:
    """Raise QuoteInvalid unless the attestation key signed the quote."""
    with _refusing("The attestation key did not sign these bytes."):
        _verify(_key(signature.attestation_key), signature.signature, signed)


def verify_quoting_enclave(vendor: bytes, signature: QuoteSignature) -> None:
    """Raise QuoteInvalid unless Intel's quoting enclave vouches for the attestation key.

    Any enclave that may be certified could vouch for a key of its own, so the identity counts.
    """
    report = signature.qe_report
    bound = sha256(signature.attestation_key + signature.qe_auth_data).digest() + bytes(32)
    if report[320:384] != bound:
        raise QuoteInvalid("The quoting enclave vouches for another attestation key.")
    masked = bytes(a & m for a, m in zip(report[48:64], _QE_ATTRIBUTES_MASK, strict=True))
    identity = report[128:160], int.from_bytes(report[256:258], "little"), masked
    if (*identity, any(report[16:20])) != (QE_SIGNER, _QE_PRODUCT, _QE_ATTRIBUTES, False):
        raise QuoteInvalid("The quoting enclave is not Intel's.")
    if vendor != QE_VENDOR:
        raise QuoteInvalid("The quote names another vendor than Intel for its quoting enclave.")
    with _refusing("The platform's certificate did not sign the quoting enclave's report."):
        leaf = load_certificate(signature.certificates[0])
        _verify(_public_key(leaf), signature.qe_signature, report)


def verify_chain(signature: QuoteSignature, now: int, *, root_key: bytes = INTEL_ROOT_KEY) -> None:
    """Raise QuoteInvalid unless the certificates lead to `root_key` at `now` (Unix seconds).

    Revocation is not part of this: it needs Intel's lists.
    """
    if len(signature.certificates) != 3:
        raise QuoteInvalid(f"There are {len(signature.certificates)} certificates instead of 3.")
    with _refusing("A certificate cannot be read, or its signature does not hold."):
        leaf, middle, root = (load_certificate(pem) for pem in signature.certificates)
        if _point(_public_key(root)) != root_key:
            raise QuoteInvalid("The certificates end in another root than Intel's.")
        for certificate, issuer in ((root, root), (middle, root), (leaf, middle)):
            certificate.verify_directly_issued_by(issuer)
        _require_roles(leaf, middle)
        for certificate in (leaf, middle, root):
            _require_valid_at(certificate, datetime.fromtimestamp(now, UTC))


def load_certificate(pem: bytes) -> Certificate:
    """Return the certificate in `pem`; raises what `cryptography` raises."""
    from cryptography.x509 import load_pem_x509_certificate

    return load_pem_x509_certificate(pem)


def _split(chain: bytes) -> tuple[bytes, ...]:
    parts = chain.split(_END)[:-1]
    if not parts or len(parts) > 5 or not all(_BEGIN in part for part in parts):
        raise QuoteInvalid("The quote does not carry readable certificates.")
    return tuple(part[part.index(_BEGIN) :] + _END + b"\n" for part in parts)


def _require_roles(leaf: Certificate, middle: Certificate) -> None:
    from cryptography.x509 import BasicConstraints, ObjectIdentifier

    if not middle.extensions.get_extension_for_class(BasicConstraints).value.ca:
        raise QuoteInvalid("The middle certificate may not issue others.")
    if middle.subject.rfc4514_string().partition("CN=")[2] not in _PCK_NAMES:
        raise QuoteInvalid("The middle certificate is not Intel's for attested platforms.")
    if leaf.extensions.get_extension_for_class(BasicConstraints).value.ca:
        raise QuoteInvalid("The first certificate is not a platform's.")
    leaf.extensions.get_extension_for_oid(ObjectIdentifier(_PCK_EXTENSION))


def _require_valid_at(certificate: Certificate, moment: datetime) -> None:
    if not certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc:
        name = certificate.subject.rfc4514_string().rpartition("CN=")[2][:60]
        raise QuoteInvalid(f"The certificate {name!r} was not valid at the time of the check.")


def _verify(key: EllipticCurvePublicKey, signature: bytes, data: bytes) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec, utils
    from cryptography.hazmat.primitives.hashes import SHA256

    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    key.verify(utils.encode_dss_signature(r, s), data, ec.ECDSA(SHA256()))


def _key(point: bytes) -> EllipticCurvePublicKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + point)


def _public_key(certificate: Certificate) -> EllipticCurvePublicKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise QuoteInvalid("A certificate holds a key of another kind than Intel's.")
    return key


def _point(key: EllipticCurvePublicKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


@contextmanager
def _refusing(reason: str) -> Iterator[None]:
    """Turn everything that `cryptography` says about hostile input into QuoteInvalid."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    odd = (
        InvalidSignature,
        UnsupportedAlgorithm,
        ValueError,
        TypeError,
        UserWarning,  # its deprecations, where warnings are errors
        x509.DuplicateExtension,
        x509.ExtensionNotFound,
        x509.InvalidVersion,
        x509.UnsupportedGeneralNameType,
    )
    try:
        yield
    except odd as error:
        raise QuoteInvalid(reason) from error
