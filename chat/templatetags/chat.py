"""How templates print answers."""

from __future__ import annotations

from django import template
from django.utils.safestring import SafeString

from chat import pace
from chat.growing import Growing
from chat.rendering import to_safe_html

register = template.Library()


@register.filter
def markdown(text: str) -> SafeString:
    """A model's Markdown as safe HTML."""
    return to_safe_html(text)


@register.filter
def grown(text: str) -> Growing:
    """A growing text as the pages that follow it show it: `html`, and the `tail` of some `kind`."""
    growing = Growing()
    growing.feed(text)
    return growing


@register.filter
def seconds(milliseconds: int | None) -> str:
    """Milliseconds as seconds."""
    return "" if milliseconds is None else pace.seconds(milliseconds)
