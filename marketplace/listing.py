"""The catalog page's contents: what was found, and the ways on from here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from marketplace import search, service_types
from marketplace.models import Service
from marketplace.offers import Offer, offers
from marketplace.prices import Price, decimals
from marketplace.queries import ServiceQuerySet
from marketplace.search import Search


@dataclass(frozen=True, slots=True)
class Choice:
    """A link to another state of the catalog."""

    label: str
    url: str
    is_current: bool
    count: int | None = None
    value: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Services of one type, which share their units."""

    key: str
    label: str
    offers: list[Offer]

    @property
    def heads(self) -> tuple[Price, ...]:
        """The longest price list among them: the heads of a table's price columns."""
        return max((offer.price_list.prices for offer in self.offers), key=len)

    @property
    def has_one_price(self) -> bool:
        return len(self.heads) == 1

    @property
    def rows(self) -> list[Row]:
        columns = range(len(self.heads))
        lists = [_padded(offer.price_list.prices, len(columns)) for offer in self.offers]
        widths = [decimals(amounts[column] for amounts in lists) for column in columns]
        return [
            Row(offer, [Cell(*cell) for cell in zip(amounts, widths, strict=True)])
            for offer, amounts in zip(self.offers, lists, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Cell:
    """A price in a table, and how many decimals its column has."""

    amount: int | None
    decimals: int


@dataclass(frozen=True, slots=True)
class Row:
    """An offer in a table, with a cell for each price column."""

    offer: Offer
    cells: list[Cell]


@dataclass(frozen=True)
class Listing:
    """One state of the catalog, ready to print; its entries are read only if they are asked for.

    `version` is another one whenever they may have changed.
    """

    search: Search
    services: ServiceQuerySet
    version: str
    found: int
    total: int
    types: list[Choice]
    orders: list[Choice]
    views: list[Choice]
    proofs: list[Choice]
    contexts: list[Choice]

    @property
    def more(self) -> str:
        """The link that shows further services, or "" where all are shown."""
        if self.found <= self.shown or self.search.show >= search.MOST:
            return ""
        return self.search.link(show=min(self.search.show + search.PAGE, search.MOST))

    @cached_property
    def groups(self) -> list[Group]:
        with_figures = self.services.with_findings().prefetch_related("model_rows")
        return _groups(list(with_figures[: self.shown]), self.search.q)

    @property
    def shown(self) -> int:
        return min(self.found, self.search.show)

    @property
    def hidden(self) -> int:
        return self.found - self.shown

    @property
    def without_filters(self) -> str:
        return self.search.without_filters


def listing(network: str, wanted: Search) -> Listing:
    """Return the part of the network's catalog that is `wanted` (at most 4 queries)."""
    services = Service.objects.on(network).listed()
    census = services.census()
    narrowed = wanted.narrow(services)
    return Listing(
        search=wanted,
        services=narrowed,
        version=census.version,
        found=narrowed.count() if census.total and wanted.is_narrowed else census.total,
        total=census.total,
        types=_types(wanted, census.counts, census.total),
        orders=[
            Choice(label, wanted.link(sort=order), order == wanted.sort, value=order)
            for order, label in search.ORDERS.items()
        ],
        views=[
            Choice(view.capitalize(), wanted.link(view=view), view == wanted.view, value=view)
            for view in search.VIEWS
        ],
        proofs=[
            Choice(label, wanted.link(proof=proof), proof == wanted.proof, value=proof)
            for proof, label in search.PROOFS.items()
        ],
        contexts=[
            Choice(label, wanted.link(context=least), least == wanted.context, value=least)
            for least, label in search.CONTEXTS.items()
        ],
    )


def _groups(services: list[Service], words: str) -> list[Group]:
    """The services by type, in the order in which the query brought them."""
    groups: dict[str, Group] = {}
    for service in services:
        key = service.type_key
        group = groups.setdefault(key, Group(key, _LABELS[key], []))
        group.offers.extend(offers(service, words))
    return list(groups.values())


def _padded(prices: tuple[Price, ...], width: int) -> list[int | None]:
    return [price.amount for price in prices] + [None] * (width - len(prices))


_LABELS = {**service_types.LABELS, service_types.OTHER: "Other types"}


def _types(wanted: Search, counts: dict[str, int], total: int) -> list[Choice]:
    everything = Choice("All", wanted.link(type="", show=search.PAGE), not wanted.type, total)
    return [
        everything,
        *(
            Choice(label, wanted.link(type=key, show=search.PAGE), key == wanted.type, counts[key])
            for key, label in _LABELS.items()
            if key in counts
        ),
    ]
