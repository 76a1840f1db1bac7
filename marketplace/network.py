"""The networks this site serves, and the process-wide way to each chain."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from django.conf import settings
from django.http import Http404

from zgcompute.networks import Network

if TYPE_CHECKING:
    from zgcompute.chain import Chain


def network_or_404(slug: str) -> Network:
    """Return the served network called `slug`, or answer 404."""
    try:
        return served()[slug]
    except KeyError:
        raise Http404(f"There is no network {slug!r} here.") from None


def served() -> dict[str, Network]:
    """The networks of this site by slug, the default one first."""
    networks: dict[str, Network] = settings.NETWORKS
    return networks


def is_local(slug: str) -> bool:
    """Whether private provider addresses are allowed there; no for a network served no longer."""
    network = served().get(slug)
    return network is not None and network.local


@cache
def chain(slug: str) -> Chain:
    """The one gateway to a network's chain in this process (thread-safe, used by workers only)."""
    from zgcompute._chain import RpcChain

    return RpcChain(served()[slug])
