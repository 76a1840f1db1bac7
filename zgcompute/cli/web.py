"""`ui start-web`: the site on this machine, from a checkout or from an installed package."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from zgcompute.cli.failures import Commands
from zgcompute.cli.folder import private_folder
from zgcompute.cli.place import json_option

_PACKAGE = Path(__file__).resolve().parent.parent
_PLACES = (_PACKAGE / "_site", _PACKAGE.parent)  # in the wheel, in a checkout


@click.group("ui", cls=Commands)
def ui() -> None:
    """The website on this machine (alias: web-ui)."""


@ui.command("start-web")
@click.option(
    "-p",
    "--port",
    type=click.IntRange(1, 65_535),
    default=3091,
    show_default=True,
    help="Its port.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--networks",
    envvar="NETWORKS",
    show_envvar=True,
    default="devnet",
    show_default=True,
    metavar="NAMES",
    help="Which to serve, such as testnet,mainnet; the first one is shown first.",
)
@click.option(
    "--networks-file",
    envvar="ZG_NETWORKS_FILE",
    show_envvar=True,
    type=click.Path(exists=True, dir_okay=False, resolve_path=True),
    help="TOML that adds or overrides networks.",
)
@click.option("--fresh", is_flag=True, help="Forget the devnet and the site's database first.")
@click.option("--no-devnet", is_flag=True, help="Use a devnet that runs already.")
@click.option("--open", "opens", is_flag=True, help="Show it in the browser.")
@json_option
def start_web(
    port: int,
    host: str,
    networks: str,
    networks_file: str | None,
    fresh: bool,
    no_devnet: bool,
    opens: bool,
    as_json: bool,
) -> None:
    """Start the site and stay until Ctrl-C.

    Its database, secrets and files are in the folder `site` beside the key (or in VAR_DIR). It asks
    for no key: wallets in the browser sign.

    \b
    0g-compute-cli ui start-web --networks testnet,mainnet
    """
    root, data = _root(), _data_folder()
    named = {"--fresh": fresh, "--no-devnet": no_devnet, "--open": opens, "--json": as_json}
    chosen = [name for name, is_chosen in named.items() if is_chosen]
    command = [sys.executable, "-m", "config.start", "--networks", networks]
    command += ["--host", host, "--port", str(port), *chosen]
    os.chdir(root)
    os.execve(sys.executable, command, _environment(root, data, networks_file))  # noqa: S606


def _root() -> Path:
    from zgcompute.errors import ConfigurationError

    for place in _PLACES:
        if (place / "config" / "start.py").exists():
            return place
    raise ConfigurationError(
        "The site is not part of this installation.",
        advice="Install the whole package: pip install . in a checkout.",
    )


def _data_folder() -> Path:
    """Where the site may write, readable by its owner alone."""
    named = os.environ.get("VAR_DIR")
    place = Path(named).absolute() if named else private_folder() / "site"
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    return place


def _environment(root: Path, data: Path, networks_file: str | None) -> dict[str, str]:
    """The site's variables. Those with a key stay behind: the site needs none."""
    own = {"PYTHONPATH": str(root), "VAR_DIR": str(data), "DEVNET_DIR": str(data)}
    if networks_file:
        own["ZG_NETWORKS_FILE"] = networks_file
    kept = {name: text for name, text in os.environ.items() if name not in _SECRETS}
    return kept | own


_SECRETS = {"ZG_PRIVATE_KEY", "ZG_KEYSTORE_PASSWORD", "ZG_API_KEY", "ZG_SERVE_KEY"}
