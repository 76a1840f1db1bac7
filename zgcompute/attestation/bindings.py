"""Whose key does the hardware vouch for? Report data, signer, nonces, debug mode (pure)."""

from __future__ import annotations

import re

from zgcompute.addresses import same
from zgcompute.attestation.quotes import TdQuote
from zgcompute.attestation.reports import Report
from zgcompute.attestation.verdicts import Check, Question
from zgcompute.types import ZERO_ADDRESS

REPORT_DATA = Question(
    "report-data",
    "What the report says it binds is what the quote binds",
    "The 64 bytes of report data tie a key to the hardware. Beside the quote they are only a "
    "claim.",
)
SIGNER = Question(
    "signer",
    "The attested key is the one the contract names",
    "Answers are checked against the contract's signer. If the hardware vouches for another key, "
    "those signatures prove nothing.",
)
NONCE = Question(
    "nonce",
    "The quote was made for the report's nonce",
    "A nonce that is not in the quote could have been put there afterwards.",
    required=False,
)
GPU_NONCE = Question(
    "gpu-nonce",
    "The graphics card's evidence was made together with the quote",
    "Evidence with another nonce may come from another machine. The evidence itself is checked "
    "by hand.",
    required=False,
)
NODES = Question(
    "nodes",
    "The report covers every node of the server",
    "Where several machines answer, each of them needs a quote of its own.",
)
FRESHNESS = Question(
    "freshness",
    "The report was made for this check",
    "A report from earlier shows that the machine was in order then, not that it still is.",
    required=False,
)
DEBUG = Question(
    "debug",
    "The virtual machine is closed: debugging is off",
    "In debug mode the operator of the hardware can read and change everything inside.",
)
MODULE = Question(
    "tdx-module",
    "The TDX module is Intel's",
    "The module keeps the virtual machine apart from its host; only Intel's is known to do so.",
)
_ASCII = re.compile(rb"(0x[0-9a-fA-F]{40})\0{22}")


def attested_signer(report_data: bytes) -> str | None:
    """The address in report data: as ASCII text, or as 20 bytes and 12 zeros before a nonce."""
    if found := _ASCII.fullmatch(report_data):
        return found[1].decode()
    if len(report_data) == 64 and any(report_data[:20]) and not any(report_data[20:32]):
        return "0x" + report_data[:20].hex()
    return None


def check_report_data(report: Report, quote: TdQuote) -> Check:
    """Compare the report's own statement with the quote: report_data, else signing_address."""
    if report.report_data is not None:
        return REPORT_DATA.equal(
            expected=quote.report_data.hex(),
            found=report.report_data.hex(),
            otherwise="The report states other report data than its quote holds.",
        )
    if not report.signing_address:
        return REPORT_DATA.unchecked("The report does not state what its quote should hold.")
    signer = attested_signer(quote.report_data)
    if signer is None or not same(signer, report.signing_address):
        return REPORT_DATA.failed(
            "The report states another signing address than its quote holds.",
            expected=signer or quote.report_data.hex(),
            found=report.signing_address,
        )
    return REPORT_DATA.passed(expected=signer, found=report.signing_address)


def check_signer(report: Report, quote: TdQuote, expected: str) -> Check:
    """Compare the address in the quote with the one that the contract names."""
    if not expected or same(expected, ZERO_ADDRESS):
        return SIGNER.unchecked("The contract names no signer to compare with.")
    signer = attested_signer(quote.report_data)
    if signer is None:
        reason = "The quote's report data holds no address in a known layout."
        return SIGNER.failed(reason, expected=expected, found=quote.report_data.hex())
    if not same(signer, expected):
        reason = "The hardware vouches for another key than the contract names."
        return SIGNER.failed(reason, expected=expected, found=signer)
    return SIGNER.passed(expected=expected, found=signer)


def check_nonce(report: Report, quote: TdQuote) -> Check:
    """Compare request_nonce with the last 32 bytes of report data (model servers)."""
    if not report.request_nonce:
        return NONCE.unchecked("The report carries no nonce.")
    return NONCE.equal(
        expected=quote.report_data[32:].hex(),
        found=report.request_nonce,
        otherwise="The quote was made for another nonce.",
    )


def check_gpu_nonce(report: Report, quote: TdQuote) -> Check:
    """Compare the nonce of the graphics card's evidence with that of the report."""
    if not report.gpu_nonce or not report.request_nonce:
        return GPU_NONCE.unchecked("The report carries no evidence of a graphics card.")
    return GPU_NONCE.equal(
        expected=report.request_nonce,
        found=report.gpu_nonce,
        otherwise="The evidence of the graphics card was made for another nonce.",
    )


def check_nodes(report: Report, quote: TdQuote) -> Check:
    """Tell whether the report lists further nodes, which are not checked here."""
    if report.other_nodes:
        reason = f"{report.other_nodes} further nodes are listed; only the first is checked here."
        return NODES.unchecked(reason)
    return NODES.passed(found="1 node")


def check_freshness(report: Report, quote: TdQuote) -> Check:
    """Say that nothing in the report shows when it was made."""
    return FRESHNESS.unchecked("The protocol has no nonce of ours in the report.")


def check_debug(report: Report, quote: TdQuote) -> Check:
    """Look at the first byte of the attributes: any bit there opens the machine."""
    found = quote.td_attributes.hex()
    if quote.td_attributes[0]:
        reason = "The virtual machine runs in debug mode: its operator can look inside."
        return DEBUG.failed(reason, expected="first byte 00", found=found)
    return DEBUG.passed(expected="first byte 00", found=found)


def check_module(report: Report, quote: TdQuote) -> Check:
    """Intel's own module has a signer of zeros and no attributes."""
    found = (quote.seam_signer + quote.seam_attributes).hex()
    if any(quote.seam_signer + quote.seam_attributes):
        return MODULE.failed("The TDX module is signed by somebody else.", found=found)
    return MODULE.passed(expected="zeros", found="zeros")
