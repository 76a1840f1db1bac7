"""`show-network`: which network is meant. Asks nobody."""

from __future__ import annotations

import click

from zgcompute.cli.output import say_json, say_record
from zgcompute.cli.place import Place, json_option, network_options


@click.command("show-network")
@network_options
@json_option
def show_network(place: Place, as_json: bool) -> None:
    """Show which network is chosen.

    \b
    0g-compute-cli show-network --network mainnet
    """
    from zgcompute._limits import host_of

    network = place.chosen()
    hosts = [host_of(url) for url in network.rpc_urls]  # the rest of a URL may hold a key
    facts = {
        "network": network.slug,
        "name": network.name,
        "chain_id": network.chain_id,
        "rpc_hosts": hosts,
        "ledger": network.ledger,
        "inference": network.inference,
        "explorer": network.explorer,
        "is_local": network.local,
    }
    if as_json:
        say_json(facts)
        return
    serving = network.inference or "the one that the ledger contract recommends"
    say_record(
        (
            ("Network", f"{network.name} ({network.slug})"),
            ("Chain id", str(network.chain_id)),
            ("RPC node", ", ".join(hosts)),
            ("Ledger contract", network.ledger),
            ("Serving contract", serving),
            ("Explorer", network.explorer),
        )
    )
