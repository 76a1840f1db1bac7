"""What a billed reply of a provider cost and what proves it, as every app keeps it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.utils import timezone

from marketplace.fields import NeuronField
from marketplace.network import served
from zgcompute import types
from zgcompute.evidence import read_service
from zgcompute.fees import Fee, FeeLine
from zgcompute.verification import Outcome, Verdict

SIGNATURE_KEPT = timedelta(minutes=20)  # PROTOCOL §4.4: a provider forgets a signature then
FIRST_RETRY = timedelta(seconds=15)  # doubled after each look that found no signature yet
_COUNTS = ("quantity", "unit_price", "amount", "multiplier", "divisor")


class Proven(models.Model):
    """The bill and the proof of one reply.

    `fee` is None where nobody knows it. The service is kept as it was when asked: prices and
    signers change.
    """

    fee = NeuronField(null=True)
    fee_is_upper_bound = models.BooleanField(default=False)  # of several models' prices
    fee_basis = models.CharField(max_length=20, blank=True)
    fee_lines = models.JSONField(default=list)  # label, quantity, unit, unit_price, amount
    service = models.JSONField(default=dict)  # the chain's record at the time of asking
    response_id = models.CharField(max_length=200, blank=True)
    request_sha256 = models.CharField(max_length=64, blank=True)
    response_sha256 = models.CharField(max_length=64, blank=True)  # of the reply's body
    outcome = models.CharField(
        max_length=20,
        choices=[(one.value, one.value) for one in Outcome],
        default=Outcome.NOT_CHECKED.value,
    )
    reason = models.TextField(blank=True)
    evidence = models.JSONField(null=True)
    answered_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(null=True)
    checks = models.PositiveSmallIntegerField(default=0)
    next_check_at = models.DateTimeField(null=True)  # None: there is nothing left to try

    class Meta:
        abstract = True

    @property
    def is_checking(self) -> bool:
        """Tell whether the first look for the signature is still under way."""
        return self.checks == 0 and self.next_check_at is not None

    @property
    def can_retry(self) -> bool:
        """Tell whether another look may still find the signature."""
        if self.next_check_at is None or self.answered_at is None:
            return False
        return timezone.now() < self.answered_at + SIGNATURE_KEPT

    @property
    def lines(self) -> list[FeeLine]:
        """The bill's lines with their amounts in neuron."""
        return [
            FeeLine(label=line["label"], unit=line["unit"], **_numbers(line))
            for line in self.fee_lines
        ]

    @property
    def asked_service(self) -> types.Service:
        """The service as it was on chain when the request was sent."""
        return read_service(dict(self.service))

    def verdict_fields(self, verdict: Verdict, network: str, now: datetime) -> dict[str, Any]:
        """The columns that hold `verdict`, found by one more look at `now`."""
        served_network = served()[network]
        return {
            "outcome": verdict.outcome.value,
            "reason": verdict.reason,
            "checked_at": now,
            "checks": self.checks + 1,
            "next_check_at": self._next_check(now) if verdict.can_retry else None,
            "evidence": verdict.to_evidence(
                network=network,
                chain_id=served_network.chain_id,
                response_id=self.response_id,
                checked_at=int(now.timestamp()),
            ),
        }

    def _next_check(self, now: datetime) -> datetime | None:
        next_check = now + FIRST_RETRY * 2**self.checks
        last = (self.answered_at or now) + SIGNATURE_KEPT
        return next_check if next_check < last else None


def fee_fields(fee: Fee) -> dict[str, Any]:
    """The columns that hold `fee`."""
    return {
        "fee": fee.total,
        "fee_basis": fee.basis,
        "fee_lines": [_line(line) for line in fee.lines],
        "fee_is_upper_bound": fee.is_upper_bound,
    }


def _line(line: FeeLine) -> dict[str, Any]:
    """JSON readers lose digits of large numbers, so they are kept as text."""
    return asdict(line) | {name: str(getattr(line, name)) for name in _COUNTS}


def _numbers(line: dict[str, str]) -> dict[str, Any]:
    return {name: int(line[name]) for name in _COUNTS}
