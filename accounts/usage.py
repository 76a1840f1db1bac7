"""Every billed request made through this site, with its exact fee."""

from __future__ import annotations

from accounts import settlements
from accounts.models import Usage, Wallet
from zgcompute import types
from zgcompute.fees import Fee


def record(
    wallet: Wallet,
    network: str,
    provider: str,
    model: str,
    kind: str,
    fee: Fee,
    usage: types.Usage | None,
) -> Usage:
    """Keep what a request cost; `kind` is the service type, `usage` what the provider counted."""
    row = Usage.objects.create(
        wallet=wallet,
        network=network,
        provider=provider,
        model=model[:300],
        kind=kind[:40],
        input_tokens=usage.prompt_tokens if usage else 0,
        output_tokens=usage.completion_tokens if usage else 0,
        units=_units(fee),
        fee=fee.total,
        basis=fee.basis,
    )
    settlements.match(wallet, network, row.provider)  # the chain may have been faster than we
    return row


def _units(fee: Fee) -> int:
    """What was counted where that was no text: images or seconds."""
    if fee.basis not in ("images", "seconds"):
        return 0
    return sum(line.quantity for line in fee.lines)
