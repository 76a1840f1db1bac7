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
    """An address by its name; `is_owned` where a part of it belongs to one wallet."""

    name: str
    path: str
    is_owned: bool


def pages(shared: Mapping[str, Any], owned: Mapping[str, Any]) -> list[Page]:
    """Return a page for each URL pattern; one with an unknown part is a KeyError.

    `shared` and `owned` map a part, as "uuid pk", to an example; one that holds for a single
    pattern only is "chat:answer uuid pk".
    """
    return [_page(name, route, shared, owned) for name, route in _routes(get_resolver(), "", "/")]


def _page(name: str, route: str, shared: Mapping[str, Any], owned: Mapping[str, Any]) -> Page:
    is_owned = False

    def example(found: re.Match[str]) -> str:
        nonlocal is_owned
        part = f"{found['converter'] or 'str'} {found['name']}"
        if part in shared:
            return str(shared[part])
        is_owned = True
        for key in (f"{name} {part}", part):
            if key in owned:
                return str(owned[key])
        raise KeyError(f"The tests of every page need an example of {part!r} for {name!r}.")

    path = _PART.sub(example, route)
    return Page(name, path, is_owned)


def _routes(resolver: URLResolver, namespace: str, base: str) -> Iterator[tuple[str, str]]:
    for entry in resolver.url_patterns:
        route = base + str(entry.pattern)
        if isinstance(entry, URLPattern):
            yield f"{namespace}{entry.name or entry.callback.__name__}", route
        else:
            yield from _routes(entry, f"{entry.namespace}:" if entry.namespace else "", route)
