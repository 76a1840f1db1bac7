from __future__ import annotations

from pathlib import Path

import pytest

from tests.zgcompute.cli.desk import Desk, json_of, shape
from zgcompute.testing import Fault

UNPROVEN = "0x4444444444444444444444444444444444444444"
PAINTER = "0x5555555555555555555555555555555555555555"
AMOUNT = {"neuron": "str", "og": "str"}
SERVICE = {
    "provider": "str",
    "service_type": "str",
    "model": "str",
    "url": "str",
    "input_price": {**AMOUNT, "per": "str"},
    "output_price": {**AMOUNT, "per": "str"},
    "prices_are_upper_bounds": "bool",
    "verifiability": "str",
    "not_verifiable_because": "NoneType",
    "tee_signer": "str",
    "tee_signer_acknowledged": "bool",
    "updated_at": "int",
}
MODEL = {
    "id": "str",
    "service_type": "str",
    "name": "str",
    "description": "str",
    "context_length": "NoneType",
    "max_completion_tokens": "NoneType",
    "supported_parameters": [],
    "prompt_price": AMOUNT,
    "completion_price": AMOUNT,
    "image_price": "NoneType",
    "verifiability": "str",
    "expires": "NoneType",
}


@pytest.fixture
def desk() -> Desk:
    found = Desk(input_price=400_000_000_000, output_price=1_600_000_000_001)
    found.add(UNPROVEN, tee_signer_acknowledged=False)
    return found


def listed(desk: Desk, command: str, *options: str, columns: int = 200) -> str:
    result = desk.run(
        "inference", command, "--network", "devnet", *options, COLUMNS=str(columns), key=None
    )
    assert result.exit_code == 0, result.output
    return result.stdout


def test_providers_are_a_table_with_exact_addresses_and_prices(desk: Desk) -> None:
    head, row = listed(desk, "list-providers").splitlines()
    assert head.split() == ["Provider", "Service", "Model", "Input", "Output", "Answers"]
    assert row.startswith(f"{desk.service.provider}  chatbot  test-chat  0.4 0G per 1M tokens")
    assert "1.600001 0G per 1M tokens" in row  # rounded up: a price is never understated
    assert row.endswith("signed")


@pytest.mark.parametrize("columns", [40, 60, 80, 100, 200])
@pytest.mark.parametrize("command", ["list-providers", "list-providers-detail"])
def test_what_is_listed_fits_the_terminal(desk: Desk, command: str, columns: int) -> None:
    shown = listed(desk, command, columns=columns)
    longest = max(map(len, shown.splitlines()))
    assert longest <= max(columns, 44)  # an address is never broken
    assert desk.service.provider in shown


def test_unacknowledged_providers_are_shown_on_demand(desk: Desk) -> None:
    result = desk.run("inference", "list-providers", "--network", "devnet")
    assert UNPROVEN not in result.stdout
    assert "Not shown: 1 without an acknowledged TEE signer" in result.stderr
    assert "not verifiable" in listed(desk, "list-providers", "--include-invalid")


def test_providers_have_a_stable_json(desk: Desk) -> None:
    result = desk.run("inference", "list-providers", "--network", "devnet", "--json")
    assert shape(json_of(result)) == {"network": "str", "providers": [SERVICE]}
    (found,) = json_of(result)["providers"]
    price = {"neuron": "1600000000001", "og": "0.000001600000000001", "per": "token"}
    assert found["output_price"] == price


def test_unused_prices_have_no_unit() -> None:
    desk = Desk("text-to-image")
    result = desk.run("inference", "list-providers", "--network", "devnet", "--json")
    (found,) = json_of(result)["providers"]
    assert (found["input_price"]["per"], found["output_price"]["per"]) == (None, "image")


def test_details_come_from_the_providers_themselves(desk: Desk) -> None:
    desk.add(PAINTER).fault = Fault.UNREACHABLE
    shown = listed(desk, "list-providers-detail")
    first, second = shown.strip().split("\n\n")
    assert "Reachable      yes" in first
    assert f"TEE signer     {desk.service.tee_signer}" in first
    assert "Reachable      aurora.example cannot be reached." in second


def test_details_have_a_stable_json(desk: Desk) -> None:
    found = json_of(desk.run("inf", "list-providers-detail", "--network", "devnet", "--json"))
    wanted = {**SERVICE, "reachable": "bool", "problem": "NoneType", "models": [MODEL]}
    assert shape(found) == {"network": "str", "providers": [wanted]}


def test_models_are_listed_with_their_prices(desk: Desk) -> None:
    result = desk.ask("get-models", COLUMNS="200")
    assert "test-chat  chatbot  0.4 0G per 1M tokens" in result.stdout
    found = json_of(desk.ask("get-models", "--json"))
    assert shape(found) == {"provider": "str", "models": [MODEL]}


def test_a_provider_that_is_down_ends_with_4(desk: Desk) -> None:
    desk.provider.fault = Fault.UNREACHABLE
    assert desk.ask("get-models").exit_code == 4


def test_a_chain_that_is_down_ends_with_4(desk: Desk) -> None:
    desk.chain.down = True
    for command in ("list-providers", "list-providers-detail"):
        result = desk.run("inference", command, "--network", "devnet")
        assert result.exit_code == 4
        assert result.stdout == ""


def test_hostile_registrations_are_listed_harmlessly() -> None:
    desk = Desk(model="\x1b[2J\u202eevil\r" + "x" * 4000, url="javascript:alert(1)\n")
    for command in ("list-providers", "list-providers-detail"):
        shown = listed(desk, command, columns=100)
        assert not set(shown) & set("\x1b\r\u202e")
        assert max(map(len, shown.splitlines())) <= 100


def test_the_network_is_shown_without_asking_anybody(desk: Desk, tmp_path: Path) -> None:
    shown = desk.run("show-network", "--network", "devnet").stdout
    assert "Devnet (devnet)" in shown
    assert "31337" in shown
    file = tmp_path / "networks.toml"
    file.write_text('[devnet]\nrpc_urls = ["https://node.example/v3/SECRET"]\n')
    result = desk.run("show-network", "--network=devnet", "--json", ZG_NETWORKS_FILE=str(file))
    assert json_of(result)["rpc_hosts"] == ["node.example"]
    assert "SECRET" not in desk.run("show-network", "--rpc", "https://x.example/SECRET").output
    assert desk.networks == []


def test_options_and_variables_choose_the_network(desk: Desk) -> None:
    ledger = "0x" + "aa" * 20
    desk.run("inf", "list-providers", "--rpc", "http://127.0.0.1:9", ZG_NETWORK="devnet")
    desk.run("inf", "list-providers", "--network", "mainnet", "--ledger-ca", ledger)
    desk.run("inf", "list-providers", ZG_RPC_ENDPOINT="http://127.0.0.1:8", INFERENCE_CA=ledger)
    first, second, third = desk.networks
    assert (first.slug, first.rpc_urls) == ("devnet", ("http://127.0.0.1:9",))
    assert (second.slug, second.ledger.lower()) == ("mainnet", ledger)
    assert (third.slug, third.rpc_urls) == ("testnet", ("http://127.0.0.1:8",))
    assert str(third.inference).lower() == ledger


def test_a_broken_networks_file_ends_with_2(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "networks.toml"
    file.write_text("[devnet")
    result = desk.run("show-network", "--networks-file", str(file))
    assert result.exit_code == 2
    assert str(file) in result.stderr
