"""Is a service there? One polite, unbilled question to each, every minute.

What counts is whether the host answers at all: an error in its reply is still a reply.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Protocol

from django.utils import timezone

from marketplace import model_rows
from marketplace.measurements import AnswerSample, HealthSample
from marketplace.models import Service
from zgcompute import types
from zgcompute.errors import (
    DestinationRefused,
    MalformedReply,
    ProviderError,
    ProviderRefused,
    ReplyTooLarge,
)
from zgcompute.model_cards import ModelCard
from zgcompute.networks import Network

AT_ONCE = 16
MOST = 500  # services asked in one round, those waiting longest first
PAUSE = timedelta(seconds=45)  # nobody is asked more often than this
_ANSWERED = (ProviderRefused, MalformedReply, ReplyTooLarge)
_WIDEST = 2**31 - 1  # what the database's counters hold; a provider may claim more
_SAVED = ("reachable", "probed_at", "latency_ms", "down_since", "probe_problem")


@dataclass(frozen=True, slots=True)
class Finding:
    """What one probe met: an answer after `latency_ms`, or a problem in words."""

    reachable: bool
    latency_ms: int | None = None
    problem: str = ""
    cards: tuple[ModelCard, ...] | None = None  # None: no list could be read


class Listing(Protocol):
    """The part of `providers.Provider` that a probe uses."""

    def models(self) -> tuple[ModelCard, ...]: ...


Opener = Callable[[types.Service], Listing]


def probe_services(network: Network, opener: Opener | None = None) -> int:
    """Ask every listed service of `network` whether it is there; return how many were asked."""
    due = list(_due(network.slug))
    asked = [service.snapshot() for service in due]
    with _opened(network, opener) as open_provider, ThreadPoolExecutor(AT_ONCE) as pool:
        findings = list(pool.map(lambda service: probe(open_provider(service)), asked))
    now = timezone.now()
    for service, finding in zip(due, findings, strict=True):
        _note(service, finding, now)
    Service.objects.bulk_update(due, _SAVED, batch_size=100)
    HealthSample.objects.bulk_create(_sample(service, now) for service in due)
    pairs = zip(due, findings, strict=True)
    model_rows.keep({s.pk: found.cards for s, found in pairs if found.cards is not None}, now)
    return len(due)


def record_answer(
    network: str,
    provider: str,
    model: str,
    first_token_ms: int | None,
    tokens: int | None,
    duration_ms: int | None,
) -> None:
    """Remember how fast a whole answer came; one without a first token says nothing of it."""
    service = Service.objects.on(network).filter(provider=provider).first()
    if service is None or first_token_ms is None or duration_ms is None:
        return
    AnswerSample.objects.create(
        service=service,
        model=model[:300],
        at=timezone.now(),
        first_token_ms=min(first_token_ms, _WIDEST),
        tokens=None if tokens is None else min(tokens, _WIDEST),
        duration_ms=min(duration_ms, _WIDEST),
    )


def probe(provider: Listing) -> Finding:
    """Ask for the list of models, which every provider gives to anybody for nothing."""
    started = monotonic()
    try:
        cards = provider.models()
    except DestinationRefused as error:
        return Finding(reachable=False, problem=f"Address refused. {error}")
    except _ANSWERED as error:
        return Finding(reachable=True, latency_ms=_since(started), problem=str(error))
    except ProviderError as error:
        return Finding(reachable=False, problem=str(error))
    return Finding(reachable=True, latency_ms=_since(started), cards=cards)


@contextmanager
def _opened(network: Network, opener: Opener | None) -> Iterator[Opener]:
    """The given opener, or one for real providers over connections that end with the round."""
    if opener is not None:
        yield opener
        return
    from zgcompute.providers import Provider, door

    shared = door(local=network.local)
    try:
        yield lambda service: Provider(service, door=shared)
    finally:
        shared.close()


def _due(network: str) -> Iterable[Service]:
    listed = Service.objects.on(network).listed()
    waiting = listed.exclude(probed_at__gt=timezone.now() - PAUSE)
    return waiting.longest_unprobed()[:MOST]


def _note(service: Service, finding: Finding, now: datetime) -> None:
    service.probed_at = now
    service.reachable, service.latency_ms = finding.reachable, finding.latency_ms
    service.probe_problem = finding.problem[:300]
    service.down_since = None if finding.reachable else service.down_since or now


def _sample(service: Service, now: datetime) -> HealthSample:
    return HealthSample(
        service=service, at=now, reachable=bool(service.reachable), latency_ms=service.latency_ms
    )


def _since(started: float) -> int:
    return round((monotonic() - started) * 1000)
