"""Settlement: what is signed, when a user is due, and what each outcome does to the book."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from devnet.providers import settlement
from devnet.providers.fees import Fee
from devnet.providers.onchain import SettlementItem, SettlementResult, SettlementStatus
from devnet.providers.settlement import BATCH, Settled, Settler
from tests.devnet.bench import ALICE, INFERENCE, PROVIDER, Bench, bench
from zgcompute.errors import RpcUnreachable
from zgcompute.types import Address

USER = Address(ALICE.address)


@pytest.fixture
def aurora() -> Bench:
    aurora = bench()
    aurora.provider.book.add(USER, "ab", Fee(1, 2), at=0)
    aurora.provider.book.add(USER, "cd", Fee(0, 4), at=0)
    return aurora


def settle(aurora: Bench, *results: tuple[SettlementStatus, int]) -> list[Settled]:
    aurora.chain.results = tuple(SettlementResult(USER, *result) for result in results)
    return asyncio.run(Settler(aurora.provider).settle())


def typed(item: SettlementItem) -> dict[str, Any]:
    fields = {"requestsHash": "bytes32", "nonce": "uint256", "provider": "address"}
    fields |= {"user": "address", "totalFee": "uint256"}
    domain = {"name": "string", "version": "string", "chainId": "uint256"}
    domain |= {"verifyingContract": "address"}
    named = {"TEESettlement": fields, "EIP712Domain": domain}
    return {
        "types": {
            kind: [{"name": n, "type": t} for n, t in of.items()] for kind, of in named.items()
        },
        "primaryType": "TEESettlement",
        "domain": {
            "name": "0G Inference Serving",
            "version": "1",
            "chainId": 31337,
            "verifyingContract": INFERENCE,
        },
        "message": {
            "requestsHash": item.requests_hash,
            "nonce": item.nonce,
            "provider": PROVIDER,
            "user": item.user,
            "totalFee": item.total_fee,
        },
    }


def test_an_item_is_signed_by_the_tee_key_over_eip712(aurora: Bench) -> None:
    (done,) = settle(aurora, (SettlementStatus.SUCCESS, 0))
    ((item,),) = aurora.chain.settlements
    assert (item.user, item.total_fee) == (USER, 7)
    assert item.nonce >= 1_700_000_000 * 10**7
    signer = Account.recover_message(
        encode_typed_data(full_message=typed(item)), signature=item.signature
    )
    assert signer == aurora.provider.profile.tee_key.address
    assert (done.fee, done.status, done.unsettled) == (7, SettlementStatus.SUCCESS, 0)
    assert aurora.provider.book.unsettled(USER) == 0


def test_what_a_drained_account_owes_is_tried_again_an_hour_later(aurora: Bench) -> None:
    clock = [1_800_000_000.0]
    aurora.provider.clock = lambda: clock[0]
    settle(aurora, (SettlementStatus.PARTIAL, 3))
    assert aurora.provider.book.unsettled(USER) == 3
    assert settle(aurora) == []
    clock[0] += 3601
    settle(aurora, (SettlementStatus.SUCCESS, 0))
    assert aurora.provider.book.unsettled(USER) == 0


@pytest.mark.parametrize(
    "status",
    [
        SettlementStatus.PROVIDER_MISMATCH,
        SettlementStatus.NO_TEE_SIGNER,
        SettlementStatus.INVALID_NONCE,
        SettlementStatus.INVALID_SIGNATURE,
    ],
)
def test_a_failed_item_stays_in_the_book(aurora: Bench, status: SettlementStatus) -> None:
    (done,) = settle(aurora, (status, 7))
    assert done.status is status
    assert aurora.provider.book.unsettled(USER) == 7


def test_small_fees_wait(aurora: Bench) -> None:
    aurora.provider.options.settle_minimum = 8
    assert settle(aurora) == []
    assert aurora.chain.settlements == []


def test_nonces_always_grow(aurora: Bench) -> None:
    aurora.provider.clock = lambda: 1_800_000_000.0
    settler = Settler(aurora.provider)
    aurora.chain.results = (SettlementResult(USER, SettlementStatus.INVALID_NONCE, 7),)

    async def twice() -> None:
        await settler.settle()
        await settler.settle()

    asyncio.run(twice())
    (first,), (second,) = aurora.chain.settlements
    assert second.nonce > first.nonce


def test_users_are_settled_in_batches_of_fifty(aurora: Bench) -> None:
    for number in range(BATCH + 1):
        aurora.provider.book.add(Address(f"0x{number:040x}"), "ee", Fee(0, 1), at=0)
    aurora.chain.results = ()
    asyncio.run(Settler(aurora.provider).settle())
    assert [len(items) for items in aurora.chain.settlements] == [50, 2]


def test_nothing_is_sent_twice_while_a_batch_may_still_be_mined(
    aurora: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settlement, "MINED_WITHIN", 0.05)
    settler = Settler(aurora.provider)
    assert asyncio.run(settler.settle()) == []
    assert asyncio.run(settler.settle()) == []
    assert len(aurora.chain.settlements) == 1
    aurora.chain.results = (SettlementResult(USER, SettlementStatus.SUCCESS, 0),)
    assert [done.fee for done in asyncio.run(settler.settle())] == [7]
    assert len(aurora.chain.settlements) == 1


def test_a_request_made_meanwhile_is_left_for_the_next_time(aurora: Bench) -> None:
    def results(transaction_hash: str) -> tuple[SettlementResult, ...]:
        aurora.provider.book.add(USER, "ef", Fee(0, 100), at=0)
        return (SettlementResult(USER, SettlementStatus.SUCCESS, 0),)

    aurora.chain.settlement_results = results  # type: ignore[method-assign]
    asyncio.run(Settler(aurora.provider).settle())
    assert aurora.provider.book.unsettled(USER) == 100


def test_the_timer_outlives_an_unreachable_chain(aurora: Bench) -> None:
    attempts = 0

    def send(items: object) -> str:
        nonlocal attempts
        attempts += 1
        raise RpcUnreachable("gone")

    aurora.chain.send_settlement = send  # type: ignore[method-assign]

    async def run_a_while() -> None:
        timer = asyncio.create_task(Settler(aurora.provider).run(0.01))
        while attempts < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        timer.cancel()

    asyncio.run(run_a_while())
    assert aurora.provider.book.unsettled(USER) == 7
