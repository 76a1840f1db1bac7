"""How the catalog is filtered and ordered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

if TYPE_CHECKING:
    from marketplace.models import Service


class ServiceQuerySet(models.QuerySet["Service"]):
    """Services of one network, narrowed step by step."""

    def on(self, network: str) -> ServiceQuerySet:
        return self.filter(network=network)

    def listed(self) -> ServiceQuerySet:
        """Services that are still registered on chain."""
        return self.filter(removed_at=None)
