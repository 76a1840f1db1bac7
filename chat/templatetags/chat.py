"""How templates print answers."""

from __future__ import annotations

from django import template
from django.utils.safestring import SafeString

from chat import pace
from chat.blocks import begins_with_code, finished_length
from chat.rendering import to_safe_html

register = template.Library()


@register.filter
def markdown(text: str) -> SafeString:
    """A model's Markdown as safe HTML."""
    return to_safe_html(text)


@register.filter
def finished(text: str) -> str:
    """The complete blocks of a growing text."""
    return text[: finished_length(text)]


@register.filter
def unfinished(text: str) -> str:
    """What follows the complete blocks: shown as it is until it is complete."""
    return text[finished_length(text) :]


@register.filter
def is_code(tail: str) -> bool:
    """Tell whether an unfinished text is code, to be shown in a fixed width."""
    return begins_with_code(tail)


@register.filter
def seconds(milliseconds: int | None) -> str:
    """Milliseconds as seconds."""
    return "" if milliseconds is None else pace.seconds(milliseconds)
