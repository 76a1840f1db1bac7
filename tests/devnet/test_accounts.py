"""The devnet's keys are the well-known ones."""

from __future__ import annotations

import pytest

from devnet import accounts


def test_the_first_accounts_are_those_of_every_local_node() -> None:
    deployer = accounts.account(accounts.DEPLOYER)
    assert deployer.address == "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    assert deployer.private_key == (
        "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
    )
    demo = accounts.account(accounts.DEMO_WALLET)
    assert (demo.name, demo.address) == (
        "demo wallet",
        "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    )


def test_the_providers_follow_the_demo_wallet() -> None:
    names = [accounts.account(index).name for index in range(2, 9)]
    assert names == ["aurora", "cumulus", "prisma", "retouch", "echo", "dusk", "borealis"]
    assert accounts.provider("cumulus") == accounts.account(3)
    assert accounts.account(9).name == "test wallet 1"
    assert [accounts.account(place).name for place in (19, 20, 21)] == [
        "test wallet 11",
        "iris",
        "nova",
    ]


@pytest.mark.parametrize("index", [-1, accounts.COUNT])
def test_there_are_no_other_accounts(index: int) -> None:
    with pytest.raises(ValueError, match="accounts 0 to 21"):
        accounts.account(index)


def test_there_are_no_other_providers() -> None:
    with pytest.raises(ValueError, match="mallory"):
        accounts.provider("mallory")
