"""Hostile text from the chain, made fit for a database."""

from __future__ import annotations

MAX_URL = 2_000
MAX_ADDITIONAL_INFO = 32_768
MAX_MODEL = 300
MAX_WORD = 100  # service type, verifiability


def storable(text: str, limit: int) -> str:
    """Return `text` without NUL and broken Unicode, and no longer than `limit` characters."""
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return whole.replace("\0", "")[:limit]
