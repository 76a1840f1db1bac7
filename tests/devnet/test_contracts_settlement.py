"""InferenceServing: how fees are settled, item by item."""

from __future__ import annotations

from typing import Any

import pytest

from devnet.deploy import LEDGER, STAKE
from tests.devnet.contract_chain import (
    ALICE,
    AURORA,
    BOB,
    CUMULUS,
    INFO,
    MALLORY,
    OTHER_KEY,
    OWNER,
    ZERO,
    ZG,
    ContractChain,
    Event,
    fee,
    reverts,
    service,
)

pytestmark = pytest.mark.chain

SUCCESS, PARTIAL, PROVIDER_MISMATCH, NO_TEE_SIGNER, INVALID_NONCE, INVALID_SIGNATURE = range(6)
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def results(events: list[Event]) -> list[tuple[str, int, int]]:
    """User, status and unsettled amount of every item."""
    wanted = [event.values for event in events if event.name == "TEESettlementResult"]
    return [(v["user"], v["status"], v["unsettledAmount"]) for v in wanted]


def refused(chain: ContractChain, item: tuple[Any, ...], sender: str = AURORA) -> int:
    """Settle an item that must move nothing, and return its status."""
    before = chain.balance(chain.serving.address)
    previewed = chain.serving.read("previewSettlementResults", [item], sender=sender)
    events = chain.settle(item, sender=sender)
    assert [event.name for event in events] == ["TEESettlementResult"]
    assert chain.balance(chain.serving.address) == before
    ((user, status, unsettled),) = results(events)
    assert (user, unsettled) == (item[0], item[2])
    assert previewed == ((item[0],), (status,), (), ())
    return status


def test_a_fee_goes_from_the_sub_account_to_the_provider(chain: ContractChain) -> None:
    chain.fund(ALICE, 5 * ZG)
    held = chain.balance(chain.serving.address)
    spent, updated, result = chain.settle(fee(2 * ZG, 1))
    assert (spent.name, spent.values) == (
        "FundSpent",
        {"user": ALICE, "service": chain.serving.address, "amount": 2 * ZG},
    )
    assert (updated.name, updated.values) == (
        "BalanceUpdated",
        {"user": ALICE, "provider": AURORA, "amount": 3 * ZG, "pendingRefund": 0},
    )
    assert (result.name, result.values) == (
        "TEESettlementResult",
        {"user": ALICE, "status": SUCCESS, "unsettledAmount": 0},
    )
    assert chain.ledger_of(ALICE) == (10 * ZG, 13 * ZG)
    assert (chain.account()["balance"], chain.account()["nonce"]) == (3 * ZG, 1)
    assert held - chain.balance(chain.serving.address) == 2 * ZG


def test_the_provider_is_paid(chain: ContractChain) -> None:
    chain.fund(ALICE, 5 * ZG)
    call = chain.serving.interface.encode("settleFeesWithTEE", [fee(2 * ZG, 1)])
    before = chain.balance(AURORA)
    receipt = chain.node.send(AURORA, chain.serving.address, call)
    gas = int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
    assert chain.balance(AURORA) - before == 2 * ZG - gas


def test_the_statuses_are_returned_in_order(chain: ContractChain) -> None:
    chain.fund(ALICE, 5 * ZG)
    chain.fund(BOB, ZG)
    items = [
        fee(ZG, 5),
        fee(ZG, 5),
        fee(2 * ZG, 1, user=BOB),
        fee(ZG, 6, key=OTHER_KEY),
        fee(ZG, 6, provider=CUMULUS),
        fee(ZG, 6),
    ]
    expected = (SUCCESS, INVALID_NONCE, PARTIAL, INVALID_SIGNATURE, PROVIDER_MISMATCH, SUCCESS)
    assert chain.serving.read("settleFeesWithTEE", items, sender=AURORA) == expected
    assert tuple(status for _, status, _ in results(chain.settle(*items))) == expected


def test_what_cannot_be_paid_is_reported_as_unsettled(chain: ContractChain) -> None:
    chain.fund(ALICE, 2 * ZG)
    chain.retrieve(ALICE, AURORA)
    events = chain.settle(fee(5 * ZG, 1))
    assert results(events) == [(ALICE, PARTIAL, 3 * ZG)]
    account = chain.account()
    assert (account["balance"], account["pendingRefund"], account["nonce"]) == (0, 0, 1)
    assert account["validRefundsLength"] == 0
    assert chain.ledger_of(ALICE) == (10 * ZG, 10 * ZG)


def test_an_empty_sub_account_pays_nothing_and_keeps_silent(chain: ContractChain) -> None:
    chain.fund(ALICE, 2 * ZG)
    chain.settle(fee(2 * ZG, 1))
    events = chain.settle(fee(ZG, 2))
    assert [event.name for event in events] == ["TEESettlementResult"]
    assert results(events) == [(ALICE, PARTIAL, ZG)]
    assert chain.account()["nonce"] == 2


def test_a_fee_of_zero_succeeds_and_uses_the_nonce(chain: ContractChain) -> None:
    chain.fund(ALICE, ZG)
    assert results(chain.settle(fee(0, 9))) == [(ALICE, SUCCESS, 0)]
    assert chain.account()["nonce"] == 9


def test_nobody_settles_for_another_provider(chain: ContractChain) -> None:
    chain.fund(ALICE, ZG)
    assert refused(chain, fee(1, 1), sender=MALLORY) == PROVIDER_MISMATCH


def test_without_a_service_nothing_is_settled(chain: ContractChain) -> None:
    chain.fund(ALICE, ZG)
    chain.serving.send(AURORA, "removeService")
    assert refused(chain, fee(1, 1)) == PROVIDER_MISMATCH


def test_without_a_sub_account_the_signature_counts_as_invalid(chain: ContractChain) -> None:
    assert refused(chain, fee(1, 1)) == INVALID_SIGNATURE
    chain.serving.send(AURORA, "removeService")
    assert refused(chain, fee(1, 1)) == INVALID_SIGNATURE  # looked at before the service


def test_the_owner_must_have_acknowledged_the_signer(chain: ContractChain) -> None:
    chain.fund(ALICE, ZG)
    chain.serving.send(OWNER, "revokeTEESignerAcknowledgement", AURORA)
    assert refused(chain, fee(1, 1)) == NO_TEE_SIGNER
    assert refused(chain, fee(1, 0, key=OTHER_KEY)) == NO_TEE_SIGNER  # before nonce and signature


def test_the_user_must_have_acknowledged_the_signer(chain: ContractChain) -> None:
    chain.fund(ALICE, ZG)
    chain.settle(fee(ZG, 1))
    chain.serving.send(ALICE, "acknowledgeTEESigner", AURORA, False)
    assert refused(chain, fee(1, 2)) == NO_TEE_SIGNER


def test_a_service_without_a_signer_settles_nothing(chain: ContractChain) -> None:
    chain.fund(ALICE, ZG)
    chain.serving.send(AURORA, "addOrUpdateService", service(tee_signer=ZERO))
    chain.serving.send(OWNER, "acknowledgeTEESignerByOwner", AURORA)
    assert refused(chain, fee(1, 1)) == NO_TEE_SIGNER


@pytest.mark.parametrize("nonce", [0, 4, 5])
def test_a_nonce_must_be_greater_than_the_last(chain: ContractChain, nonce: int) -> None:
    chain.fund(ALICE, ZG)
    chain.settle(fee(1, 5))
    assert refused(chain, fee(1, nonce)) == INVALID_NONCE
    assert refused(chain, fee(1, nonce, key=OTHER_KEY)) == INVALID_NONCE  # before the signature
    assert results(chain.settle(fee(1, 6))) == [(ALICE, SUCCESS, 0)]


@pytest.mark.parametrize(
    "wrong",
    [{"key": OTHER_KEY}, {"chain_id": 16602}, {"contract": LEDGER}],
    ids=["signer", "chain", "contract"],
)
def test_a_signature_of_somewhere_else_is_invalid(
    chain: ContractChain, wrong: dict[str, Any]
) -> None:
    chain.fund(ALICE, ZG)
    assert refused(chain, fee(1, 1, **wrong)) == INVALID_SIGNATURE


@pytest.mark.parametrize(
    ("position", "value"), [(2, 2), (3, b"\xac" * 32), (4, 2)], ids=["fee", "hash", "nonce"]
)
def test_a_changed_item_is_not_what_was_signed(
    chain: ContractChain, position: int, value: object
) -> None:
    chain.fund(ALICE, ZG)
    item = list(fee(1, 1))
    item[position] = value
    assert refused(chain, tuple(item)) == INVALID_SIGNATURE


def test_another_users_signature_does_not_fit(chain: ContractChain) -> None:
    chain.fund(ALICE, ZG)
    chain.fund(BOB, ZG)
    assert refused(chain, (BOB, *fee(1, 1)[1:])) == INVALID_SIGNATURE


def test_malformed_signatures_are_invalid_and_revert_nothing(chain: ContractChain) -> None:
    chain.fund(ALICE, ZG)
    *item, signature = fee(1, 1)
    r, s, v = signature[:32], int.from_bytes(signature[32:64]), signature[64]
    mirrored = r + (CURVE_ORDER - s).to_bytes(32) + bytes([55 - v])
    wrong = [
        b"",
        signature[:64],
        signature + b"\0",
        signature[:64] + bytes([v - 27]),
        bytes(65),
        mirrored,
    ]
    for bad in wrong:
        assert refused(chain, (*item, bad)) == INVALID_SIGNATURE
    assert results(chain.settle((*item, signature))) == [(ALICE, SUCCESS, 0)]


def test_a_settled_item_cannot_be_replayed_into_a_new_sub_account(chain: ContractChain) -> None:
    chain.fund(ALICE, 3 * ZG, spare=0)
    item = fee(3 * ZG, 7)
    chain.settle(item)
    chain.ledger.send(ALICE, "deleteLedger")
    chain.fund(ALICE, 3 * ZG, spare=0)
    assert refused(chain, item) == INVALID_NONCE


def test_one_bad_item_does_not_stop_the_others(chain: ContractChain) -> None:
    chain.fund(ALICE, 5 * ZG)
    chain.fund(BOB, 5 * ZG)
    events = chain.settle(
        fee(ZG, 1), fee(ZG, 1, user=MALLORY), fee(ZG, 1, user=BOB, key=OTHER_KEY), fee(ZG, 2)
    )
    assert results(events) == [
        (ALICE, SUCCESS, 0),
        (MALLORY, INVALID_SIGNATURE, ZG),
        (BOB, INVALID_SIGNATURE, ZG),
        (ALICE, SUCCESS, 0),
    ]
    assert chain.account()["balance"] == 3 * ZG


def test_a_settlement_has_1_to_50_items(chain: ContractChain) -> None:
    chain.fund(ALICE, ZG)
    items = [fee(1, nonce) for nonce in range(1, 52)]
    for act in (
        lambda *batch: chain.settle(*batch),
        lambda *batch: chain.serving.read("previewSettlementResults", batch, sender=AURORA),
    ):
        with reverts("NoSettlementsProvided"):
            act()
        with reverts("TooManySettlements", 51, 50):
            act(*items)
    assert len(results(chain.settle(*items[:50]))) == 50
    assert chain.account()["balance"] == ZG - 50


def test_the_preview_counts_the_items_before(chain: ContractChain) -> None:
    chain.fund(ALICE, 3 * ZG)
    chain.fund(BOB, ZG)
    items = [
        fee(2 * ZG, 2),
        fee(ZG, 2),
        fee(ZG, 9, key=OTHER_KEY),
        fee(ZG, 1, user=MALLORY),
        fee(2 * ZG, 3),
        fee(4 * ZG, 1, user=BOB),
        fee(ZG, 4),
    ]
    preview = chain.serving.read("previewSettlementResults", items, sender=AURORA)
    assert preview == (
        (ALICE, ALICE, MALLORY),
        (INVALID_NONCE, INVALID_SIGNATURE, INVALID_SIGNATURE),
        (ALICE, BOB, ALICE),
        (ZG, 3 * ZG, ZG),
    )
    assert chain.account()["balance"] == 3 * ZG
    outcome = results(chain.settle(*items))
    failed = [(user, status) for user, status, _ in outcome if status > PARTIAL]
    partial = [(user, owed) for user, status, owed in outcome if status == PARTIAL]
    assert failed == list(zip(*preview[:2], strict=True))
    assert partial == list(zip(*preview[2:], strict=True))


def test_a_provider_that_cannot_be_paid_settles_nothing(chain: ContractChain) -> None:
    refuser = "0x" + "88" * 20
    chain.node.call("anvil_setBalance", refuser, hex(200 * ZG))
    chain.impersonate(refuser)
    chain.serving.send(refuser, "addOrUpdateService", service(), value=STAKE)
    chain.serving.send(OWNER, "acknowledgeTEESignerByOwner", refuser)
    chain.fund(ALICE, ZG, provider=refuser)
    chain.node.call("anvil_setCode", refuser, "0xfe")
    with reverts("TransferFailed"):
        chain.settle(fee(1, 1, provider=chain.account(ALICE, refuser)["provider"]), sender=refuser)
    assert chain.account(ALICE, refuser)["balance"] == ZG


def test_a_reset_acknowledgement_stops_settlement_until_it_is_given_again(
    chain: ContractChain,
) -> None:
    chain.fund(ALICE, ZG)
    chain.serving.send(AURORA, "addOrUpdateService", service(additional_info=INFO + " "))
    assert refused(chain, fee(1, 1)) == NO_TEE_SIGNER
    chain.serving.send(OWNER, "acknowledgeTEESignerByOwner", AURORA)
    assert results(chain.settle(fee(1, 1))) == [(ALICE, SUCCESS, 0)]
