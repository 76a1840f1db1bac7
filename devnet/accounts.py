"""The devnet's accounts: the first ones of the mnemonic that every local EVM node knows.

    0       deployer and owner of both contracts
    1       demo wallet
    2..8    providers: aurora, cumulus, prisma, retouch, echo, dusk, borealis
    9..19   wallets for tests
    20..21  providers: iris, nova

The keys are public. Never send anything of value to these addresses on any network.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from zgcompute.types import Address

MNEMONIC = "test test test test test test test test test test test junk"
COUNT = 22  # how many the node unlocks and endows
ENDOWMENT = 10_000  # 0G each at genesis

DEPLOYER = 0
DEMO_WALLET = 1
PROVIDERS = {
    **{"aurora": 2, "cumulus": 3, "prisma": 4, "retouch": 5, "echo": 6, "dusk": 7, "borealis": 8},
    **{"iris": 20, "nova": 21},
}
FIRST_TEST_WALLET = 9


@dataclass(frozen=True, slots=True)
class DevAccount:
    """One of the devnet's accounts; `private_key` is 0x and 64 hex digits."""

    index: int
    name: str
    address: Address
    private_key: str


@cache
def account(index: int) -> DevAccount:
    """Return account `index` of the mnemonic (path m/44'/60'/0'/0/index).

    Raises ValueError where the node has no such account.
    """
    if not 0 <= index < COUNT:
        raise ValueError(f"The devnet has accounts 0 to {COUNT - 1}, not {index}.")
    from eth_account import Account

    Account.enable_unaudited_hdwallet_features()
    key = Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}")
    return DevAccount(index, _name(index), Address(key.address), "0x" + bytes(key.key).hex())


def provider(name: str) -> DevAccount:
    """Return the account of the provider called `name`; raises ValueError for an unknown name."""
    if name not in PROVIDERS:
        raise ValueError(f"The devnet has no provider {name!r}, only {', '.join(PROVIDERS)}.")
    return account(PROVIDERS[name])


def _name(index: int) -> str:
    others = {DEPLOYER: "deployer", DEMO_WALLET: "demo wallet"}
    names = others | {place: name for name, place in PROVIDERS.items()}
    return names.get(index, f"test wallet {index - FIRST_TEST_WALLET + 1}")
