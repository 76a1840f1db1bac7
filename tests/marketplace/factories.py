"""Rows and values for the marketplace's tests: plain functions with defaults."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Any

from django.utils import timezone

from marketplace.models import NetworkState, Service
from zgcompute.addresses import checksum
from zgcompute.types import Address

NOW = datetime.fromisoformat("2026-05-04T14:02:00+00:00")


def address(name: str) -> Address:
    """An address of its own for each name."""
    return checksum("0x" + sha256(name.encode()).hexdigest()[:40])


def make_service(name: str = "aurora", network: str = "devnet", **changes: Any) -> Service:
    """A listed, acknowledged chatbot at 0.4 / 1.6 0G per million tokens, saved."""
    columns: dict[str, Any] = {
        "network": network,
        "provider": address(name),
        "service_type": "chatbot",
        "url": f"https://{name}.example",
        "model": f"{name}-chat",
        "verifiability": "TeeML",
        "input_price": 400_000_000_000,
        "output_price": 1_600_000_000_000,
        "tee_signer": address(f"{name} signer"),
        "tee_signer_acknowledged": True,
        "updated_at": 1_750_000_000,
        "first_seen_at": timezone.now(),
        "seen_at": timezone.now(),
    }
    return Service.objects.create(**{**columns, **changes})


def make_state(network: str = "devnet", **changes: Any) -> NetworkState:
    """A network that was read a moment ago, saved."""
    now = timezone.now()
    columns: dict[str, Any] = {
        "network": network,
        "block_number": 1_234,
        "block_time": now,
        "seen_at": now,
        "services_at": now,
    }
    return NetworkState.objects.create(**{**columns, **changes})
