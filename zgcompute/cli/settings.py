"""The network that `setup-network` chose, in config.json.

The official client keeps its settings, and its private key in plain text, in the same file: what
is not ours stays as it is, and is not used.
"""

from __future__ import annotations

from dataclasses import dataclass

from zgcompute.cli.folder import folder, read_object, write_object

FILE = "config.json"
DEFAULT_NETWORK = "testnet"


@dataclass(frozen=True, slots=True)
class Chosen:
    """A network by its slug, with its own RPC node and networks file; empty where not chosen."""

    network: str = ""
    rpc: str = ""
    networks_file: str = ""


def chosen() -> Chosen:
    """What was chosen before; raises ConfigurationError where the file cannot be understood."""
    content = read_object(folder() / FILE) or {}
    texts = (content.get(name) for name in ("network", "rpc", "networks_file"))
    return Chosen(*(text if isinstance(text, str) else "" for text in texts))


def choose(choice: Chosen) -> None:
    """Note `choice` for the commands that come."""
    content = read_object(folder() / FILE) or {}
    for name in ("network", "rpc", "networks_file"):
        content[name] = getattr(choice, name)
    write_object(FILE, content)


def default_network() -> str:
    """The network of commands that name none."""
    return chosen().network or DEFAULT_NETWORK


def holds_plain_key() -> bool:
    """Whether another program keeps a private key in config.json, readable by whoever copies it."""
    return bool((read_object(folder() / FILE) or {}).get("privateKey"))
