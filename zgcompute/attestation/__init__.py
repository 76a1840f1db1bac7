"""Verification of a provider: is it the machine and the software that the contract stands for?

A list of independent checks over the reports that a provider gives (PROTOCOL §7): each passed,
failed, or could not be done. A provider is verified only if every required one passed.
"""

from zgcompute.attestation.evidence import verify_provider_evidence, write_provider_evidence
from zgcompute.attestation.gathering import ReportSource, verify_provider
from zgcompute.attestation.manual import ManualStep, manual_steps, report_file
from zgcompute.attestation.provider import ProviderVerdict, Received, check_provider
from zgcompute.attestation.verdicts import Check, CheckVerdict, Overall

__all__ = [
    "Check",
    "CheckVerdict",
    "ManualStep",
    "Overall",
    "ProviderVerdict",
    "Received",
    "ReportSource",
    "check_provider",
    "manual_steps",
    "report_file",
    "verify_provider",
    "verify_provider_evidence",
    "write_provider_evidence",
]
