"""Does the signature bind this answer to the provider's TEE? (PROTOCOL §4.5-4.6, pure)

A good signature alone proves that the TEE's key signed *some* text. It proves something about an
answer only if the hash in that text is the hash of the very bytes that were received.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from zgcompute import _reading as read
from zgcompute.addresses import same
from zgcompute.errors import Error, MalformedReply
from zgcompute.pictures import ImageReply
from zgcompute.session import recover_message_signer
from zgcompute.types import ZERO_ADDRESS, Address, Service

VERIFIABLE = "TeeML"
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_HASHES = re.compile(r"[0-9a-f]{64}(,[0-9a-f]{64}){0,63}", re.ASCII)
_MAX_TEXT = 16_384  # characters of a signed text; 64 image hashes need 4,225


class Outcome(StrEnum):
    """The four things that can be said of an answer."""

    VERIFIED = "verified"
    FAILED = "failed"
    NOT_VERIFIABLE = "not verifiable"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class SignatureRecord:
    """What a provider returns for a response id; everything in it is only a claim."""

    text: str
    signature: str
    signing_address: str = ""
    signing_algo: str = ""
    provider_type: str = ""
    provider_identity: str = ""
    tls_cert_fingerprint: str = ""

    @classmethod
    def parse(cls, body: bytes) -> SignatureRecord:
        """Read a reply of GET /v1/proxy/signature/{id}; raises MalformedReply."""
        keys = read.json_object(body)
        if keys is None or not isinstance(keys.get("text"), str):
            raise MalformedReply("The provider's signature record is not in the expected form.")
        names = (
            "signature",
            "signing_address",
            "signing_algo",
            "provider_type",
            "provider_identity",
            "tls_cert_fingerprint",
        )
        claims = {name: read.text(keys.get(name)) for name in names}
        return cls(text=keys["text"][: _MAX_TEXT + 1], **claims)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found about one answer, with everything that led to it.

    `response_matches` and `request_matches` are None where they could not be compared. A request
    that does not match is normal where the provider rewrites requests and changes no outcome.
    `can_retry` is set where the same check may succeed later.
    """

    outcome: Outcome
    reason: str
    expected_signer: Address
    service: Service
    record: SignatureRecord | None = None
    signer: Address | None = None
    request_sha256: str = ""
    response_sha256: str = ""
    response_matches: bool | None = None
    request_matches: bool | None = None
    can_retry: bool = False

    @property
    def signed_text(self) -> str:
        return self.record.text if self.record else ""

    @property
    def signature(self) -> str:
        return self.record.signature if self.record else ""

    def to_evidence(
        self, *, network: str, chain_id: int, response_id: str, checked_at: int
    ) -> dict[str, Any]:
        """Return a JSON-able record that `evidence.verify_evidence` can judge again, offline."""
        from zgcompute.evidence import write_evidence

        return write_evidence(
            self,
            network=network,
            chain_id=chain_id,
            response_id=response_id,
            checked_at=checked_at,
        )


def can_be_verified(service: Service) -> str | None:
    """Return None if answers of `service` can be verified, else the reason why not."""
    if service.verifiability != VERIFIABLE:
        return _unverifiable(service.verifiability)
    if service.info.provider_type == "standard":
        return "The provider forwards to a service outside any TEE; nothing binds its answers."
    if not service.tee_signer_acknowledged:
        return "The network's owner has not acknowledged this provider's TEE signer."
    if same(service.expected_signer, ZERO_ADDRESS):
        return "The provider has no TEE signer on chain."
    return None


def judge_response(
    service: Service,
    record: SignatureRecord | None,
    *,
    request_sha256: str,
    response_sha256: str,
    not_checked_reason: str = "",
    can_retry: bool = False,
) -> Verdict:
    """Judge an answer whose bytes have `response_sha256` (lower-case hex).

    For generated images that is the hashes of the images, joined by commas. `record` is None
    where no signature could be had: the outcome is then NOT_CHECKED for `not_checked_reason`,
    and `can_retry` is passed on.
    VERIFIED needs the right signer *and* the hash of the bytes received; `request_sha256` (of the
    body as sent) is compared and reported apart.
    """
    base = Verdict(
        Outcome.NOT_CHECKED,
        not_checked_reason or "There is no signature yet.",
        service.expected_signer,
        service,
        record,
        request_sha256=request_sha256,
        response_sha256=response_sha256,
        can_retry=can_retry and record is None,
    )
    if reason := can_be_verified(service):
        return replace(base, outcome=Outcome.NOT_VERIFIABLE, reason=reason, can_retry=False)
    return base if record is None else _judge_record(base, service, record)


def judge_images(
    service: Service,
    record: SignatureRecord | None,
    reply: ImageReply,
    *,
    not_checked_reason: str = "",
    can_retry: bool = False,
) -> Verdict:
    """Judge an answer of pictures: signed are their hashes, by older builds the reply's body.

    A body that only names the pictures' addresses binds none of their bytes, whoever signed it.
    """
    signed = _parse_text(record.text) if record else None
    is_of_body = signed is not None and signed.response == reply.body_sha256
    known = reply.body_sha256 if reply.holds_pictures else ""
    verdict = judge_response(
        service,
        record,
        request_sha256=reply.request_sha256,
        response_sha256=known if is_of_body else reply.pictures_sha256,
        not_checked_reason=not_checked_reason,
        can_retry=can_retry,
    )
    if is_of_body and not known and verdict.outcome is Outcome.NOT_CHECKED:
        return replace(verdict, reason="Only the pictures' addresses are signed, not the pictures.")
    return verdict


def _unverifiable(verifiability: str) -> str:
    known = {
        "TeeTLS": "Answers come from a service outside the TEE (TeeTLS): the TEE vouches for the "
        "connection, not for the answer.",
        "standard": "The provider makes no claim that its answers come from a TEE.",
        "": "The provider makes no claim that its answers come from a TEE.",
    }
    other = f"The provider declares {read.text(verifiability, limit=40)!r}, which nobody can check."
    return known.get(verifiability, other)


@dataclass(frozen=True, slots=True)
class _SignedText:
    """The parts of a signed text; the last three only where a third party answered."""

    request: str
    response: str
    provider_type: str = ""
    provider_identity: str = ""
    fingerprint: str | None = None


def _judge_record(base: Verdict, service: Service, record: SignatureRecord) -> Verdict:
    text = _parse_text(record.text)
    if text is None:
        return _failed(base, "The signed text is not in the expected form.")
    base = replace(
        base,
        response_matches=_matches(base.response_sha256, text.response),
        request_matches=_matches(base.request_sha256, text.request),
    )
    if record.signing_algo not in ("", "ecdsa"):
        reason = f"It is signed with {record.signing_algo[:40]!r}, which cannot be checked here."
        return replace(base, outcome=Outcome.NOT_VERIFIABLE, reason=reason)
    if (verdict := _judge_upstream(base, service, record, text)) is not None:
        return verdict
    return _judge_signature(base, record, text)


def _parse_text(text: str) -> _SignedText | None:
    request, _, rest = text.partition(":")
    response, separator, upstream = rest.partition(":")
    if len(text) > _MAX_TEXT or not _HASH.fullmatch(request) or not _HASHES.fullmatch(response):
        return None
    if not separator:
        return _SignedText(request, response)
    kind, first, rest = upstream.partition(":")
    identity, second, fingerprint = rest.rpartition(":")
    if not first or not second:
        return None
    return _SignedText(request, response, kind, identity, fingerprint)


def _judge_upstream(
    base: Verdict, service: Service, record: SignatureRecord, text: _SignedText
) -> Verdict | None:
    """Return the verdict where the parts about a third party already decide it, else None."""
    info = service.info
    if not info.is_centralized:
        if text.fingerprint is None:
            return None
        return _failed(base, "The signed text names a third party; the service registered none.")
    if not text.fingerprint:
        reason = "A third party answers, and nothing signed says whose certificate it showed."
        return replace(base, outcome=Outcome.NOT_VERIFIABLE, reason=reason)
    if not _HASH.fullmatch(text.fingerprint):
        return _failed(base, "The signed certificate fingerprint is not in the expected form.")
    registered = info.provider_type, info.provider_identity or text.provider_identity
    if (text.provider_type, text.provider_identity) != registered:
        return _failed(base, "The signed text names another third party than the contract does.")
    if record.tls_cert_fingerprint not in ("", text.fingerprint):
        return _failed(base, "The record claims another certificate than the signed text.")
    return None


def _judge_signature(base: Verdict, record: SignatureRecord, text: _SignedText) -> Verdict:
    try:
        signer = recover_message_signer(record.text.encode(), record.signature)
    except (Error, UnicodeEncodeError):
        return _failed(base, "The signature is malformed: no key can have made it.")
    base = replace(base, signer=signer)
    if not same(signer, base.expected_signer):
        return _failed(base, f"Signed by {signer}, but the contract names {base.expected_signer}.")
    if base.response_matches is None:
        return replace(base, reason="The hash of the received answer is not known.")
    if not base.response_matches:
        return _failed(base, "The signature is of other bytes than the answer received.")
    return replace(base, outcome=Outcome.VERIFIED, reason=_proof(text))


def _proof(text: _SignedText) -> str:
    proof = "Signed by the provider's TEE signer, over exactly the bytes received."
    if text.fingerprint is None:
        return proof
    author = read.text(text.provider_identity, limit=60) or "a third party"
    return f"{proof} They were written by {author}, outside the TEE."


def _matches(known: str, signed: str) -> bool | None:
    return known == signed if known else None


def _failed(base: Verdict, reason: str) -> Verdict:
    return replace(base, outcome=Outcome.FAILED, reason=reason)
