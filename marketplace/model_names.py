"""A model's place in a URL: its own name where that is harmless there, else an exact code of it."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

from django.urls import reverse

_HARMLESS = re.compile(
    r"(?:[A-Za-z0-9][A-Za-z0-9._:@+-]*/)*[A-Za-z0-9][A-Za-z0-9._:@+-]*", re.ASCII
)
_CODED = "~"  # no harmless name begins with it


def encode(model: str) -> str:
    """Return the part of a URL that stands for `model`, whatever a provider called it."""
    if _HARMLESS.fullmatch(model):
        return model
    return _CODED + urlsafe_b64encode(model.encode()).decode().rstrip("=")


def decode(key: str) -> str | None:
    """Return the model that `key` stands for, or None where it stands for none."""
    if not key.startswith(_CODED):
        return key if _HARMLESS.fullmatch(key) else None
    code = key.removeprefix(_CODED)
    try:
        model = urlsafe_b64decode(code + "=" * (-len(code) % 4)).decode()
    except ValueError:
        return None
    return model if encode(model) == key else None


def url(network: str, model: str) -> str:
    """Return the address of the model's page."""
    return reverse("models:model", args=(network, encode(model)))
