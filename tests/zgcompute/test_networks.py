from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from zgcompute import networks
from zgcompute.errors import ConfigurationError, UnknownNetwork
from zgcompute.networks import BUILT_IN, DEVNET, MAINNET, TESTNET

LEDGER = "0x2dE54c845Cd948B72D2e32e39586fe89607074E3"
OWN = f"""
[own]
name = "Own chain"
chain_id = 4242
rpc_urls = ["https://one.example/", "http://two.example"]
ledger = "{LEDGER.lower()}"
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "networks.toml"
    path.write_text(text, "utf-8")
    return path


def test_three_networks_are_built_in() -> None:
    assert list(BUILT_IN) == ["mainnet", "testnet", "devnet"]
    assert [network.chain_id for network in BUILT_IN.values()] == [16661, 16602, 31337]


def test_only_the_devnet_is_local() -> None:
    assert [network.slug for network in BUILT_IN.values() if network.local] == ["devnet"]


@pytest.mark.parametrize("network", BUILT_IN.values(), ids=BUILT_IN)
def test_built_in_addresses_are_checksummed(network: networks.Network) -> None:
    from zgcompute.addresses import checksum

    assert checksum(network.ledger) == network.ledger
    assert network.inference is not None
    assert checksum(network.inference) == network.inference


def test_explorer_pages_are_linked_where_there_is_an_explorer() -> None:
    assert TESTNET.transaction_url("0x1") == "https://chainscan-galileo.0g.ai/tx/0x1"
    assert MAINNET.address_url("0x2") == "https://chainscan.0g.ai/address/0x2"
    assert DEVNET.transaction_url("0x1") == DEVNET.address_url("0x2") == ""


def test_without_a_file_there_are_the_built_in_ones() -> None:
    assert networks.load() == dict(BUILT_IN)
    assert networks.get("devnet") is DEVNET


def test_a_file_adds_a_network(tmp_path: Path) -> None:
    own = networks.get("own", written(tmp_path, OWN))
    assert own.rpc_urls == ("https://one.example", "http://two.example")
    assert own.ledger == LEDGER
    assert own.inference is None
    assert (own.local, own.explorer, own.faucet, own.status_api) == (False, "", "", "")


def test_a_file_changes_only_what_it_names(tmp_path: Path) -> None:
    text = '[testnet]\nrpc_urls = ["https://mine.example"]\nfaucet = ""\ninference = ""\n'
    changed = networks.load(written(tmp_path, text))["testnet"]
    expected = asdict(TESTNET) | {
        "rpc_urls": ("https://mine.example",),
        "faucet": "",
        "inference": None,
    }
    assert asdict(changed) == expected


def test_a_file_moves_the_status_service_or_takes_it_away(tmp_path: Path) -> None:
    assert all(network.status_api for network in BUILT_IN.values())
    moved = written(tmp_path, '[devnet]\nstatus_api = "http://127.0.0.1:9/"\n')
    assert networks.load(moved)["devnet"].status_api == "http://127.0.0.1:9"
    none = written(tmp_path, '[devnet]\nstatus_api = ""\n')
    assert networks.load(none)["devnet"].status_api == ""


def test_an_unknown_network_names_the_known_ones() -> None:
    with pytest.raises(UnknownNetwork, match="'nonet'") as unknown:
        networks.get("nonet")
    assert "testnet" in unknown.value.advice


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[own", "cannot be read"),
        ("own = 1", "is not a network"),
        ("[Own]\nname = 'x'", "is not a network"),
        ("['own net']\nname = 'x'", "is not a network"),
        ("[own]\nname = 'x'", "lacks chain_id, ledger, rpc_urls"),
        ("[testnet]\nrcp_urls = []", "unknown key 'rcp_urls'"),
        ("[testnet]\nslug = 'x'", "unknown key 'slug'"),
        ("[testnet]\nrpc_urls = []", "rpc_urls of .testnet. .* is empty"),
        ("[testnet]\nrpc_urls = 'https://x'", "must be of type list"),
        ("[testnet]\nrpc_urls = ['ftp://x']", "must be an http or https URL"),
        ("[testnet]\nrpc_urls = [1]", "must be of type str"),
        ("[testnet]\nchain_id = true", "must be of type int"),
        ("[testnet]\nchain_id = '1'", "must be of type int"),
        ("[testnet]\nchain_id = 0", "chain_id of .testnet. .* must be above zero"),
        ("[testnet]\nrpc_urls = ['https://']", "must be an http or https URL"),
        ("[testnet]\nrpc_urls = ['https://:443']", "must be an http or https URL"),
        ("[testnet]\nrpc_urls = ['https://x y']", "must be an http or https URL"),
        ("[testnet]\nrpc_urls = ['https://[::1']", "rpc_urls of .testnet."),
        ("[testnet]\nledger = '0x1'", "is not an address"),
        ("[testnet]\nlocal = 1", "must be of type bool"),
    ],
)
def test_a_wrong_file_stops_with_its_name_and_key(
    tmp_path: Path, text: str, complaint: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigurationError, match=complaint) as wrong:
        networks.load(path)
    assert str(path) in str(wrong.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="absent.toml cannot be read"):
        networks.load(tmp_path / "absent.toml")


def test_the_key_in_an_rpc_url_is_never_told(tmp_path: Path) -> None:
    url = "https://rpc.example/v2/secret-key"
    assert "secret-key" not in repr(replace(DEVNET, rpc_urls=(url,)))
    for spelled in (f"['{url} ']", f"'{url}'"):
        file = written(tmp_path, f"[testnet]\nrpc_urls = {spelled}")
        with pytest.raises(ConfigurationError, match="rpc_urls") as refused:
            networks.load(file)
        assert "secret-key" not in str(refused.value)
