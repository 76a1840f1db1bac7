"""Verifications of providers that this site has run: when, what came out, and the evidence."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from django.db import models, transaction
from django.utils import timezone

from zgcompute.attestation import (
    Check,
    Overall,
    ProviderVerdict,
    manual_steps,
    report_file,
    write_provider_evidence,
)

if TYPE_CHECKING:
    from marketplace.models import Service
    from zgcompute.networks import Network

LOST = timedelta(minutes=6)  # longer than the slowest provider can make a verification take
KEEP_EVIDENCE = 2  # of each service; evidence holds whole reports
KEEP = 20


class VerificationQuerySet(models.QuerySet["ProviderVerification"]):
    """Verifications, newest first."""

    def of(self, service: Service) -> VerificationQuerySet:
        return self.filter(service=service).defer("evidence").order_by("-asked_at", "-pk")

    def finished(self) -> VerificationQuerySet:
        return self.filter(finished_at__isnull=False)

    def waiting(self, network: str) -> VerificationQuerySet:
        unstarted = self.filter(service__network=network, started_at=None, finished_at=None)
        return unstarted.select_related("service").order_by("asked_at")

    def close_lost(self, network: str) -> int:
        """End those that no worker finished in time."""
        overdue = timezone.now() - LOST
        stuck = self.filter(service__network=network, finished_at=None, asked_at__lt=overdue)
        lost = list(stuck.select_related("service"))
        for row in lost:
            row.give_up("No worker of this site finished it in time. Check again.")
        return len(lost)


class ProviderVerification(models.Model):
    """One run of all checks: asked for, then started by a worker, then finished.

    `record` is the fingerprint of the contract record that was judged: a result says nothing
    about a provider whose record is another by now. `result` is what the page prints.
    """

    service = models.ForeignKey("Service", models.CASCADE, related_name="verifications")
    asked_at = models.DateTimeField(db_index=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    step = models.CharField(max_length=200, blank=True)
    record = models.CharField(max_length=64, blank=True)
    overall = models.CharField(max_length=30, blank=True)
    problem = models.CharField(max_length=300, blank=True)
    result = models.JSONField(default=dict)
    evidence = models.TextField(blank=True)

    objects = VerificationQuerySet.as_manager()

    def __str__(self) -> str:
        return f"verification {self.pk}: {self.overall or 'not finished'}"

    @property
    def is_running(self) -> bool:
        return self.finished_at is None and timezone.now() - self.asked_at < LOST

    def start(self) -> bool:
        """Take it on; False if another worker did."""
        waiting = type(self).objects.filter(pk=self.pk, started_at=None)
        return bool(waiting.update(started_at=timezone.now()))

    def note(self, step: str, checks: tuple[Check, ...]) -> None:
        """Remember how far it is, for the page that watches."""
        self.step, self.result = step, {"checks": [asdict(check) for check in checks]}
        self.save(update_fields=["step", "result"])

    def finish(self, verdict: ProviderVerdict, network: Network) -> None:
        """Keep what came out, and of older ones only as much as is useful."""
        written = write_provider_evidence(verdict, network=network.slug, chain_id=network.chain_id)
        self.overall = verdict.overall.value
        self.record = fingerprint(self.service)
        self.evidence = json.dumps(written)
        self.result = {
            "scope": verdict.scope,
            "checks": written["checks"],
            "steps": [asdict(step) for step in manual_steps(verdict)],
            "files": [report_file(r.role) for r in verdict.received if r.body is not None],
        }
        self._end()

    def give_up(self, problem: str) -> None:
        """End it with nothing found, for the reason in `problem`."""
        self.overall, self.problem = Overall.UNCHECKED.value, problem
        self._end()

    def report(self, file: str) -> bytes | None:
        """The report that is offered under the name `file`, exactly as it was received."""
        reports: list[dict[str, Any]] = json.loads(self.evidence or '{"reports": []}')["reports"]
        for report in reports:
            if report_file(report["role"]) == file and report["body_base64"] is not None:
                return base64.b64decode(report["body_base64"])
        return None

    @transaction.atomic
    def _end(self) -> None:
        self.finished_at, self.step = timezone.now(), ""
        self.save()
        self.service.last_verification = self
        self.service.save(update_fields=["last_verification"])
        self._forget_older()

    def _forget_older(self) -> None:
        older = list(type(self).objects.of(self.service).values_list("pk", flat=True))
        type(self).objects.filter(pk__in=older[KEEP_EVIDENCE:]).update(evidence="")
        type(self).objects.filter(pk__in=older[KEEP:]).delete()


def fingerprint(service: Service) -> str:
    """The hash of everything in a contract record that a verification judges."""
    judged = [
        service.provider,
        service.url,
        service.verifiability,
        service.additional_info,
        service.tee_signer,
        service.tee_signer_acknowledged,
        service.removed_at is None,
    ]
    return sha256(json.dumps(judged).encode()).hexdigest()
