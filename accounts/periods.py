"""Which part of a history a page shows: the URL's query is its whole state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Self

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.http import urlencode

from zgcompute.addresses import checksum
from zgcompute.errors import InvalidAddress

ROWS = 50  # of a page
PERIODS = {"7": "7 days", "30": "30 days", "90": "90 days", "all": "Everything"}
USUAL = "30"


@dataclass(frozen=True, slots=True)
class Excerpt:
    """What a reader asks for; `since` and `until` are days in UTC and go before `period`."""

    provider: str = ""
    model: str = ""
    kind: str = ""
    period: str = USUAL
    since: str = ""
    until: str = ""
    page: str = "1"

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Self:
        """Read the URL's query; what cannot be meant is left out."""
        since, until = _day(query.get("since", "")), _day(query.get("until", ""))
        period = query.get("period", USUAL)
        return cls(
            provider=_address(query.get("provider", "")),
            model=query.get("model", "")[:300],
            kind=query.get("kind", "")[:40],
            period="" if since or until else period if period in PERIODS else USUAL,
            since=since,
            until=until,
            page=query.get("page", "1")[:9],
        )

    @property
    def first_day(self) -> date | None:
        """The first day shown, or None: from the beginning."""
        if self.since:
            return date.fromisoformat(self.since)
        if self.period in ("", "all"):
            return None
        return today() - timedelta(days=int(self.period) - 1)

    @property
    def last_day(self) -> date:
        return date.fromisoformat(self.until) if self.until else today()

    @property
    def is_narrowed(self) -> bool:
        """Whether one of the filters is set, the time apart."""
        return bool(self.provider or self.model or self.kind)

    def within(self, rows: QuerySet[Any], field: str = "happened_at") -> QuerySet[Any]:
        """The rows of the time asked for."""
        if self.first_day:
            rows = rows.filter(**{f"{field}__gte": _midnight(self.first_day)})
        if self.until:
            rows = rows.filter(**{f"{field}__lt": _midnight(self.last_day + timedelta(days=1))})
        return rows

    def link(self, **changes: str) -> str:
        """A reference, relative to the page's URL, to the excerpt after `changes`."""
        return f"?{replace(self, **{'page': '1', **changes}).query}"

    @property
    def query(self) -> str:
        """What the URL says beyond the defaults."""
        return urlencode(
            {
                field.name: value
                for field in fields(self)
                if (value := getattr(self, field.name)) not in ("", field.default)
            }
        )

    @property
    def periods(self) -> list[tuple[str, str, bool]]:
        """The usual times as links: label, reference, and whether it is the present one."""
        return [
            (label, self.link(period=period, since="", until=""), period == self.period)
            for period, label in PERIODS.items()
        ]


@dataclass(frozen=True, slots=True)
class Paging:
    """A page of rows with the links to its neighbours, "" where there is none."""

    rows: list[Any]
    number: int
    pages: int
    count: int
    before: str
    after: str


def paging(
    excerpt: Excerpt,
    rows: QuerySet[Any],
    count: int,
    dressed: Callable[[list[Any]], list[Any]],
    size: int = ROWS,
) -> Paging:
    """The page of `count` rows that is asked for, `dressed` for its table.

    A number beyond the last page is the last page.
    """
    paginator = Paginator(rows, size)
    paginator.count = count
    page: Page[Any] = paginator.get_page(excerpt.page)
    return Paging(
        rows=dressed(list(page.object_list)),
        number=page.number,
        pages=paginator.num_pages,
        count=paginator.count,
        before=excerpt.link(page=str(page.number - 1)) if page.has_previous() else "",
        after=excerpt.link(page=str(page.number + 1)) if page.has_next() else "",
    )


def today() -> date:
    return timezone.now().astimezone(UTC).date()


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _day(text: str) -> str:
    """A day as the browser's field writes it, or ""; far ones would overflow our arithmetic."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return ""
    return day.isoformat() if 2000 <= day.year <= 2100 else ""


def _address(text: str) -> str:
    try:
        return str(checksum(text)) if text else ""
    except InvalidAddress:
        return ""
