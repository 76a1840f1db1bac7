"""What the contract says about a provider, and which reports it should have (pure)."""

from __future__ import annotations

from dataclasses import dataclass

from zgcompute import _reading as read
from zgcompute.addresses import same
from zgcompute.attestation.verdicts import Check, Question
from zgcompute.types import ZERO_ADDRESS, Service

BROKER, MODEL_SERVER = "broker", "model server"

RECORD = Question(
    "contract-record",
    "The contract lists the provider and names its signer",
    "Everything else is compared with this record, which the provider cannot change unseen.",
)
ACKNOWLEDGEMENT = Question(
    "acknowledgement",
    "The network's owner has acknowledged the signer",
    "Without it the provider may not be used, and nobody has looked at its first report.",
)
CLAIM = Question(
    "tee-claim",
    "The provider claims to run inside a trusted execution environment",
    "Where nothing is claimed, nothing can be verified.",
)


@dataclass(frozen=True, slots=True)
class Expected:
    """A report that a provider should give, and the address that has to be in it."""

    role: str
    signer: str


def check_contract(service: Service, *, listed: bool) -> tuple[Check, ...]:
    """Check the record itself; `listed` is False once it was removed from the contract."""
    return _check_record(service, listed), _check_acknowledgement(service), _check_claim(service)


def expected_reports(service: Service) -> tuple[Expected, ...]:
    """The reports of PROTOCOL §7.3: one, or two where the model server is apart and attested."""
    broker = Expected(BROKER, service.tee_signer)
    if service.info.target_separated and not service.info.is_centralized:
        return broker, Expected(MODEL_SERVER, service.info.target_tee_address)
    return (broker,)


def scope(service: Service) -> str:
    """Say in one sentence what a verified provider of this kind is, and is not."""
    if service.info.is_centralized:
        who = read.text(service.info.provider_identity, limit=60) or "a third party"
        return f"This covers the provider's broker only: {who} answers, outside of it."
    if service.info.target_separated:
        return "This covers the provider's broker and its model server, each with its own report."
    return "This covers the one machine in which the provider's broker runs."


def _check_record(service: Service, listed: bool) -> Check:
    if not listed:
        return RECORD.failed("The provider's service was removed from the contract.")
    if same(service.tee_signer, ZERO_ADDRESS):
        return RECORD.failed("The contract names no signer.", found=service.tee_signer)
    return RECORD.passed(found=service.tee_signer)


def _check_acknowledgement(service: Service) -> Check:
    if service.tee_signer_acknowledged:
        return ACKNOWLEDGEMENT.passed(expected="acknowledged", found="acknowledged")
    reason = "The owner has not acknowledged this signer."
    return ACKNOWLEDGEMENT.failed(reason, expected="acknowledged", found="not acknowledged")


def _check_claim(service: Service) -> Check:
    claimed = read.text(service.verifiability, limit=60) or "nothing"
    if service.verifiability in ("TeeML", "TeeTLS") and service.info.provider_type != "standard":
        return CLAIM.passed(expected="TeeML or TeeTLS", found=claimed)
    return CLAIM.unchecked(
        "The provider makes no such claim.", expected="TeeML or TeeTLS", found=claimed
    )
