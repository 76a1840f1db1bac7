"""Every address of the site, found in its URL patterns and filled with what a visitor owns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver, reverse


@dataclass(frozen=True, slots=True)
class Page:
    """An address by its name; `owned` are the parts of it that belong to one wallet."""

    name: str
    path: str
    owned: frozenset[str]


def pages(shared: Mapping[str, Any], owned: Mapping[str, Any]) -> list[Page]:
    """Return a page for each URL pattern; one with an unknown part is a KeyError.

    `shared` and `owned` map a part, as "uuid pk", to an example; one that holds for a single
    pattern only is "chat:answer uuid pk".
    """
    return [_page(name, parts, shared, owned) for name, parts in _patterns(get_resolver(), "", ())]


def _page(
    name: str, parts: tuple[str, ...], shared: Mapping[str, Any], owned: Mapping[str, Any]
) -> Page:
    mine = {part: _example(name, part, owned) for part in parts if part not in shared}
    values = {part: shared[part] for part in parts if part in shared} | mine
    kwargs = {part.split()[-1]: value for part, value in values.items()}
    return Page(name, reverse(name, kwargs=kwargs), frozenset(mine))


def _example(name: str, part: str, owned: Mapping[str, Any]) -> Any:
    try:
        return owned.get(f"{name} {part}") or owned[part]
    except KeyError:
        raise KeyError(f"tests of every page need an example of {part!r} for {name!r}") from None


def _patterns(
    resolver: URLResolver, namespace: str, parts: tuple[str, ...]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    for entry in resolver.url_patterns:
        inside = (*parts, *_parts(entry))
        if isinstance(entry, URLPattern):
            yield f"{namespace}{entry.name}", inside
        else:
            yield from _patterns(entry, f"{entry.namespace}:" if entry.namespace else "", inside)


def _parts(entry: URLPattern | URLResolver) -> Iterator[str]:
    for name, converter in entry.pattern.converters.items():
        yield f"{type(converter).__name__.removesuffix('Converter').lower()} {name}"
