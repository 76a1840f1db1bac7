"""What a wallet is told about a network when it has to switch to it or add it (EIP-3085)."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from zgcompute.networks import BUILT_IN, Network


def wallet_chain(network: Network) -> str:
    """The parameters of wallet_addEthereumChain as JSON text."""
    explorer = [network.explorer] if network.explorer else []
    return json.dumps(
        {
            "chainId": hex(network.chain_id),
            "chainName": network.name,
            "nativeCurrency": {"name": "0G", "symbol": "0G", "decimals": 18},
            "rpcUrls": public_rpc_urls(network),
            "blockExplorerUrls": explorer,
        }
    )


def public_rpc_urls(network: Network) -> list[str]:
    """The RPC URLs that may be shown to visitors: an operator's own may carry a key."""
    known = BUILT_IN.get(network.slug)
    if known is not None and known.chain_id == network.chain_id and not network.local:
        return list(known.rpc_urls)
    return [url for url in network.rpc_urls if _has_no_secret(url)]


def _has_no_secret(url: str) -> bool:
    parts = urlsplit(url)
    return not (parts.username or parts.password or parts.query or parts.path.strip("/"))
