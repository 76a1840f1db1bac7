"""How templates print answers."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.safestring import SafeString

from accounts.pictures import ACCEPTED
from chat import pace
from chat.growing import Growing
from chat.pictures import MAX_UPLOAD, MOST
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


@register.inclusion_tag("chat/_attach.html")
def attach(attach_id: str) -> dict[str, Any]:
    """Where pictures are added to a question; its file input has the id `attach_id`."""
    return {
        "attach_id": attach_id,
        "most": MOST,
        "most_bytes": MAX_UPLOAD,
        "accepted": ACCEPTED,
    }


@register.filter
def seconds(milliseconds: int | None) -> str:
    """Milliseconds as seconds."""
    return "" if milliseconds is None else pace.seconds(milliseconds)
