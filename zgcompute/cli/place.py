"""Which network a command is about: the options for it, and the way there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from zgcompute.cli.settings import chosen, default_network

if TYPE_CHECKING:
    from zgcompute.broker import Broker
    from zgcompute.networks import Network

KEY_VARIABLE = "ZG_API_KEY"
_OPTIONS = (
    click.option(
        "--network",
        envvar="ZG_NETWORK",
        default=default_network,
        show_default="what setup-network chose, or testnet",
        show_envvar=True,
        metavar="NAME",
        help="mainnet, testnet, devnet, or one of the networks file.",
    ),
    click.option(
        "--rpc",
        envvar="ZG_RPC_ENDPOINT",
        show_envvar=True,
        metavar="URL",
        help="Another RPC node.",
    ),
    click.option(
        "--networks-file",
        envvar="ZG_NETWORKS_FILE",
        show_envvar=True,
        type=click.Path(dir_okay=False),
        help="TOML that adds or overrides networks.",
    ),
    click.option(
        "--ledger-ca",
        envvar="LEDGER_CA",
        metavar="ADDRESS",
        help="Another ledger contract.",
    ),
    click.option(
        "--inference-ca",
        envvar="INFERENCE_CA",
        metavar="ADDRESS",
        help="Another serving contract.",
    ),
)
json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON (docs/cli.md).")
provider_option = click.option(
    "--provider", required=True, metavar="ADDRESS", help="The provider's address on chain."
)


@dataclass(frozen=True, slots=True)
class Place:
    """What the network options say; empty where they say nothing."""

    network: str
    rpc: str
    networks_file: str
    ledger_ca: str
    inference_ca: str

    def chosen(self) -> Network:
        """The network that is meant; raises UnknownNetwork, ConfigurationError, InvalidAddress."""
        from dataclasses import replace

        from zgcompute import networks
        from zgcompute.addresses import checksum

        changes: dict[str, Any] = {}
        if self.rpc:
            changes["rpc_urls"] = (required_url(self.rpc),)
        if self.ledger_ca:
            changes["ledger"] = checksum(self.ledger_ca)
        if self.inference_ca:
            changes["inference"] = checksum(self.inference_ca)
        return replace(networks.get(self.network, self.networks_file or None), **changes)

    @contextmanager
    def broker(self) -> Iterator[Broker]:
        """A broker without a signer for that network, closed at the end."""
        opened = (click.get_current_context().obj or _open)(self.chosen())
        try:
            yield opened
        finally:
            opened.close()


def network_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the network options; it gets a Place as its first argument."""

    @wraps(function)
    def command(
        network: str,
        rpc: str | None,
        networks_file: str | None,
        ledger_ca: str | None,
        inference_ca: str | None,
        **others: Any,
    ) -> None:
        saved = chosen()
        rpc = rpc or (saved.rpc if network == saved.network else "")
        networks_file = networks_file or saved.networks_file
        place = Place(network, rpc, networks_file, ledger_ca or "", inference_ca or "")
        function(place, **others)

    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def required_url(url: str) -> str:
    """`url` where it can be an RPC node's; raises BadParameter."""
    if not url.startswith(("http://", "https://")):
        raise click.BadParameter("It must be an http or https URL.", param_hint="--rpc")
    return url


def _open(network: Network) -> Broker:
    from zgcompute.broker import Broker

    return Broker(network)
