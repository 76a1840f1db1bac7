"""All checks of one provider, in the order in which a person would ask (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from zgcompute.attestation import bindings, hardware, measurements
from zgcompute.attestation.contract import check_contract, expected_reports, scope
from zgcompute.attestation.quotes import TdQuote, parse_quote
from zgcompute.attestation.reports import FormatUnknown, Report, ReportUnreadable, read_report
from zgcompute.attestation.verdicts import Check, Overall, Question, overall
from zgcompute.errors import QuoteInvalid
from zgcompute.types import Service

FETCHED = Question(
    "report",
    "The report was fetched and can be read",
    "Without a report there is nothing but the provider's word.",
)
FORMAT = Question(
    "format",
    "The report is of a known kind",
    "What is not understood cannot be checked, and is never taken as proof.",
)
QUOTE = Question(
    "quote",
    "The report holds a whole quote of the hardware",
    "The quote is what the processor itself says about the virtual machine.",
)


@dataclass(frozen=True, slots=True)
class Received:
    """One report as it came: `body` is None where none did, for the reason in `problem`.

    `refused` marks a reply that breaks a rule (as too large), against one that could not be had.
    `collateral` holds Intel's lists for its quote as JSON text, or `collateral_problem` says why
    not.
    """

    role: str
    body: bytes | None = None
    problem: str = ""
    refused: bool = False
    collateral: str = ""
    collateral_problem: str = ""


@dataclass(frozen=True, slots=True)
class ProviderVerdict:
    """What was found about one provider, at `checked_at` (Unix seconds), from `received`."""

    service: Service
    listed: bool
    checked_at: int
    received: tuple[Received, ...]
    checks: tuple[Check, ...]

    @property
    def overall(self) -> Overall:
        """Verified only if every required check passed."""
        return overall(self.checks)

    @property
    def scope(self) -> str:
        """What this verdict is about, in one sentence."""
        return scope(self.service)


def check_provider(
    service: Service, received: Iterable[Received], *, checked_at: int, listed: bool = True
) -> ProviderVerdict:
    """Run every check over the reports that were received; never raises for what they hold."""
    by_role = {report.role: report for report in received}
    reports = tuple(
        by_role.get(wanted.role) or Received(wanted.role, problem="The report was not asked for.")
        for wanted in expected_reports(service)
    )
    checks = [_about("contract", check) for check in check_contract(service, listed=listed)]
    for wanted, report in zip(expected_reports(service), reports, strict=True):
        found = check_report(report, wanted.signer, checked_at)
        checks += [_about(wanted.role, check) for check in found]
    return ProviderVerdict(service, listed, checked_at, reports, tuple(checks))


def check_report(received: Received, signer: str, now: int) -> Iterable[Check]:
    """Run the checks of one report: always the same ones, whatever came."""
    fetched, kind, report = _read(received)
    yield fetched
    yield kind
    whole, quote = _parse(report)
    yield whole
    if report is None or quote is None:
        yield from (question.unchecked("There is no quote to check.") for question in _OF_QUOTE)
        return
    yield bindings.check_report_data(report, quote)
    yield bindings.check_signer(report, quote, signer)
    for check in _CHECKS:
        yield check(report, quote)
    genuine = hardware.check_hardware(quote, now)
    yield from genuine
    yield _tcb(report, received, genuine, now)


def report_quote(body: bytes, now: int) -> bytes | None:
    """Return the quote in a report if its signature and certificates hold, else None."""
    try:
        quote = read_report(body).quote
        genuine = hardware.check_hardware(parse_quote(quote), now)
    except (ReportUnreadable, FormatUnknown, QuoteInvalid):
        return None
    return quote if hardware.is_genuine(genuine) else None


_CHECKS: tuple[Callable[[Report, TdQuote], Check], ...] = (
    bindings.check_nonce,
    bindings.check_nodes,
    measurements.check_replay,
    measurements.check_events,
    measurements.check_compose,
    measurements.check_config_id,
    measurements.check_values,
    measurements.check_aggregated,
    measurements.check_os_image,
    measurements.check_os_known,
    bindings.check_gpu_nonce,
    bindings.check_freshness,
    bindings.check_debug,
    bindings.check_module,
)
_OF_QUOTE = (
    bindings.REPORT_DATA,
    bindings.SIGNER,
    bindings.NONCE,
    bindings.NODES,
    measurements.REPLAY,
    measurements.EVENTS,
    measurements.COMPOSE,
    measurements.CONFIG_ID,
    measurements.VALUES,
    measurements.AGGREGATED,
    measurements.OS_IMAGE,
    measurements.OS_KNOWN,
    bindings.GPU_NONCE,
    bindings.FRESHNESS,
    bindings.DEBUG,
    bindings.MODULE,
    hardware.SIGNATURE,
    hardware.ENCLAVE,
    hardware.CHAIN,
    hardware.TCB,
)


def _read(received: Received) -> tuple[Check, Check, Report | None]:
    unread = FORMAT.unchecked("There is no report to look at.")
    if received.body is None:
        answer = FETCHED.failed if received.refused else FETCHED.unchecked
        return answer(received.problem), unread, None
    fetched = FETCHED.passed(found=f"{len(received.body)} bytes")
    try:
        report = read_report(received.body)
    except ReportUnreadable as error:
        return FETCHED.failed(str(error)), unread, None
    except FormatUnknown as error:
        return fetched, FORMAT.unchecked(str(error)), None
    return fetched, FORMAT.passed(found="dstack"), report


def _parse(report: Report | None) -> tuple[Check, TdQuote | None]:
    if report is None:
        return QUOTE.unchecked("There is no report to look at."), None
    try:
        quote = parse_quote(report.quote)
    except QuoteInvalid as error:
        return QUOTE.failed(str(error), found=f"{len(report.quote)} bytes"), None
    return QUOTE.passed(found=f"TDX quote, version {quote.version}"), quote


def _tcb(report: Report, received: Received, genuine: tuple[Check, ...], now: int) -> Check:
    if not hardware.is_genuine(genuine):
        return hardware.TCB.unchecked("The quote is not shown to come from genuine hardware.")
    problem = received.collateral_problem
    return hardware.check_tcb(report.quote, received.collateral, problem, now)


def _about(subject: str, check: Check) -> Check:
    return replace(check, subject=subject)
