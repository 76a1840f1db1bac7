"""What users owe: the gate before a request (PROTOCOL §1.5, §5.3), the book of fees after it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from devnet.providers.fees import Fee
from devnet.providers.onchain import CachedChain
from devnet.providers.wire import Refusal
from zgcompute.types import Address, Service, SubAccount

NEURON_PER_0G = 10**18


@dataclass(frozen=True, slots=True)
class UnsettledRequest:
    """A finished request whose fee (neuron) is not on chain; settle it from `not_before` on."""

    user: Address
    request_hash: str
    input_fee: int
    output_fee: int
    made_at: float
    not_before: float = 0.0

    @property
    def fee(self) -> int:
        return self.input_fee + self.output_fee


class FeeBook:
    """Unsettled requests, oldest first; kept in a JSON file so that a restart loses no fee."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._requests: list[UnsettledRequest] = []
        if path is not None and path.exists():
            self._requests = [UnsettledRequest(**entry) for entry in json.loads(path.read_text())]

    def add(self, user: Address, request_hash: str, fee: Fee, *, at: float) -> None:
        """Note a finished request. A fee of zero is not worth an entry."""
        if fee.total:
            self._requests.append(UnsettledRequest(user, request_hash, fee.input, fee.output, at))
            self._save()

    def unsettled(self, user: Address) -> int:
        """Neuron that `user` owes and the chain has not taken yet."""
        return sum(request.fee for request in self._requests if request.user == user)

    def by_user(self, now: float = float("inf")) -> dict[Address, tuple[UnsettledRequest, ...]]:
        """The requests that may be settled at `now`, by user."""
        users: dict[Address, list[UnsettledRequest]] = {}
        for request in self._requests:
            if request.not_before <= now:
                users.setdefault(request.user, []).append(request)
        return {user: tuple(requests) for user, requests in users.items()}

    def settle(self, requests: Iterable[UnsettledRequest], *, owed: int, retry_at: float) -> None:
        """Drop settled `requests`; `owed` neuron of them stay, to be tried again at `retry_at`."""
        done = tuple(requests)
        gone = {id(request) for request in done}
        self._requests = [request for request in self._requests if id(request) not in gone]
        if owed and done:
            rest = replace(done[-1], input_fee=0, output_fee=owed, not_before=retry_at)
            self._requests.append(rest)
        self._save()

    def _save(self) -> None:
        if self._path is None:
            return
        # Written anew for every request: asdict and an indent would take ten times as long.
        names = UnsettledRequest.__slots__
        entries = [{name: getattr(each, name) for name in names} for each in self._requests]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(".new")
        draft.write_text(json.dumps(entries))
        os.replace(draft, self._path)


async def admit(
    chain: CachedChain,
    book: FeeBook,
    user: Address,
    *,
    minimum: int,
    estimated: int = 0,
    pretend_short: bool = False,
) -> Service:
    """Let the request through the billing gate, or raise Refusal with the broker's text.

    Returns the service whose prices count for it.

    `minimum` is the reserve (MinimumLockedBalance) in neuron. `pretend_short` makes the gate
    behave as if the reserve were out of the user's reach.
    """
    account = await _acknowledged_account(chain, user)
    service = await chain.service()
    if service is None or not service.tee_signer_acknowledged:
        _refuse("service not acknowledge the tee signer")
    if pretend_short:
        minimum = account.free + NEURON_PER_0G
    unsettled = book.unsettled(user)
    if account.free < estimated + unsettled + minimum:
        account = await chain.account(user, fresh=True) or account
    if account.free < estimated + unsettled + minimum:
        _refuse_balance(account, minimum=minimum, unsettled=unsettled, estimated=estimated)
    return service


async def _acknowledged_account(chain: CachedChain, user: Address) -> SubAccount:
    account = await chain.account(user)
    if account is None:
        _refuse(f"get account from contract, account not exist: AccountNotExists({user})")
    if not account.acknowledged:
        _refuse(
            "user not acknowledge the provider, please use acknowledgeProviderSigner function in "
            "sdk first, it will take effect in 2 minutes"
        )
    return account


def _refuse_balance(
    account: SubAccount, *, minimum: int, unsettled: int, estimated: int
) -> NoReturn:
    _refuse(
        f"insufficient balance: your locked balance is {in_0g(account.free)} 0G, "
        f"but the required minimum is {in_0g(estimated + unsettled + minimum)} 0G "
        f"(breakdown: minimum reserve {in_0g(minimum)} 0G + "
        f"unsettled fees {in_0g(unsettled)} 0G + "
        f"current request fee {in_0g(estimated)} 0G). Please add more funds with: "
        f"0g-compute-cli transfer-fund --provider {account.provider} --amount <amount>"
    )


def in_0g(neuron: int) -> str:
    """Write neuron in 0G with the broker's six decimals, rounded half up."""
    micro = (neuron + NEURON_PER_0G // 2_000_000) // (NEURON_PER_0G // 1_000_000)
    return f"{micro // 1_000_000}.{micro % 1_000_000:06d}"


def _refuse(message: str) -> NoReturn:
    raise Refusal(f"validate request: {message}")
