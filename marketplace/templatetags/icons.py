"""The icons, each drawn once: the package copies a whole XML tree every time it is asked."""

from __future__ import annotations

from functools import cache

from django import template
from heroicons.templatetags import heroicons

register = template.Library()


@register.simple_tag
def heroicon_mini(name: str, *, size: int = 20, **attributes: str) -> str:
    """A filled icon for running text."""
    return _mini(str(name), size, tuple(attributes.items()))


@register.simple_tag
def heroicon_outline(name: str, *, size: int = 24, **attributes: str) -> str:
    """A line icon for notices and buttons."""
    return _outline(str(name), size, tuple(attributes.items()))


@cache
def _mini(name: str, size: int, attributes: tuple[tuple[str, str], ...]) -> str:
    return str(heroicons.heroicon_mini(name, size=size, **dict(attributes)))


@cache
def _outline(name: str, size: int, attributes: tuple[tuple[str, str], ...]) -> str:
    return str(heroicons.heroicon_outline(name, size=size, **dict(attributes)))
