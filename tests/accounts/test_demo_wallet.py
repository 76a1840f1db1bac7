from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from accounts import demo_wallet
from accounts.demo_wallet import ADDRESS, Refused, answer
from accounts.wallet_chain import public_rpc_urls
from tests.accounts import cast
from tests.accounts.cast import NETWORK
from zgcompute.networks import MAINNET, TESTNET
from zgcompute.testing import FakeChain


@pytest.fixture
def relayed(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What would have gone to the node."""
    sent: list[dict[str, Any]] = []

    def post(url: str, payload: dict[str, Any], **_: Any) -> dict[str, Any]:
        sent.append(payload)
        return {"jsonrpc": "2.0", "id": 1, "result": "0xanswer"}

    monkeypatch.setattr(demo_wallet, "post_json", post)
    return sent


def test_it_has_one_account_on_its_networks_chain() -> None:
    assert answer(NETWORK, "eth_accounts", []) == [ADDRESS]
    assert answer(NETWORK, "eth_requestAccounts", []) == [ADDRESS]
    assert answer(NETWORK, "eth_chainId", []) == "0x7a69"


def test_it_signs_for_its_own_account_only(relayed: list[dict[str, Any]]) -> None:
    assert answer(NETWORK, "personal_sign", ["0x1234", ADDRESS]) == "0xanswer"
    assert relayed[0]["params"] == ["0x1234", ADDRESS]
    for params in (["0x12", cast.stranger()], ["0x12"], [1, 2], ["0x" + "0" * 20000, ADDRESS]):
        with pytest.raises(Refused):
            answer(NETWORK, "personal_sign", params)
    assert len(relayed) == 1


def test_it_pays_the_two_contracts_only(chain: FakeChain, relayed: list[dict[str, Any]]) -> None:
    ledger = chain.contracts().ledger
    call = {"from": ADDRESS, "to": ledger, "data": "0x1", "value": "0x0", "gas": "0xffffff"}
    answer(NETWORK, "eth_sendTransaction", [call])
    assert relayed[0]["params"] == [{"from": ADDRESS, "to": ledger, "data": "0x1", "value": "0x0"}]
    bad: list[Any] = [
        {**call, "to": cast.stranger()},
        {**call, "from": cast.stranger()},
        {"from": ADDRESS, "data": "0x1"},
        {},
        "call",
    ]
    for wrong in bad:
        with pytest.raises(Refused):
            answer(NETWORK, "eth_sendTransaction", [wrong])
    with pytest.raises(Refused):
        answer(NETWORK, "eth_sendTransaction", [])


@pytest.mark.parametrize(
    "method", ["eth_sign", "anvil_setBalance", "eth_getBalance", "personal_importRawKey", ""]
)
def test_it_does_nothing_else(method: str, relayed: list[dict[str, Any]]) -> None:
    with pytest.raises(Refused) as refusal:
        answer(NETWORK, method, [])
    assert refusal.value.code == 4200
    assert relayed == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"method": 1}', b'{"method": "x", "params": 3}']
)
def test_what_is_no_request_is_an_error_in_json(client: Client, body: bytes) -> None:
    reply = client.post("/devnet/account/demo-wallet/", body, "application/json")
    assert "error" in reply.json()


@pytest.mark.django_db
def test_a_bottomless_request_is_an_error_too(client: Client) -> None:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1000)  # as it is where no test has imported eth-account
    try:
        reply = client.post("/devnet/account/demo-wallet/", "[" * 100_000, "application/json")
    finally:
        sys.setrecursionlimit(before)
    assert reply.json()["error"]["code"] == -32700


def test_no_public_chain_is_local_enough_for_it() -> None:
    assert demo_wallet.is_offered(NETWORK)
    for network in (TESTNET, MAINNET):
        assert not demo_wallet.is_offered(replace(network, local=True))
        assert not demo_wallet.is_offered(replace(NETWORK, local=False))


def test_wallets_are_told_no_rpc_url_that_may_hold_a_key() -> None:
    from dataclasses import replace

    secret = replace(NETWORK, rpc_urls=("https://rpc.example/v2/KEY", "https://u:p@rpc.example"))
    assert public_rpc_urls(secret) == []
    keyed = replace(MAINNET, rpc_urls=("https://mainnet.example/KEY",))
    assert public_rpc_urls(keyed) == list(MAINNET.rpc_urls)
    assert public_rpc_urls(TESTNET) == list(TESTNET.rpc_urls)
    assert public_rpc_urls(NETWORK) == list(NETWORK.rpc_urls)
