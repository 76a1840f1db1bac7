"""How templates print what the chain deals in; available in every template without a load."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from marketplace import monograms, outcome_marks
from zgcompute import amounts

register = template.Library()
register.filter("tone", outcome_marks.tone)
register.filter("outcome_icon", outcome_marks.icon)


@register.filter
def zg(neuron: int | None) -> SafeString | str:
    """Neuron as 0G with at most 6 decimals, rounded down; the exact value is in its title."""
    return _amount(neuron, round_up=False)


@register.filter
def zg_cost(neuron: int | None) -> SafeString | str:
    """As `zg`, rounded up: for what somebody pays."""
    return _amount(neuron, round_up=True)


@register.filter
def zg_aligned(neuron: int | None, decimals: int = 6) -> SafeString | str:
    """As `zg_cost`, filled up to `decimals`, so that a column's decimal points line up."""
    if neuron is None:
        return "–"
    return _data(neuron, _filled(amounts.short(neuron, round_up=True), decimals))


@register.filter
def zg_exact_aligned(neuron: int, decimals: int = 18) -> SafeString:
    """As `zg_aligned` with every digit: for columns that add up."""
    return _data(neuron, _filled(amounts.exact(neuron), decimals))


@register.filter
def zg_change(neuron: int, decimals: int = 18) -> SafeString | str:
    """As `zg_exact_aligned` with a sign, also above zero; a dash where nothing changed."""
    if not neuron:
        return "–"
    sign = "+" if neuron > 0 else "\u2212"
    return _data(neuron, sign + _filled(amounts.exact(abs(neuron)), decimals))


@register.filter
def zg_exact(neuron: int | None) -> str:
    """Neuron as 0G with every digit."""
    return "" if neuron is None else amounts.exact(neuron)


@register.filter
def grouped(number: int) -> str:
    """A whole number with its thousands apart: 1,000,000."""
    return f"{number:,}"


@register.filter
def short_hash(text: str) -> str:
    """The ends of an address or hash: 0x1234…abcd."""
    return f"{text[:6]}…{text[-4:]}" if len(text) > 14 else text


@register.filter
def plain(text: str, limit: int = 200) -> str:
    """Hostile text made harmless to read: no control or direction-changing characters, cut."""
    kept = "".join(c for c in text if c.isprintable() and c not in _DIRECTION_MARKS)
    return kept if len(kept) <= limit else kept[: limit - 1] + "…"


@register.inclusion_tag("components/_monogram.html")
def monogram(address: str, size: int = 32) -> dict[str, Any]:
    """The picture of an address; decoration only, so screen readers skip it."""
    return {"size": size, "hue": monograms.hue(address), "path": monograms.path(address)}


@register.simple_tag
def dom_id(thing: Any, part: str = "") -> str:
    """The one rule for element ids: model name, key, and a part where an element has several."""
    name = f"{thing._meta.model_name}-{thing.pk}"
    return f"{name}-{part}" if part else name


@register.filter
def clock(when: datetime | None) -> SafeString | str:
    """The time of day in UTC, with the day where it isn't today; site.js shows the local time."""
    if when is None:
        return "never"
    moment = when.astimezone(UTC)
    same_day = moment.date() == timezone.now().astimezone(UTC).date()
    text = f"{moment:%H:%M} UTC" if same_day else f"{moment.day} {moment:%b, %H:%M} UTC"
    return format_html(
        '<time datetime="{}" data-clock>{}</time>', moment.isoformat(timespec="seconds"), text
    )


@register.filter
def ago(when: datetime | None) -> str:
    """How long ago, in one unit: 12 s ago, 3 min ago, 2 h ago, 5 days ago."""
    if when is None:
        return "never"
    seconds = max(0, int((timezone.now() - when).total_seconds()))
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


_DIGIT_SPACE, _POINT_SPACE = "\u2007", "\u2008"  # as wide as a digit, as a point
_DIRECTION_MARKS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def _amount(neuron: int | None, *, round_up: bool) -> SafeString | str:
    if neuron is None:
        return "–"
    return _data(neuron, amounts.short(neuron, round_up=round_up))


def _filled(amount: str, decimals: int) -> str:
    whole, _, fraction = amount.partition(".")
    point = "." if fraction else _POINT_SPACE if decimals else ""
    return whole + point + fraction.ljust(decimals, _DIGIT_SPACE)


def _data(neuron: int, shown: str) -> SafeString:
    return format_html(
        '<data class="amount" value="{}" title="{} 0G">{}</data>',
        neuron,
        amounts.exact(neuron),
        shown,
    )
