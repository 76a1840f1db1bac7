"""What must hold after any sequence of transactions: no neuron is lost, none is promised twice."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.devnet.contract_chain import INFERENCE, LEDGER, ContractChain


def check_solvency(chain: ContractChain) -> None:
    """Compare what the contracts hold with what their records promise."""
    ledgers, _ = chain.ledger.read("getAllLedgers", 0, 1000)
    sub_accounts = all_pages(chain, "getAllAccounts")
    stakes = 100 * 10**18 * chain.serving.read("getAllServices", 0, 1)[1]
    impersonated = 10**18  # what a test may have given to a contract for gas
    held = chain.balance(LEDGER) - sum(ledger["availableBalance"] for ledger in ledgers)
    locked = chain.balance(INFERENCE) - stakes - sum(a["balance"] for a in sub_accounts)
    assert 0 <= held <= impersonated
    assert 0 <= locked <= impersonated
    in_sub_accounts: Counter[str] = Counter()
    for account in sub_accounts:
        in_sub_accounts[account["user"]] += account["balance"]
        check_refunds(account)
    for ledger in ledgers:
        promised = ledger["totalBalance"] - ledger["availableBalance"]
        assert promised == in_sub_accounts[ledger["user"]], ledger["user"]


def check_refunds(account: dict[str, Any]) -> None:
    """The active refunds come first, in order of age, and are what pendingRefund says."""
    active = account["refunds"][: account["validRefundsLength"]]
    assert sum(refund["amount"] for refund in active) == account["pendingRefund"]
    assert account["pendingRefund"] <= account["balance"]
    assert [refund["index"] for refund in active] == list(range(len(active)))
    assert all(refund["amount"] > 0 for refund in active)
    times = [refund["createdAt"] for refund in active]
    assert times == sorted(times)


def all_pages(chain: ContractChain, function: str, *arguments: Any) -> list[dict[str, Any]]:
    """Read a list of the serving contract to its end."""
    found: list[dict[str, Any]] = []
    while True:
        page, total = chain.serving.read(function, *arguments, len(found), 50)
        found += page
        if len(found) >= total:
            return found
