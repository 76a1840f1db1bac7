"""What a reader of the catalog asks for: the URL's query is the whole state of the page."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from django.http import QueryDict
from django.utils.http import urlencode

from marketplace import service_types
from marketplace.queries import ServiceQuerySet

PAGE = 48  # services shown at first, and added by each "show more"
MOST = 1_000
MAX_TEXT = 100
ORDERS = {"name": "Name", "price": "Lowest price", "newest": "Newest"}
VIEWS = ("cards", "table")
TYPES = (*service_types.LABELS, service_types.OTHER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One state of the catalog; its defaults are left out of the URL."""

    q: str = ""
    type: str = ""
    sort: str = "name"
    view: str = "cards"
    show: int = PAGE

    @classmethod
    def read(cls, query: QueryDict) -> Search:
        """Understand a URL's query; what makes no sense counts as not said."""
        return cls(
            q="".join(c for c in query.get("q", "") if c.isprintable()).strip()[:MAX_TEXT],
            type=_one_of(TYPES, query.get("type", ""), ""),
            sort=_one_of(tuple(ORDERS), query.get("sort", ""), "name"),
            view=_one_of(VIEWS, query.get("view", ""), "cards"),
            show=_count(query.get("show", "")),
        )

    def narrow(self, services: ServiceQuerySet) -> ServiceQuerySet:
        """Return the services asked for, in the order asked for."""
        found = services.matching(self.q)
        if self.type:
            found = found.of_type(self.type)
        match self.sort:
            case "price":
                return found.cheapest_first()
            case "newest":
                return found.newest_first()
        return found.by_name()

    @property
    def is_narrowed(self) -> bool:
        return bool(self.q or self.type)

    @property
    def query(self) -> str:
        """What the URL says beyond the defaults."""
        return urlencode(
            {
                field.name: value
                for field in fields(self)
                if (value := getattr(self, field.name)) != field.default
            }
        )

    def link(self, **changes: Any) -> str:
        """A reference, relative to the catalog's URL, to the state after `changes`."""
        query = replace(self, **changes).query
        return f"?{query}" if query else "."


def _one_of(choices: tuple[str, ...], text: str, default: str) -> str:
    return text if text in choices else default


def _count(text: str) -> int:
    count = int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else PAGE
    return min(max(count, PAGE), MOST)
