"""InferenceServing: services, stakes, acknowledgements, keys, lists and the lock time."""

from __future__ import annotations

from typing import Any

import pytest

from devnet.deploy import INFERENCE, LEDGER, LOCK_TIME, creation_code
from tests.devnet.contract_chain import (
    ALICE,
    AURORA,
    BOB,
    CUMULUS,
    HOUR,
    MALLORY,
    OTHER_KEY,
    OWNER,
    ZERO,
    ZG,
    ContractChain,
    events,
    reverts,
    service,
    signer_of,
)

pytestmark = pytest.mark.chain

STAKE = 100 * ZG
NOT_OWNER = "Ownable: caller is not the owner"


def offer(chain: ContractChain, provider: str, value: int = 0, **changes: Any) -> list[Any]:
    return chain.serving.send(provider, "addOrUpdateService", service(**changes), value=value)


def test_a_new_service_needs_the_stake(chain: ContractChain) -> None:
    with reverts("InsufficientStake", STAKE - 1, STAKE):
        offer(chain, CUMULUS, STAKE - 1)
    staked, updated = offer(chain, CUMULUS, STAKE)
    assert (staked.name, staked.values) == (
        "ProviderStaked",
        {"provider": CUMULUS, "amount": STAKE},
    )
    assert updated.name == "ServiceUpdated"
    assert updated.values["service"] == CUMULUS
    assert updated.values["updatedAt"] == chain.now()


def test_a_service_is_read_back_as_it_was_written(chain: ContractChain) -> None:
    assert chain.serving.read("getService", AURORA) == {
        "provider": AURORA,
        "serviceType": "chatbot",
        "url": "https://aurora.example",
        "inputPrice": 4,
        "outputPrice": 16,
        "updatedAt": chain.serving.read("getService", AURORA)["updatedAt"],
        "model": "devnet-chat",
        "verifiability": "TeeML",
        "additionalInfo": '{"TEEVerifier":"dstack"}',
        "teeSignerAddress": signer_of("0x" + "11" * 32),
        "teeSignerAcknowledged": True,
    }
    assert chain.serving.read("serviceExists", AURORA) is True


def test_a_missing_service_is_an_answer(chain: ContractChain) -> None:
    assert chain.serving.read("serviceExists", CUMULUS) is False
    with reverts("ServiceNotExist", CUMULUS):
        chain.serving.read("getService", CUMULUS)


def test_a_new_service_is_not_acknowledged(chain: ContractChain) -> None:
    offer(chain, CUMULUS, STAKE)
    assert chain.serving.read("getService", CUMULUS)["teeSignerAcknowledged"] is False


def test_an_update_must_not_carry_a_stake(chain: ContractChain) -> None:
    with reverts("CannotAddStakeWhenUpdating"):
        offer(chain, AURORA, 1)
    (event,) = offer(chain, AURORA)
    assert event.name == "ServiceUpdated"


@pytest.mark.parametrize(
    "change",
    [
        {"service_type": "text-to-image"},
        {"model": "another"},
        {"verifiability": "TeeTLS"},
        {"tee_signer": signer_of(OTHER_KEY)},
        {"additional_info": "{}"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_identity_must_be_acknowledged_anew(
    chain: ContractChain, change: dict[str, str]
) -> None:
    offer(chain, AURORA, **change)
    assert chain.serving.read("getService", AURORA)["teeSignerAcknowledged"] is False


@pytest.mark.parametrize(
    "change", [{}, {"url": "https://b.example"}, {"input_price": 0}, {"output_price": 10**30}]
)
def test_prices_and_url_may_change_under_the_acknowledgement(
    chain: ContractChain, change: dict[str, Any]
) -> None:
    offer(chain, AURORA, **change)
    assert chain.serving.read("getService", AURORA)["teeSignerAcknowledged"] is True


def test_a_service_may_have_4096_bytes_of_additional_info(chain: ContractChain) -> None:
    offer(chain, AURORA, additional_info="x" * 4096)
    with reverts("AdditionalInfoTooLong"):
        offer(chain, AURORA, additional_info="x" * 4097)


def test_removing_a_service_returns_the_stake(chain: ContractChain) -> None:
    before = chain.balance(INFERENCE)
    removed, returned = chain.serving.send(AURORA, "removeService")
    assert (removed.name, removed.values) == ("ServiceRemoved", {"service": AURORA})
    assert returned.values == {"provider": AURORA, "amount": STAKE}
    assert before - chain.balance(INFERENCE) == STAKE
    with reverts("ServiceNotExist", AURORA):
        chain.serving.send(AURORA, "removeService")


def test_a_service_that_comes_back_is_not_acknowledged(chain: ContractChain) -> None:
    chain.serving.send(AURORA, "removeService")
    offer(chain, AURORA, STAKE)
    assert chain.serving.read("getService", AURORA)["teeSignerAcknowledged"] is False


def test_the_owner_gives_and_takes_the_acknowledgement(chain: ContractChain) -> None:
    (event,) = chain.serving.send(OWNER, "revokeTEESignerAcknowledgement", AURORA)
    assert event.values["acknowledged"] is False
    assert chain.serving.read("getService", AURORA)["teeSignerAcknowledged"] is False
    (event,) = chain.serving.send(OWNER, "acknowledgeTEESignerByOwner", AURORA)
    assert event.name == "ProviderTEESignerAcknowledged"
    assert event.values["teeSignerAddress"] == signer_of("0x" + "11" * 32)
    assert chain.serving.read("getService", AURORA)["teeSignerAcknowledged"] is True


def test_the_acknowledgement_needs_a_service_and_the_owner(chain: ContractChain) -> None:
    for function in ("acknowledgeTEESignerByOwner", "revokeTEESignerAcknowledgement"):
        with reverts("ServiceNotExist", CUMULUS):
            chain.serving.send(OWNER, function, CUMULUS)
        with reverts(NOT_OWNER):
            chain.serving.send(MALLORY, function, AURORA)


def test_a_user_acknowledges_by_transferring(chain: ContractChain) -> None:
    chain.fund(ALICE, ZG)
    assert chain.account()["acknowledged"] is True
    with reverts("CannotRevokeWithNonZeroBalance", ALICE, AURORA, ZG):
        chain.serving.send(ALICE, "acknowledgeTEESigner", AURORA, False)
    chain.serving.send(ALICE, "acknowledgeTEESigner", AURORA, True)


def test_with_an_empty_sub_account_the_acknowledgement_can_be_taken_back(
    chain: ContractChain,
) -> None:
    chain.fund(ALICE, ZG)
    chain.retrieve(ALICE, AURORA)
    chain.later(LOCK_TIME)
    chain.retrieve(ALICE, AURORA)
    chain.serving.send(ALICE, "acknowledgeTEESigner", AURORA, False)
    assert chain.account()["acknowledged"] is False
    chain.serving.send(ALICE, "acknowledgeTEESigner", AURORA, False)
    chain.transfer(ALICE, AURORA, 1)
    assert chain.account()["acknowledged"] is True


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("acknowledgeTEESigner", (True,)),
        ("revokeToken", (1,)),
        ("revokeTokens", ([1],)),
        ("revokeAllTokens", ()),
    ],
)
def test_without_a_sub_account_there_is_nothing_to_say(
    chain: ContractChain, function: str, arguments: tuple[Any, ...]
) -> None:
    with reverts("AccountNotExists", ALICE, AURORA):
        chain.serving.send(ALICE, function, AURORA, *arguments)


def test_keys_are_revoked_one_by_one_several_and_all(chain: ContractChain) -> None:
    chain.fund(ALICE, ZG)
    (event,) = chain.serving.send(ALICE, "revokeToken", AURORA, 255)
    assert (event.name, event.values["tokenId"]) == ("TokenRevoked", 255)
    (event,) = chain.serving.send(ALICE, "revokeTokens", AURORA, [0, 7, 7])
    assert (event.name, event.values["tokenIds"]) == ("TokensRevoked", (0, 7, 7))
    assert chain.account()["revokedBitmap"] == 1 << 255 | 1 << 7 | 1
    revoked = [chain.serving.read("isTokenRevoked", ALICE, AURORA, i) for i in (0, 1, 7, 255)]
    assert revoked == [True, False, True, True]

    (event,) = chain.serving.send(ALICE, "revokeAllTokens", AURORA)
    assert (event.name, event.values["newGeneration"]) == ("AllTokensRevoked", 1)
    assert (chain.account()["generation"], chain.account()["revokedBitmap"]) == (1, 0)
    assert chain.serving.read("isTokenRevoked", ALICE, AURORA, 7) is False


def test_one_users_revocation_does_not_touch_another(chain: ContractChain) -> None:
    chain.fund(ALICE, ZG)
    chain.fund(BOB, ZG)
    chain.serving.send(ALICE, "revokeAllTokens", AURORA)
    assert chain.account(BOB)["generation"] == 0


def test_the_lock_time_is_a_day_and_stays_in_its_range(chain: ContractChain) -> None:
    assert chain.serving.read("lockTime") == 24 * HOUR
    assert chain.serving.read("MIN_LOCKTIME") == HOUR
    assert chain.serving.read("MAX_LOCKTIME") == 7 * 24 * HOUR
    assert chain.serving.read("MIN_PROVIDER_STAKE") == STAKE
    (event,) = chain.serving.send(OWNER, "updateLockTime", HOUR)
    assert event.values == {"oldLockTime": 24 * HOUR, "newLockTime": HOUR}
    chain.serving.send(OWNER, "updateLockTime", 7 * 24 * HOUR)
    for wrong in (HOUR - 1, 7 * 24 * HOUR + 1):
        with reverts("LockTimeOutOfRange", wrong, HOUR, 7 * 24 * HOUR):
            chain.serving.send(OWNER, "updateLockTime", wrong)
    with reverts(NOT_OWNER):
        chain.serving.send(MALLORY, "updateLockTime", HOUR)


def test_a_serving_contract_starts_with_sound_values(chain: ContractChain) -> None:
    assert chain.serving.read("ledgerAddress") == LEDGER
    code = creation_code("InferenceServing", HOUR, LEDGER, OWNER)
    (event,) = events(chain.node.send(OWNER, None, code))
    assert event.name == "ContractInitialized"
    assert event.values == {"owner": OWNER, "lockTime": HOUR, "ledgerAddress": LEDGER}
    for arguments in ((HOUR, ZERO, OWNER), (HOUR, LEDGER, ZERO)):
        with reverts("InvalidAddress", ZERO):
            chain.node.send(OWNER, None, creation_code("InferenceServing", *arguments))
    with reverts("LockTimeOutOfRange", 1, HOUR, 7 * 24 * HOUR):
        chain.node.send(OWNER, None, creation_code("InferenceServing", 1, LEDGER, OWNER))


def test_it_answers_which_interfaces_it_has(chain: ContractChain) -> None:
    def supports(interface_id: str) -> Any:
        return chain.serving.read("supportsInterface", bytes.fromhex(interface_id))

    assert (supports("01ffc9a7"), supports("ffffffff"), supports("00000000")) == (
        True,
        False,
        False,
    )


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("addAccount", (ALICE, AURORA, "")),
        ("depositFund", (ALICE, AURORA, 0)),
        ("requestRefundAll", (ALICE, AURORA)),
        ("processRefund", (ALICE, AURORA)),
        ("deleteAccount", (ALICE, AURORA)),
    ],
)
def test_only_the_ledger_moves_money_of_sub_accounts(
    chain: ContractChain, function: str, arguments: tuple[Any, ...]
) -> None:
    with reverts("CallerNotLedger", MALLORY):
        chain.serving.send(MALLORY, function, *arguments)


def test_the_serving_contract_names_what_the_ledger_hides(chain: ContractChain) -> None:
    ledger = chain.impersonate(LEDGER)
    with reverts("ProviderCannotBeUser"):
        chain.serving.send(ledger, "addAccount", ALICE, ALICE, "")
    chain.fund(ALICE, ZG)
    with reverts("AccountExists", ALICE, AURORA):
        chain.serving.send(ledger, "addAccount", ALICE, AURORA, "")
    for function in ("requestRefundAll", "processRefund", "deleteAccount"):
        with reverts("AccountNotExists", BOB, AURORA):
            chain.serving.send(ledger, function, BOB, AURORA)
    with reverts("AccountNotExists", BOB, AURORA):
        chain.serving.send(ledger, "depositFund", BOB, AURORA, 0)


def test_lists_are_paged_and_limited(chain: ContractChain) -> None:
    offer(chain, CUMULUS, STAKE)
    for user in (ALICE, BOB):
        chain.fund(user, ZG)
    chain.transfer(ALICE, CUMULUS, 2 * ZG)

    def listed(function: str, *arguments: Any) -> tuple[list[tuple[str, str]], int]:
        items, total = chain.serving.read(function, *arguments)
        return [(item.get("user", ""), item["provider"]) for item in items], total

    assert listed("getAllServices", 0, 0) == ([("", AURORA), ("", CUMULUS)], 2)
    assert listed("getAllServices", 1, 50) == ([("", CUMULUS)], 2)
    assert listed("getAllServices", 2, 50) == ([], 2)
    everything = [(ALICE, AURORA), (BOB, AURORA), (ALICE, CUMULUS)]
    assert listed("getAllAccounts", 0, 0) == (everything, 3)
    assert listed("getAllAccounts", 1, 1) == ([(BOB, AURORA)], 3)
    assert listed("getAccountsByUser", ALICE, 0, 0) == ([(ALICE, AURORA), (ALICE, CUMULUS)], 2)
    assert listed("getAccountsByProvider", AURORA, 0, 0) == ([(ALICE, AURORA), (BOB, AURORA)], 2)
    assert listed("getAccountsByUser", MALLORY, 0, 50) == ([], 0)
    for function, first in (
        ("getAllServices", ()),
        ("getAllAccounts", ()),
        ("getAccountsByUser", (ALICE,)),
        ("getAccountsByProvider", (AURORA,)),
    ):
        with reverts("LimitTooLarge", 51, 50):
            chain.serving.read(function, *first, 0, 51)


def test_a_missing_sub_account_is_an_answer(chain: ContractChain) -> None:
    assert chain.serving.read("accountExists", ALICE, AURORA) is False
    for function in ("getAccount", "getPendingRefund"):
        with reverts("AccountNotExists", ALICE, AURORA):
            chain.serving.read(function, ALICE, AURORA)
    with reverts("AccountNotExists", ALICE, AURORA):
        chain.serving.read("isTokenRevoked", ALICE, AURORA, 1)


def test_a_provider_reads_its_users_in_batches(chain: ContractChain) -> None:
    chain.fund(ALICE, ZG)
    found = chain.serving.read("getBatchAccountsByUsers", [BOB, ALICE], sender=AURORA)
    assert [(item["user"], item["balance"]) for item in found] == [(ZERO, 0), (ALICE, ZG)]
    with reverts("BatchSizeTooLarge", 501, 500):
        chain.serving.read("getBatchAccountsByUsers", [ALICE] * 501, sender=AURORA)
