"""`login`, `logout`, `status`, `setup-network`: whose wallet, and which network."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zgcompute.cli import keystore, settings
from zgcompute.cli.confirming import require_confirmation, yes_option
from zgcompute.cli.output import note, say, say_json, say_record
from zgcompute.cli.place import Place, json_option, network_options, required_url

if TYPE_CHECKING:
    from zgcompute.types import Address


@click.command(context_settings={"allow_extra_args": True})
@click.option("-f", "--force", is_flag=True, help="Replace the key that is saved already.")
@click.option(
    "--import",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Take the key from this JSON keystore.",
)
@json_option
@click.pass_context
def login(context: click.Context, force: bool, file: Path | None, as_json: bool) -> None:
    """Save the wallet's key, encrypted.

    The key comes from ZG_PRIVATE_KEY, from the keystore of --import, or is asked for without echo;
    never from an argument. The passphrase is asked for twice, or comes from ZG_KEYSTORE_PASSWORD.

    \b
    0g-compute-cli login
    """
    if context.args:  # not repeated: it may be a key
        raise click.UsageError(
            "This takes no argument. If it was a private key, others can have seen it: "
            "move the funds to a new wallet."
        )
    from zgcompute import keystores

    before = keystore.kept()
    _require_replaceable(before, force)
    key, passphrase = _imported(file) if file else _given()
    address = keystores.address_of(key)
    path = keystore.save(key, passphrase or keystore.new_passphrase())
    if before and before != address:
        note(f"The key of {before} was replaced.")
    note("Keep a copy of the key elsewhere: nobody can restore it.")
    if as_json:
        say_json({"address": address, "keystore": str(path)})
    else:
        say(f"Saved the key of {address} in {path}")


@click.command()
@yes_option
@json_option
def logout(yes: bool, as_json: bool) -> None:
    """Delete the saved key.

    Without a copy of it the wallet's funds cannot be moved any more. ZG_PRIVATE_KEY stays as it is.

    \b
    0g-compute-cli logout
    """
    address, path = keystore.kept(), keystore.path()
    if address is not None:
        note(f"This deletes the key of {address} in {path}. Without a copy its funds are lost.")
        require_confirmation("Delete it?", yes)
        path.unlink()
    if as_json:
        say_json({"address": address, "keystore": str(path)})
    else:
        say(f"Deleted the key of {address}" if address else "There is no saved key")


@click.command()
@network_options
@json_option
def status(place: Place, as_json: bool) -> None:
    """Tell which network and which wallet commands use.

    Asks nobody, and decrypts nothing.

    \b
    0g-compute-cli status
    """
    network, source = place.chosen(), keystore.found()
    if as_json:
        say_json(
            {
                "network": network.slug,
                "chain_id": network.chain_id,
                "address": source and source.address,
                "source": source and source.kind,
                "keystore": str(keystore.path()),
            }
        )
    else:
        origin = source and f"{source.kind} ({source.place})"
        say_record(
            (
                ("Network", f"{network.name} ({network.slug})"),
                ("Wallet", source.address if source else "none"),
                ("Key", origin or "none; save one with: 0g-compute-cli login"),
            )
        )
    _warn_of_other_keys(source)


@click.command("setup-network")
@click.argument("network")
@click.option("--rpc", default="", metavar="URL", help="Its RPC node.")
@click.option(
    "--networks-file",
    type=click.Path(exists=True, dir_okay=False, resolve_path=True),
    help="TOML that adds or overrides networks.",
)
@json_option
def setup_network(network: str, rpc: str, networks_file: str | None, as_json: bool) -> None:
    """Choose the network of all commands.

    NETWORK is mainnet, testnet, devnet, or one of the networks file. --network and the variables
    go before it. The saved key is not touched.

    \b
    0g-compute-cli setup-network testnet
    """
    from zgcompute import networks

    found = networks.get(network, networks_file)
    settings.choose(settings.Chosen(found.slug, rpc and required_url(rpc), networks_file or ""))
    if as_json:
        say_json({"network": found.slug, "chain_id": found.chain_id})
    else:
        say(f"Commands use {found.name} ({found.slug}) from now on")


def _require_replaceable(before: Address | None, force: bool) -> None:
    from zgcompute.errors import ConfigurationError

    if before and not force:
        raise ConfigurationError(
            f"The key of {before} is saved already.",
            advice="--force replaces it; without a copy of it its funds are lost.",
        )


def _imported(file: Path) -> tuple[bytes, str]:
    """The key in a keystore file, and the passphrase that it has and keeps."""
    return keystore.opened(file, f"Passphrase of {file}")


def _given() -> tuple[bytes, str]:
    from zgcompute.keystores import parsed_key

    text = os.environ.get(keystore.KEY_VARIABLE, "").strip()
    if text:
        return parsed_key(text, keystore.KEY_VARIABLE), ""
    return parsed_key(keystore.asked("Private key"), "What was typed"), ""


def _warn_of_other_keys(source: keystore.Source | None) -> None:
    kept = keystore.kept()
    if source and kept and source.kind == "environment":
        note(f"{keystore.KEY_VARIABLE} goes before the saved key of {kept}.")
    if settings.holds_plain_key():
        note(
            f"{settings.FILE} in the same folder holds a private key in plain text, kept by "
            "another program. It is not used here."
        )
