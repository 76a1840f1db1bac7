"""How templates print what was measured."""

from __future__ import annotations

from django import template

register = template.Library()


@register.filter
def percent(hundredths: int) -> str:
    """Hundredths of a percent, without needless zeros: 99.95 %."""
    whole, rest = divmod(hundredths, 100)
    fraction = f".{rest:02}".rstrip("0").rstrip(".") if rest else ""
    return f"{whole}{fraction} %"


@register.filter
def duration(milliseconds: int) -> str:
    """A short time with its unit: 420 ms, 1.3 s, 75 s."""
    if milliseconds < 1_000:
        return f"{milliseconds} ms"
    tenths = (milliseconds + 50) // 100
    return f"{tenths // 10}.{tenths % 10} s" if tenths < 100 else f"{tenths // 10} s"


@register.filter
def span(seconds: int) -> str:
    """The length of a recording in its two largest units: 12 s, 3 min 20 s, 2 h 5 min."""
    minutes, rest = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
