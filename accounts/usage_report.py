"""The usage page: every request made here in a stretch of time, with exact totals of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import Any

from django.db.models import Count, Max, QuerySet, Sum
from django.db.models.functions import TruncDate

from accounts import charts, subjects, sums
from accounts.downloads import text
from accounts.models import Usage, Wallet
from accounts.periods import Excerpt, Paging, paging, today
from accounts.subjects import Subject
from marketplace import service_types
from marketplace.models import Service
from marketplace.prices import exact_decimals
from zgcompute.amounts import exact

MOST_DAYS = 92  # drawn one by one; a longer time is drawn by months
_AT_A_TIME = 500
HEADS = (
    *("time_utc", "provider", "model", "kind", "input_tokens", "output_tokens", "units"),
    *("fee_neuron", "fee_0g", "settled_neuron", "verification", "about"),
)


@dataclass(frozen=True, slots=True)
class Total:
    """Requests added up; `fee` in neuron, `share` in whole percent of all of them."""

    label: str
    requests: int
    input_tokens: int
    output_tokens: int
    fee: int
    share: int = 0
    address: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A request; `subject` is None where what it was about was deleted.

    `decimals` are those of the column of fees, so that their points line up.
    """

    usage: Usage
    decimals: int
    kind: str
    subject: Subject | None


@dataclass(frozen=True, slots=True)
class Report:
    """All that the page shows; the totals are of the whole time, not of the page's rows."""

    excerpt: Excerpt
    total: Total
    providers: list[Total]
    models: list[Total]
    spans: list[Total]  # days or months with requests, the newest first
    unit: str
    decimals: int  # of the column of fees per day
    chart: charts.Columns | None
    paging: Paging
    provider_choices: list[tuple[str, str]]
    model_choices: list[str]


def report(wallet: Wallet, network: str, excerpt: Excerpt) -> Report:
    """Gather the page in five queries, whatever the number of requests."""
    names = _names(network)
    groups = _groups(rows_of(wallet, network, excerpt))
    total = _added("All", groups)
    known = wallet.usage.filter(network=network).values_list("provider", "model")
    choices = list(known.annotate(last=Max("happened_at")).order_by("-last")[:500])
    by_time, unit = _by_time(groups, excerpt)
    columns = [total.fee, *(span.fee for span in by_time)]
    return Report(
        excerpt=excerpt,
        total=total,
        providers=_totals(groups, lambda group: group["provider"], total.fee, names),
        models=_totals(groups, lambda group: group["model"], total.fee, {}),
        spans=[span for span in reversed(by_time) if span.requests],
        unit=unit,
        decimals=exact_decimals(columns),
        chart=_chart(by_time) if total.fee else None,
        paging=paging(excerpt, rows_of(wallet, network, excerpt), total.requests, table_rows),
        provider_choices=list({one[0]: names.get(one[0], one[0]) for one in choices}.items()),
        model_choices=list(dict.fromkeys(one[1] for one in choices)),
    )


def rows_of(wallet: Wallet, network: str, excerpt: Excerpt) -> QuerySet[Usage]:
    """The requests that `excerpt` asks for, the newest first."""
    rows: QuerySet[Usage] = excerpt.within(wallet.usage.filter(network=network))
    if excerpt.provider:
        rows = rows.filter(provider=excerpt.provider)
    if excerpt.model:
        rows = rows.filter(model=excerpt.model)
    return rows.order_by("-happened_at", "-pk")


def table_rows(rows: Sequence[Usage]) -> list[Row]:
    """Requests with what they were about (one query for each app that makes some)."""
    about, decimals = subjects.of(rows), exact_decimals(row.fee for row in rows)
    return [Row(row, decimals, service_types.label(row.kind), about.get(row.pk)) for row in rows]


def csv_rows(
    wallet: Wallet, network: str, excerpt: Excerpt, site: str
) -> Iterator[tuple[object, ...]]:
    """The cells of HEADS for every request asked for; `site` goes before its links."""
    some: list[Usage] = []
    for row in rows_of(wallet, network, excerpt).iterator(_AT_A_TIME):
        some.append(row)
        if len(some) == _AT_A_TIME:
            yield from _cells(some, site)
            some = []
    yield from _cells(some, site)


def _cells(rows: Sequence[Usage], site: str) -> Iterator[tuple[object, ...]]:
    about = subjects.of(rows)
    for row in rows:
        subject = about.get(row.pk)
        yield (
            row.happened_at.astimezone(UTC).isoformat(timespec="seconds"),
            row.provider,
            text(row.model),
            text(row.kind),
            row.input_tokens,
            row.output_tokens,
            row.units,
            row.fee,
            exact(row.fee),
            row.paid,
            subject.outcome if subject else "",
            site + subject.url if subject else "",
        )


def _names(network: str) -> dict[str, str]:
    """The model that each provider lists, by which people know it."""
    return dict(Service.objects.on(network).values_list("provider", "model"))


def _groups(rows: QuerySet[Usage]) -> list[dict[str, Any]]:
    """One row per day, provider and model, added up by the database."""
    days = rows.order_by().annotate(day=TruncDate("happened_at", tzinfo=UTC))
    groups: QuerySet[Any] = days.values("day", "provider", "model").annotate(
        requests=Count("pk"),
        inputs=Sum("input_tokens"),
        outputs=Sum("output_tokens"),
        **sums.pieces("fee"),
    )
    return list(groups)


def _added(
    label: str, groups: Iterable[dict[str, Any]], whole: int | None = None, address: str = ""
) -> Total:
    listed = list(groups)
    fee = sum(sums.total(group, "fee") for group in listed)
    return Total(
        label=label,
        requests=sum(group["requests"] for group in listed),
        input_tokens=sum(int(group["inputs"]) for group in listed),
        output_tokens=sum(int(group["outputs"]) for group in listed),
        fee=fee,
        share=100 * fee // whole if whole else 0,
        address=address,
    )


def _totals(
    groups: Iterable[dict[str, Any]],
    by: Callable[[dict[str, Any]], str],
    whole: int,
    names: Mapping[str, str],
) -> list[Total]:
    """The totals of each provider or model, the dearest first."""
    parts: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for group in groups:
        parts[by(group)].append(group)
    found = [_added(names.get(key, key), part, whole, key) for key, part in parts.items()]
    return sorted(found, key=lambda total: total.fee, reverse=True)


def _by_time(groups: Sequence[dict[str, Any]], excerpt: Excerpt) -> tuple[list[Total], str]:
    """The totals of every day (or month) of the time, also of those without a request."""
    if not groups:
        return [], "day"
    first = excerpt.first_day or min(group["day"] for group in groups)
    last = max(first, min(excerpt.last_day, today()))
    unit = "day" if (last - first).days < MOST_DAYS else "month"
    parts: dict[str, list[dict[str, Any]]] = {
        _label(first + timedelta(days=offset), unit): []
        for offset in range((last - first).days + 1)
    }
    for group in groups:
        parts.setdefault(_label(group["day"], unit), []).append(group)
    return [_added(label, part) for label, part in parts.items()], unit


def _label(day: date, unit: str) -> str:
    return f"{day.day} {day:%b %Y}" if unit == "day" else f"{day:%b %Y}"


def _chart(spans: Sequence[Total]) -> charts.Columns:
    return charts.columns([(span.label, span.fee) for span in spans])
