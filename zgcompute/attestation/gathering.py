"""Fetching a provider's reports, and Intel's lists for them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from zgcompute.attestation.collateral import CollateralUnavailable, Fetcher, fetch_collateral
from zgcompute.attestation.contract import BROKER, expected_reports
from zgcompute.attestation.provider import (
    ProviderVerdict,
    Received,
    check_provider,
    report_quote,
)
from zgcompute.attestation.verdicts import Check
from zgcompute.errors import MalformedReply, ProviderError, ReplyTooLarge
from zgcompute.types import Service

Progress = Callable[[str, tuple[Check, ...]], None]


class ReportSource(Protocol):
    """Who can be asked for reports: a Provider."""

    @property
    def service(self) -> Service: ...

    def quote(self) -> bytes: ...

    def attestation_report(self, model: str) -> bytes: ...


def verify_provider(
    provider: ReportSource,
    *,
    listed: bool = True,
    fetch: Fetcher | None = fetch_collateral,
    progress: Progress = lambda step, checks: None,
    now: Callable[[], float] = time.time,
) -> ProviderVerdict:
    """Fetch the reports of `provider` and run every check over them.

    `fetch` gets Intel's lists for a quote (None: do without), `progress` is told each step in
    words, with the checks that are done by then. What cannot be had becomes a check that could not
    be done; provider errors never leave.
    """
    service, received = provider.service, list[Received]()

    def tell(step: str) -> None:
        so_far = check_provider(service, received, checked_at=int(now()), listed=listed)
        subjects = {"contract", *(report.role for report in received)}
        progress(step, tuple(check for check in so_far.checks if check.subject in subjects))

    for wanted in expected_reports(service):
        tell(f"Fetching the report of the {wanted.role}")
        report = _fetch_report(provider, wanted.role)
        if fetch is not None and report.body is not None:
            tell(f"Checking the report of the {wanted.role}")
            report = _with_collateral(report, report.body, fetch, int(now()))
        received.append(report)
    return check_provider(service, received, checked_at=int(now()), listed=listed)


def _fetch_report(provider: ReportSource, role: str) -> Received:
    try:
        if role == BROKER:
            return Received(role, provider.quote())
        return Received(role, provider.attestation_report(provider.service.model))
    except (MalformedReply, ReplyTooLarge) as error:
        return Received(role, problem=str(error), refused=True)
    except ProviderError as error:
        return Received(role, problem=str(error))


def _with_collateral(report: Received, body: bytes, fetch: Fetcher, now: int) -> Received:
    quote = report_quote(body, now)
    if quote is None:
        return report
    try:
        return replace(report, collateral=fetch(quote))
    except CollateralUnavailable as error:
        return replace(report, collateral_problem=str(error))
