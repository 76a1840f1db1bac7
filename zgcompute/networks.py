"""The networks as data: built in, extended or overridden by a TOML file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit

from zgcompute.addresses import checksum
from zgcompute.errors import ConfigurationError, UnknownNetwork
from zgcompute.types import Address

_T = TypeVar("_T")
_URL = re.compile(r"https?://[!-~]+", re.ASCII)
_SLUG = re.compile(r"[a-z][a-z0-9-]{0,30}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Network:
    """One 0G chain with its compute contracts.

    `rpc_urls` are tried in order. `inference` may be None: the ledger contract then names the
    recommended serving contract. `first_block` is one not after the contracts' deployment; 0 lets
    it be searched for. `local` allows private provider addresses and the demo wallet;
    nothing else does.
    """

    slug: str
    name: str
    chain_id: int
    rpc_urls: tuple[str, ...] = field(repr=False)  # they may hold keys
    ledger: Address
    inference: Address | None = None
    explorer: str = ""
    faucet: str = ""
    status_api: str = ""
    local: bool = False
    first_block: int = 0

    def transaction_url(self, transaction_hash: str) -> str:
        """The explorer's page of a transaction, or "" where the network has no explorer."""
        return f"{self.explorer}/tx/{transaction_hash}" if self.explorer else ""

    def address_url(self, address: str) -> str:
        """The explorer's page of an address, or "" where the network has no explorer."""
        return f"{self.explorer}/address/{address}" if self.explorer else ""


MAINNET = Network(
    slug="mainnet",
    name="0G Mainnet",
    chain_id=16661,
    rpc_urls=("https://evmrpc.0g.ai",),
    ledger=Address("0x2dE54c845Cd948B72D2e32e39586fe89607074E3"),
    inference=Address("0x47340d900bdFec2BD393c626E12ea0656F938d84"),
    explorer="https://chainscan.0g.ai",
    status_api="https://compute-status.0g.ai",
)
TESTNET = Network(
    slug="testnet",
    name="0G Galileo Testnet",
    chain_id=16602,
    rpc_urls=("https://evmrpc-testnet.0g.ai",),
    ledger=Address("0xE70830508dAc0A97e6c087c75f402f9Be669E406"),
    inference=Address("0xa79F4c8311FF93C06b8CfB403690cc987c93F91E"),
    explorer="https://chainscan-galileo.0g.ai",
    faucet="https://faucet.0g.ai",
    status_api="https://compute-status-testnet.0g.ai",
)
DEVNET = Network(
    slug="devnet",
    name="Devnet",
    chain_id=31337,
    rpc_urls=("http://127.0.0.1:8545",),
    ledger=Address("0x9fE46736679d2D9a65F0992F2272dE9f3c7fa6e0"),
    inference=Address("0x0165878A594ca255338adfa4d48449f69242Eb8F"),
    status_api="http://127.0.0.1:8650",
    local=True,
)
BUILT_IN: Mapping[str, Network] = {network.slug: network for network in (MAINNET, TESTNET, DEVNET)}


def load(path: str | Path | None = None) -> dict[str, Network]:
    """Return all networks by slug: the built-in ones, then those of the TOML file at `path`.

    A table `[slug]` of the file may hold name, chain_id, rpc_urls, ledger, inference, explorer,
    faucet, status_api, local and first_block; for a built-in slug it may hold just what differs.
    The file is what the environment variable ZG_NETWORKS_FILE names for the CLI and the site.
    Raises ConfigurationError naming the file, the network and the key.
    """
    networks = dict(BUILT_IN)
    if path:
        for slug, table in _read(Path(path)).items():
            networks[slug] = _network(Path(path), slug, table, networks.get(slug))
    return networks


def get(slug: str, path: str | Path | None = None) -> Network:
    """Return the network called `slug`; raises UnknownNetwork with the known ones."""
    networks = load(path)
    if slug not in networks:
        raise UnknownNetwork(
            f"There is no network {slug!r}.", advice=f"Choose one of {', '.join(networks)}."
        )
    return networks[slug]


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"The networks file {path} cannot be read: {error}") from error


def _network(path: Path, slug: str, table: Any, base: Network | None) -> Network:
    where = f"[{slug}] in {path}"
    if not _SLUG.fullmatch(slug) or not isinstance(table, dict):
        raise ConfigurationError(f"{where} is not a network: lower-case letters, digits, dashes.")
    values = {key: _value(where, key, value) for key, value in table.items()}
    if base is not None:
        return replace(base, **values)
    missing = {"name", "chain_id", "rpc_urls", "ledger"} - set(values)
    if missing:
        raise ConfigurationError(f"{where} lacks {', '.join(sorted(missing))}.")
    return Network(slug=slug, **values)


def _value(where: str, key: str, value: Any) -> Any:
    checks = {
        "name": lambda: _typed(value, str),
        "chain_id": lambda: _positive(value),
        "rpc_urls": lambda: tuple(_url(url) for url in _typed(value, list)) or _refuse("is empty"),
        "ledger": lambda: checksum(_typed(value, str)),
        "inference": lambda: checksum(_typed(value, str)) if value else None,
        "explorer": lambda: _url(value) if value else "",
        "faucet": lambda: _url(value) if value else "",
        "status_api": lambda: _url(value) if value else "",
        "local": lambda: _typed(value, bool),
        "first_block": lambda: _positive(value) if value else 0,
    }
    assert set(checks) == {part.name for part in fields(Network)} - {"slug"}
    if key not in checks:
        raise ConfigurationError(f"{where} has an unknown key {key!r}.")
    try:
        return checks[key]()  # type: ignore[no-untyped-call]
    except ValueError as error:
        raise ConfigurationError(f"{key} of {where} {error}") from error


def _typed(value: Any, kind: type[_T]) -> _T:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f"must be of type {kind.__name__}, not {type(value).__name__}")
    return value


def _positive(value: Any) -> int:
    number = _typed(value, int)
    return number if number > 0 else _refuse("must be above zero")


def _url(value: Any) -> str:
    url = _typed(value, str).rstrip("/")
    if not _URL.fullmatch(url) or not urlsplit(url).hostname:
        raise ValueError("must be an http or https URL")  # unquoted: it may hold a key
    return url


def _refuse(reason: str) -> NoReturn:
    raise ValueError(reason)
