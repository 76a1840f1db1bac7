"""What the catalog costs with 1,000 services in the database: time, queries, bytes."""

from __future__ import annotations

import gzip
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse
    from django.test import Client

SERVICES, ROUNDS = 1_000, 40
MAX_MS, MAX_QUERIES, MAX_BYTES = 30.0, 5, 20 * 1024
PAGES = {
    "catalog": "/devnet/",
    "table": "/devnet/?view=table",
    "filtered": "/devnet/?type=chatbot&proof=TeeML&context=32000&up=1&sort=speed",
}
TYPED = {"first letter": "/devnet/?q=m", "word": "/devnet/?q=model", "rare": "/devnet/?q=model-77"}


class CountQueries:
    """Innermost middleware that counts the statements of each view."""

    total = 0

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        from django.db import connection

        with connection.execute_wrapper(self._count):
            return self.get_response(request)

    @staticmethod
    def _count(execute: Callable[..., object], *arguments: object) -> object:
        CountQueries.total += 1
        return execute(*arguments)


@dataclass(frozen=True)
class Cost:
    milliseconds: float
    first: float  # milliseconds while nothing of the answer is cached
    queries: int  # of that first time, when there are most
    sent: int


def main() -> int:
    """Print a line per page; return 1 where a limit is exceeded."""
    with tempfile.TemporaryDirectory() as folder:
        client = _site(folder)
        print(f"{SERVICES:,} services, median of {ROUNDS} warm requests")
        print(f"{'page':<16}{'ms':>8}{'first ms':>10}{'queries':>9}{'KB sent':>9}")
        pages = {name: _measure(client, url) for name, url in PAGES.items()}
        typed = {name: _measure(client, url, fragment=True) for name, url in TYPED.items()}
    for name, cost in {**pages, **typed}.items():
        times = f"{cost.milliseconds:>8.1f}{cost.first:>10.1f}"
        print(f"{name:<16}{times}{cost.queries:>9}{cost.sent / 1024:>9.1f}")
    slow = [n for n, cost in pages.items() if cost.milliseconds > MAX_MS]
    busy = [n for n, cost in {**pages, **typed}.items() if cost.queries > MAX_QUERIES]
    large = [n for n, cost in typed.items() if cost.sent > MAX_BYTES]
    print(f"limits: {MAX_MS:.0f} ms, {MAX_QUERIES} queries, {MAX_BYTES // 1024} KB as one types")
    print("exceeded by: " + (", ".join([*slow, *busy, *large]) or "none"))
    return 1 if slow or busy or large else 0


def _site(folder: str) -> Client:
    """The site's code in this process, over a database of its own."""
    os.environ.update(
        DJANGO_SETTINGS_MODULE="config.settings", VAR_DIR=folder, NETWORKS="devnet", DEBUG=""
    )
    os.environ.pop("DATABASE_URL", None)
    import django
    from django.conf import settings

    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.bench.catalog.CountQueries"]
    sys.modules.setdefault("tests.bench.catalog", sys.modules[__name__])
    django.setup()
    from django.core.management import call_command
    from django.test import Client

    call_command("collectstatic", interactive=False, verbosity=0)
    call_command("migrate", verbosity=0)
    _fill()
    return Client(headers={"accept-encoding": "gzip", "host": "localhost"})


def _fill() -> None:
    from django.utils import timezone

    from marketplace.models import Measured, ModelRow, NetworkState, Service
    from tests.marketplace.factories import address

    now = timezone.now()
    NetworkState.objects.create(
        network="devnet", block_number=1, block_time=now, seen_at=now, services_at=now
    )
    types = ("chatbot", "chatbot", "chatbot", "text-to-image", "speech-to-text")
    services = Service.objects.bulk_create(
        Service(
            network="devnet",
            provider=address(f"p{n}"),
            service_type=types[n % len(types)],
            url=f"https://p{n}.example",
            model=f"vendor-{n % 37}/model-{n}",
            verifiability=("TeeML", "TeeTLS", "")[n % 3],
            input_price=(n % 90 + 1) * 10**10,
            output_price=(n % 70 + 1) * 10**11,
            additional_info='{"TEEVerifier":"dstack","cacheTokenBilling":{"divisor":4}}',
            tee_signer=address(f"s{n}"),
            tee_signer_acknowledged=n % 10 != 0,
            updated_at=1_750_000_000 + n,
            first_seen_at=now,
            seen_at=now,
            reachable=n % 8 != 0,
            probed_at=now,
            latency_ms=n % 300,
            down_since=None if n % 8 else now,
            probe_problem="" if n % 8 else "It cannot be reached.",
        )
        for n in range(SERVICES)
    )
    Measured.objects.bulk_create(
        Measured(
            service=service,
            refreshed_at=now,
            uptime_day=9_000 + n,
            uptime_month=9_000,
            probes_day=1_400,
            probes_month=40_000,
            latency_p50=n % 300,
            latency_p95=n % 900,
            answers=9,
            first_token_p50=200 + n,
            tokens_per_second_p50=n % 90,
            hours=[[60, 60 - (n + hour) % 5 // 4, 40] for hour in range(24)],
            days=[[1_400, 1_390]] * 30,
        )
        for n, service in enumerate(services)
    )
    ModelRow.objects.bulk_create(
        ModelRow(
            service=service,
            position=0,
            model_id=service.model,
            context_length=8_000 * (n % 20 + 1),
            input_modalities=["text"],
            output_modalities=["text"],
            parameters=["temperature", "top_p"],
            read_at=now,
        )
        for n, service in enumerate(services)
    )


def _measure(client: Client, url: str, *, fragment: bool = False) -> Cost:
    headers = {"HX-Request": "true"} if fragment else {}

    def ask() -> bytes:
        response = client.get(url, headers=headers)
        assert response.status_code == 200, f"{url} answered {response.status_code}"
        return response.content

    from django.core.cache import cache

    cache.clear()
    before = CountQueries.total
    started = time.perf_counter()
    body = ask()
    first = (time.perf_counter() - started) * 1_000
    queries = CountQueries.total - before
    sent = len(body) if body[:2] == b"\x1f\x8b" else len(gzip.compress(body))
    return Cost(_median_ms(ask), first, queries, sent)


def _median_ms(ask: Callable[[], bytes]) -> float:
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        ask()
        times.append((time.perf_counter() - started) * 1_000)
    return statistics.median(times)


if __name__ == "__main__":
    sys.exit(main())
