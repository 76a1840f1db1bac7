"""What keeping accounts fresh costs the RPC nodes: POSTs and time, on a real node."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zgcompute.chain import Chain
    from zgcompute.networks import Network

SUB_ACCOUNTS = 50
WALLETS, PROVIDERS_EACH = 1_000, 3
ONE_WALLET, ONE_SWEEP = 3, 6  # POSTs
CALLS_PER_WALLET, CALLS_PER_POST = 3, 500  # balance, ledger, one page of sub-accounts
_SENT_AT_ONCE = 100
ZG = 10**18
Call = tuple[str, tuple[Any, ...]]
_sent: dict[str, int] = {}


@dataclass(frozen=True)
class Cost:
    what: str
    posts: int
    limit: int
    seconds: float

    @property
    def is_exceeded(self) -> bool:
        return self.posts > self.limit


def main() -> int:
    """Print a line per refresh; return 1 where a limit is exceeded."""
    with tempfile.TemporaryDirectory() as folder:
        _site(folder)
        costs = _measured()
    print(f"{'refreshed':<44}{'POSTs':>7}{'limit':>7}{'seconds':>9}")
    for cost in costs:
        print(f"{cost.what:<44}{cost.posts:>7}{cost.limit:>7}{cost.seconds:>9.2f}")
    exceeded = [cost.what for cost in costs if cost.is_exceeded]
    print("exceeded by: " + (", ".join(exceeded) or "none"))
    return 1 if exceeded else 0


def _site(folder: str) -> None:
    os.environ.update(
        DJANGO_SETTINGS_MODULE="config.settings", VAR_DIR=folder, NETWORKS="devnet", DEBUG=""
    )
    os.environ.pop("DATABASE_URL", None)
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def _measured() -> list[Cost]:
    from accounts import events, refresh
    from accounts.models import SubAccount, Wallet
    from devnet.anvil import Anvil
    from devnet.deploy import deploy
    from tests.devnet.conftest import find_free_port
    from tests.zgcompute.rpc_proxy import RpcProxy
    from zgcompute._chain import RpcChain
    from zgcompute.networks import DEVNET

    with Anvil(find_free_port()) as anvil, RpcProxy(anvil.rpc_url) as proxy:
        deploy(anvil.rpc_url)
        rich, *others = _addresses(0xA11CE, WALLETS)
        providers = _addresses(0xB0B, SUB_ACCOUNTS)
        _fund(anvil.rpc_url, [rich], providers)
        _fund(anvil.rpc_url, others, providers[:PROVIDERS_EACH])
        network = replace(DEVNET, rpc_urls=(proxy.url,))
        chain = RpcChain(network)
        chain.contracts()
        wallets = [Wallet.objects.signed_in(address) for address in (rich, *others)]

        def cost(what: str, limit: int, job: Callable[[], object]) -> Cost:
            before, started = proxy.posts, time.perf_counter()
            job()
            return Cost(what, proxy.posts - before, limit, time.perf_counter() - started)

        def mirror(count: int) -> Callable[[], object]:
            return lambda: refresh.mirror(chain, network, wallets[:count])

        costs = [
            cost(f"a wallet with {SUB_ACCOUNTS} sub-accounts, first time", ONE_WALLET, mirror(1))
        ]
        costs.append(
            cost(f"a wallet with {SUB_ACCOUNTS} sub-accounts, again", ONE_WALLET, mirror(1))
        )
        for count in (10, 100, WALLETS):
            what = f"{count:,} wallets with {PROVIDERS_EACH} sub-accounts"
            costs.append(cost(what, _most_posts(count), mirror(count)))
        assert SubAccount.objects.count() == SUB_ACCOUNTS + PROVIDERS_EACH * (WALLETS - 1)
        _read_all(events.read_events, chain, network)
        _fund(anvil.rpc_url, others[:200], providers[:1])
        _send(anvil.rpc_url, [("evm_mine", ()), ("evm_mine", ())])
        costs.append(
            cost(
                "the events of 200 people's transfers",
                ONE_SWEEP,
                lambda: events.read_events(chain, network),
            )
        )
    return costs


def _most_posts(wallets: int) -> int:
    """One for the block, and one for every full batch of pages of results."""
    return 1 + -(-wallets * CALLS_PER_WALLET // CALLS_PER_POST)


def _read_all(read: Callable[[Chain, Network], object], chain: Chain, network: Network) -> None:
    from marketplace.models import NetworkState

    while (NetworkState.of(network.slug).events_block or 0) < chain.block_number() - 2:
        read(chain, network)


def _addresses(first: int, count: int) -> list[str]:
    from zgcompute.addresses import checksum

    return [checksum(f"0x{(first << 64) + number:040x}") for number in range(count)]


def _fund(url: str, users: Iterable[str], providers: Iterable[str]) -> None:
    """Deposit for everybody, and lock something with each provider."""
    from devnet.deploy import LEDGER
    from zgcompute._codec import ledger_interface

    encode, chosen, people = ledger_interface().encode, list(providers), list(users)
    _send(url, [("anvil_autoImpersonateAccount", (True,)), ("evm_setAutomine", (False,))])
    _send(url, [("anvil_setBalance", (user, hex(1000 * ZG))) for user in people])
    calls: list[Call] = []
    for user in people:
        deposit = (len(chosen) + 3) * ZG
        calls.append(_transaction(user, LEDGER, encode("depositFund"), deposit))
        for provider in chosen:
            data = encode("transferFund", provider, "inference-v1.0", ZG)
            calls.append(_transaction(user, LEDGER, data, 0))
    for start in range(0, len(calls), _SENT_AT_ONCE):  # the node's pool does not hold them all
        _send(url, calls[start : start + _SENT_AT_ONCE])
        while any(int(count, 16) for count in _send(url, [("txpool_status", ())])[0].values()):
            _send(url, [("evm_mine", ())])


def _transaction(sender: str, to: str, data: str, value: int) -> Call:
    """The node takes up a batch in any order, so every call has its number."""
    request = {"from": sender, "to": to, "data": data, "value": hex(value), "gas": hex(700_000)}
    request["nonce"] = hex(_sent.get(sender, 0))
    _sent[sender] = _sent.get(sender, 0) + 1
    return "eth_sendTransaction", (request,)


def _send(url: str, calls: list[Call]) -> list[Any]:
    results: list[Any] = []
    for start in range(0, len(calls), _SENT_AT_ONCE):
        payload = [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            for number, (method, params) in enumerate(calls[start : start + _SENT_AT_ONCE])
        ]
        request = urllib.request.Request(
            url, json.dumps(payload).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=120) as reply:
            answers = json.load(reply)
        refused = [answer for answer in answers if "error" in answer]
        assert not refused, refused[0]
        results += [answer["result"] for answer in answers]
    return results


if __name__ == "__main__":
    sys.exit(main())
