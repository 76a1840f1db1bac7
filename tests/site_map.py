"""Every address of the site, found in its URL patterns and filled with what a visitor owns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

_PART = re.compile(r"<(?:(?P<converter>\w+):)?(?P<name>\w+)>")


@dataclass(frozen=True, slots=True)
class Page:
    """An address by its name and the app that answers; `is_owned` where it is about one wallet."""

    name: str
    app: str
    path: str
    is_owned: bool


def pages(shared: Mapping[str, Any], owned: Mapping[str, Any]) -> list[Page]:
    """Return a page for each URL pattern.

    `shared` and `owned` map a part, as "uuid pk", to an example; one that holds for a single
    pattern only is "chat:answer uuid pk". An unknown part is a KeyError, but in the marketplace,
    which knows no wallets.
    """
    return [_page(*route, shared, owned) for route in _routes(get_resolver(), "", "/")]


def _page(
    name: str, app: str, route: str, shared: Mapping[str, Any], owned: Mapping[str, Any]
) -> Page:
    is_owned = False

    def example(found: re.Match[str]) -> str:
        nonlocal is_owned
        part = f"{found['converter'] or 'str'} {found['name']}"
        if part in shared or app == "marketplace":
            return str(shared.get(part, 1))
        is_owned = True
        for key in (f"{name} {part}", part):
            if key in owned:
                return str(owned[key])
        raise KeyError(f"The tests of every page need an example of {part!r} for {name!r}.")

    path = _PART.sub(example, route)
    return Page(name, app, path, is_owned)


def _routes(resolver: URLResolver, namespace: str, base: str) -> Iterator[tuple[str, str, str]]:
    for entry in resolver.url_patterns:
        route = base + str(entry.pattern)
        if isinstance(entry, URLPattern):
            view = entry.callback
            app = view.__module__.partition(".")[0]
            yield f"{namespace}{entry.name or view.__name__}", app, route
        else:
            yield from _routes(entry, f"{entry.namespace}:" if entry.namespace else "", route)
