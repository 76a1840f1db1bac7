"""Somebody new with money on the devnet, as the SDK sees them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from devnet.node import Node
from devnet.testing import Devnet
from zgcompute import Broker, LocalSigner
from zgcompute.amounts import parse


@contextmanager
def payer(
    devnet: Devnet, deposit: str = "", transfers: Mapping[str, str] | None = None
) -> Iterator[Broker]:
    """A broker whose wallet has 100 0G, `deposit` in its ledger, and `transfers` with providers.

    Amounts are 0G as text; providers go by their names on the devnet.
    """
    signer = LocalSigner(secrets.token_bytes(32))
    Node(devnet.rpc_url).call("anvil_setBalance", signer.address, hex(parse("100")))
    with Broker(devnet.network, signer=signer) as broker:
        if deposit:
            broker.ledger.deposit(parse(deposit))
        for name, amount in (transfers or {}).items():
            broker.ledger.transfer(devnet.address(name), parse(amount))
        yield broker
