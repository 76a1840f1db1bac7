"""Asking for a verification, and running the ones that wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.utils import timezone

from marketplace.leases import lease
from marketplace.models import Service
from marketplace.verifications import ProviderVerification, fingerprint
from zgcompute import types
from zgcompute.attestation import ReportSource, verify_provider
from zgcompute.attestation.collateral import Fetcher, fetch_collateral
from zgcompute.networks import Network

PAUSE = timedelta(seconds=30)  # nobody's reports are fetched more often than this
AT_ONCE = 2  # run by one worker before it looks again
PER_MINUTE = 10  # verifications begun on one network

Opener = Callable[[types.Service], ReportSource]


class TooManyVerifications(Exception):
    """It is not run now; `str()` says why and when it may be."""


def ask(service: Service) -> ProviderVerification:
    """Ask for a verification of `service`; where one is under way, return that one.

    Raises TooManyVerifications.
    """
    with lease(f"ask_verification {service.network}", seconds=10) as mine:
        if not mine:
            raise TooManyVerifications("Somebody else is asking right now. Try again.")
        latest = ProviderVerification.objects.of(service).first()
        if latest is not None and latest.is_running:
            return latest
        _require_room(service, latest)
        return ProviderVerification.objects.create(
            service=service, asked_at=timezone.now(), record=fingerprint(service)
        )


def run_waiting(
    network: Network, opener: Opener | None = None, fetch: Fetcher | None = fetch_collateral
) -> int:
    """Run every verification that waits on `network`, one after another; return how many."""
    ProviderVerification.objects.close_lost(network.slug)
    ran = 0
    for row in ProviderVerification.objects.waiting(network.slug)[:AT_ONCE]:
        if row.start():
            _run(row, network, opener, fetch)
            ran += 1
    return ran


def _run(
    row: ProviderVerification, network: Network, opener: Opener | None, fetch: Fetcher | None
) -> None:
    row.refresh_from_db()
    service, is_listed = row.service.snapshot(), row.service.removed_at is None
    with _opened(service, network, opener) as provider:
        verdict = verify_provider(provider, listed=is_listed, fetch=fetch, progress=row.note)
    row.finish(verdict, network)


@contextmanager
def _opened(
    service: types.Service, network: Network, opener: Opener | None
) -> Iterator[ReportSource]:
    if opener is not None:
        yield opener(service)
        return
    from zgcompute.providers import Provider

    provider = Provider(service, local=network.local)
    try:
        yield provider
    finally:
        provider.close()


def _require_room(service: Service, latest: ProviderVerification | None) -> None:
    now = timezone.now()
    if latest is not None and now - latest.asked_at < PAUSE:
        seconds = int((latest.asked_at + PAUSE - now).total_seconds()) + 1
        raise TooManyVerifications(f"It was checked a moment ago. Again in {seconds} s.")
    recent = ProviderVerification.objects.filter(
        service__network=service.network, asked_at__gt=now - timedelta(minutes=1)
    )
    if recent.count() >= PER_MINUTE:
        raise TooManyVerifications("Many providers are being checked. Try again in a minute.")
