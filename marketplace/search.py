"""What a reader of the catalog asks for: the URL's query is the whole state of the page."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from django.http import QueryDict
from django.utils.http import urlencode

from marketplace import service_types
from marketplace.queries import ServiceQuerySet
from zgcompute import amounts
from zgcompute.errors import AmountError

PAGE = 48  # services shown at first, and added by each "show more"
MOST = 1_000
MAX_TEXT = 100
ORDERS = {
    "name": "Name",
    "price": "Lowest price",
    "speed": "Fastest",
    "uptime": "Best uptime",
    "newest": "Newest",
}
PROOFS = {"TeeML": "TeeML", "TeeTLS": "TeeTLS", "other": "Other or none"}
CONTEXTS = {"8000": "8K", "32000": "32K", "128000": "128K", "1000000": "1M"}
VIEWS = ("cards", "table")
TYPES = (*service_types.LABELS, service_types.OTHER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One state of the catalog; its defaults are left out of the URL."""

    q: str = ""
    type: str = ""
    proof: str = ""
    up: str = ""
    least: str = ""
    most: str = ""
    context: str = ""
    sort: str = "name"
    view: str = "cards"
    show: int = PAGE

    @classmethod
    def read(cls, query: QueryDict) -> Search:
        """Understand a URL's query; what makes no sense counts as not said."""
        return cls(
            q="".join(c for c in query.get("q", "") if c.isprintable()).strip()[:MAX_TEXT],
            type=_one_of(TYPES, query.get("type", ""), ""),
            proof=_one_of(tuple(PROOFS), query.get("proof", ""), ""),
            up=_one_of(("1",), query.get("up", ""), ""),
            least=_amount(query.get("least", "")),
            most=_amount(query.get("most", "")),
            context=_one_of(tuple(CONTEXTS), query.get("context", ""), ""),
            sort=_one_of(tuple(ORDERS), query.get("sort", ""), "name"),
            view=_one_of(VIEWS, query.get("view", ""), "cards"),
            show=_count(query.get("show", "")),
        )

    def narrow(self, services: ServiceQuerySet) -> ServiceQuerySet:
        """Return the services asked for, in the order asked for."""
        found = services.matching(self.q)
        if self.type:
            found = found.of_type(self.type)
        if self.proof:
            found = found.claiming(self.proof)
        if self.up:
            found = found.reachable()
        if self.context:
            found = found.with_context(int(self.context))
        found = self._within_prices(found)
        match self.sort:
            case "price":
                return found.cheapest_first()
            case "speed":
                return found.fastest_first()
            case "uptime":
                return found.steadiest_first()
            case "newest":
                return found.newest_first()
        return found.by_name()

    def _within_prices(self, services: ServiceQuerySet) -> ServiceQuerySet:
        if self.least:
            services = services.costing_at_least(amounts.parse(self.least))
        if self.most:
            services = services.costing_at_most(amounts.parse(self.most))
        return services

    @property
    def is_narrowed(self) -> bool:
        return bool(self.q or self.type or self.is_filtered)

    @property
    def is_filtered(self) -> bool:
        """Whether one of the filters of the form is set, the search text and type apart."""
        return bool(self.proof or self.up or self.least or self.most or self.context)

    @property
    def without_filters(self) -> str:
        """The link that keeps only how the catalog is shown."""
        return Search(sort=self.sort, view=self.view).link()

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


def _amount(text: str) -> str:
    try:
        return amounts.exact(amounts.parse(text.strip()[:MAX_TEXT]))
    except AmountError:
        return ""


def _count(text: str) -> int:
    count = int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else PAGE
    return min(max(count, PAGE), MOST)
