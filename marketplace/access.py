"""Who may see what: services are public, but only those that exist."""

from __future__ import annotations

from django.http import Http404

from marketplace.models import Service
from zgcompute.addresses import checksum
from zgcompute.errors import InvalidAddress
from zgcompute.networks import Network


def service_or_404(network: Network, address: str) -> Service:
    """Return the service of the provider at `address`, listed or removed, or answer 404."""
    try:
        provider = checksum(address)
    except InvalidAddress:
        raise Http404("That is not an address.") from None
    services = Service.objects.on(network.slug).with_findings().select_related("reported")
    service = services.filter(provider=provider).first()
    if service is None:
        raise Http404("This provider has never been seen on this network.")
    return service
