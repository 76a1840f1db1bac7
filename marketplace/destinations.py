"""Whether a provider's URL, which came from the chain, may be called or linked to at all."""

from __future__ import annotations

from zgcompute._destinations import AddressPolicy
from zgcompute.errors import DestinationRefused


def url_problem(url: str, *, local: bool) -> str:
    """Return why `url` is not safe, or ""; asks nobody, so what its name resolves to is not known.

    `local` networks may use plain http and private addresses.
    """
    try:
        AddressPolicy(allow_private=local).check_url(url)
    except DestinationRefused as error:
        return str(error)
    return ""
