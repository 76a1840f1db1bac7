"""What a chain does, told once and asked of two: FakeChain, and RpcChain on a real node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.contract.worlds import ZG, AnvilWorld, FakeWorld, World, anvil_world, calls_of
from zgcompute.chain import Chain
from zgcompute.errors import (
    BelowMinimum,
    ChainError,
    InsufficientBalance,
    LedgerError,
    LedgerMissing,
    LimitExceeded,
    RefundLocked,
    RpcUnreachable,
    ServiceMissing,
    SubAccountMissing,
    TransactionReverted,
    WrongNetwork,
)
from zgcompute.signers import LocalSigner
from zgcompute.types import Address, Receipt, UnsignedCall


@pytest.fixture(scope="module")
def node() -> Iterator[AnvilWorld]:
    with anvil_world() as world:
        yield world


@pytest.fixture(params=["fake", pytest.param("anvil", marks=pytest.mark.chain)])
def world(request: pytest.FixtureRequest) -> World:
    return FakeWorld() if request.param == "fake" else request.getfixturevalue("node")


@pytest.fixture
def alice(world: World) -> LocalSigner:
    return world.person()


@pytest.fixture
def aurora(world: World) -> Address:
    return world.person().address


def sent(world: World, call: UnsignedCall, signer: LocalSigner) -> Receipt:
    return world.chain.wait(world.chain.send(call, signer))


def funded(world: World, alice: LocalSigner, aurora: Address, amount: int = 4 * ZG) -> None:
    calls = calls_of(world)
    sent(world, calls.deposit(10 * ZG), alice)
    sent(world, calls.transfer(aurora, amount), alice)


def test_both_are_chains(world: World) -> None:
    assert isinstance(world.chain, Chain)


def test_constants_and_contracts_are_there(world: World) -> None:
    constants = world.chain.constants()
    assert (constants.min_account_balance, constants.min_transfer_amount) == (3 * ZG, ZG)
    assert (constants.max_providers_per_batch, constants.max_providers_per_user) == (20, 50)
    assert constants.lock_time == 86_400
    assert world.chain.contracts().service_name == "inference-v1.0"


def test_blocks_follow_each_other(world: World) -> None:
    world.later(1)
    number = world.chain.block_number()
    latest = world.chain.block(number)
    assert world.chain.block().number >= number
    assert latest.parent_hash == world.chain.block(number - 1).hash
    assert latest.timestamp > world.chain.block(0).timestamp
    with pytest.raises(ChainError, match="has no block"):
        world.chain.block(10**9)


def test_a_stranger_has_nothing_and_that_is_an_answer(
    world: World, alice: LocalSigner, aurora: Address
) -> None:
    with pytest.raises(LedgerMissing) as missing:
        world.chain.ledger(alice.address)
    assert missing.value.arguments == {"user": alice.address}
    with pytest.raises(SubAccountMissing):
        world.chain.sub_account(alice.address, aurora)
    with pytest.raises(ServiceMissing):
        world.chain.service(aurora)
    assert world.chain.sub_accounts(alice.address) == ()
    state = world.chain.wallets([alice.address])[alice.address]
    assert (state.balance, state.ledger, state.sub_accounts) == (1000 * ZG, None, ())


def test_a_deposit_opens_a_ledger_and_costs_amount_and_fee(
    world: World, alice: LocalSigner
) -> None:
    receipt = sent(world, calls_of(world).deposit(5 * ZG), alice)
    ledger = world.chain.ledger(alice.address)
    assert (ledger.available, ledger.total, ledger.locked) == (5 * ZG, 5 * ZG, 0)
    assert receipt.succeeded
    assert world.chain.balance(alice.address) == 995 * ZG - receipt.network_fee
    assert world.chain.transaction_count(alice.address) == 1


def test_a_transaction_is_seen_as_it_was_sent(world: World, alice: LocalSigner) -> None:
    call = calls_of(world).deposit(5 * ZG)
    transaction_hash = world.chain.send(call, alice)
    receipt = world.chain.wait(transaction_hash)
    seen = world.chain.transaction(transaction_hash)
    assert seen is not None
    assert (seen.hash, seen.sender, seen.to) == (transaction_hash, alice.address, call.to)
    assert (seen.data, seen.value, seen.nonce) == (call.data, call.value, 0)
    assert seen.block_number == receipt.block_number
    assert receipt.block_hash == world.chain.block(receipt.block_number).hash
    unknown = "0x" + "12" * 32
    assert world.chain.transactions([transaction_hash, unknown]) == {
        transaction_hash: seen,
        unknown: None,
    }
    assert world.chain.receipts([transaction_hash, unknown]) == {
        transaction_hash: receipt,
        unknown: None,
    }
    assert world.chain.revert_reason(transaction_hash) is None
    assert world.chain.revert_reason(unknown) is None


def test_a_first_deposit_below_the_minimum_is_refused_with_both_numbers(
    world: World, alice: LocalSigner
) -> None:
    call = calls_of(world).deposit(3 * ZG - 1)
    for attempt in (
        lambda: world.chain.simulate(call, alice.address),
        lambda: world.chain.estimate_fee(call, alice.address),
        lambda: world.chain.send(call, alice),
    ):
        with pytest.raises(BelowMinimum) as refused:
            attempt()
        assert refused.value.arguments == {"provided": 3 * ZG - 1, "required": 3 * ZG}
    assert world.chain.transaction_count(alice.address) == 0


def test_a_wallet_that_cannot_pay_is_told_before_sending(world: World) -> None:
    poor = world.person(endowment=2 * ZG)
    with pytest.raises(InsufficientBalance, match="wallet holds too little"):
        world.chain.send(calls_of(world).deposit(3 * ZG), poor)


def test_a_call_for_another_chain_is_refused(world: World, alice: LocalSigner) -> None:
    call = replace(calls_of(world).deposit(3 * ZG), chain_id=1)
    with pytest.raises(WrongNetwork):
        world.chain.simulate(call, alice.address)
    with pytest.raises(WrongNetwork):
        world.chain.send(call, alice)


def test_the_estimated_fee_covers_the_real_one(world: World, alice: LocalSigner) -> None:
    call = calls_of(world).deposit(5 * ZG)
    estimate = world.chain.estimate_fee(call, alice.address)
    assert 0 < sent(world, call, alice).network_fee <= estimate


def test_a_price_of_ones_own_is_estimated_and_paid(world: World, alice: LocalSigner) -> None:
    call, price = calls_of(world).deposit(5 * ZG), 3 * world.chain.gas_price()
    estimate = world.chain.estimate_fee(call, alice.address, gas_price=price)
    assert estimate > world.chain.estimate_fee(call, alice.address)
    nonce = world.chain.next_nonce(alice.address)
    assert nonce == world.chain.transaction_count(alice.address) == 0
    receipt = world.chain.wait(world.chain.send(call, alice, gas_price=price, nonce=nonce))
    assert 0 < receipt.network_fee <= estimate
    assert world.chain.next_nonce(alice.address) == 1


def test_somebody_else_may_deposit(world: World, alice: LocalSigner) -> None:
    bob = world.person()
    sent(world, calls_of(world).deposit_for(bob.address, 5 * ZG), alice)
    assert world.chain.ledger(bob.address).available == 5 * ZG
    with pytest.raises(LedgerMissing):
        world.chain.ledger(alice.address)


def test_a_ledger_is_added_once(world: World, alice: LocalSigner) -> None:
    calls = calls_of(world)
    sent(world, calls.add_ledger(5 * ZG, "mine"), alice)
    assert world.chain.ledger(alice.address).additional_info == "mine"
    with pytest.raises(LedgerError) as refused:
        world.chain.simulate(calls.add_ledger(5 * ZG), alice.address)
    assert refused.value.name == "LedgerExists"
    bob = world.person()
    with pytest.raises(LimitExceeded):
        world.chain.simulate(calls.add_ledger(5 * ZG, "x" * 4097), bob.address)


def test_a_transfer_locks_money_and_acknowledges(
    world: World, alice: LocalSigner, aurora: Address
) -> None:
    funded(world, alice, aurora)
    ledger = world.chain.ledger(alice.address)
    account = world.chain.sub_account(alice.address, aurora)
    assert (ledger.available, ledger.total, ledger.locked) == (6 * ZG, 10 * ZG, 4 * ZG)
    assert (account.balance, account.free, account.acknowledged) == (4 * ZG, 4 * ZG, True)
    assert (account.generation, account.revoked_bitmap, account.refunds) == (0, 0, ())
    assert world.chain.sub_accounts(alice.address) == (account,)


@pytest.mark.parametrize(
    ("amount", "kind", "name"),
    [
        (ZG - 1, BelowMinimum, "MinimumDepositRequired"),
        (11 * ZG, InsufficientBalance, "InsufficientAvailableBalance"),
    ],
)
def test_transfers_outside_the_rules_are_refused(
    world: World,
    alice: LocalSigner,
    aurora: Address,
    amount: int,
    kind: type[LedgerError],
    name: str,
) -> None:
    calls = calls_of(world)
    sent(world, calls.deposit(10 * ZG), alice)
    with pytest.raises(kind) as refused:
        world.chain.simulate(calls.transfer(aurora, amount), alice.address)
    assert refused.value.name == name


def test_a_transfer_without_a_ledger_or_to_oneself_is_refused(
    world: World, alice: LocalSigner, aurora: Address
) -> None:
    calls = calls_of(world)
    with pytest.raises(LedgerMissing):
        world.chain.simulate(calls.transfer(aurora, ZG), alice.address)
    sent(world, calls.deposit(5 * ZG), alice)
    with pytest.raises(LedgerError, match="cannot be its own user"):
        world.chain.simulate(calls.transfer(alice.address, ZG), alice.address)


def test_an_unknown_service_name_is_refused(
    world: World, alice: LocalSigner, aurora: Address
) -> None:
    calls = calls_of(world)
    calls.contracts = replace(calls.contracts, service_name="inference-v0.1")
    sent(world, calls.deposit(5 * ZG), alice)
    for call in (calls.transfer(aurora, ZG), calls.retrieve([aurora])):
        with pytest.raises(TransactionReverted) as refused:
            world.chain.simulate(call, alice.address)
        assert refused.value.name == "ServiceNotFound"


def test_money_comes_home_with_the_second_retrieval(
    world: World, alice: LocalSigner, aurora: Address
) -> None:
    calls = calls_of(world)
    funded(world, alice, aurora)
    sent(world, calls.retrieve([aurora, world.person().address]), alice)
    account = world.chain.sub_account(alice.address, aurora)
    assert (account.balance, account.pending_refund, account.free) == (4 * ZG, 4 * ZG, 0)
    assert [(refund.index, refund.amount) for refund in account.refunds] == [(0, 4 * ZG)]
    sent(world, calls.retrieve([aurora]), alice)
    assert world.chain.ledger(alice.address).available == 6 * ZG
    world.later(86_400)
    sent(world, calls.retrieve([aurora]), alice)
    account = world.chain.sub_account(alice.address, aurora)
    assert (account.balance, account.pending_refund, account.refunds) == (0, 0, ())
    ledger = world.chain.ledger(alice.address)
    assert (ledger.available, ledger.total) == (10 * ZG, 10 * ZG)


def test_a_transfer_cancels_the_youngest_refunds_first(
    world: World, alice: LocalSigner, aurora: Address
) -> None:
    calls = calls_of(world)
    funded(world, alice, aurora, 2 * ZG)
    sent(world, calls.retrieve([aurora]), alice)
    sent(world, calls.transfer(aurora, 5 * ZG), alice)
    sent(world, calls.retrieve([aurora]), alice)
    sent(world, calls.transfer(aurora, ZG), alice)
    account = world.chain.sub_account(alice.address, aurora)
    ledger = world.chain.ledger(alice.address)
    assert (account.balance, account.pending_refund, account.free) == (5 * ZG, 4 * ZG, ZG)
    assert [refund.amount for refund in account.refunds] == [4 * ZG]
    assert (ledger.available, ledger.total) == (5 * ZG, 10 * ZG)


def test_five_refunds_wait_and_the_sixth_is_refused(
    world: World, alice: LocalSigner, aurora: Address
) -> None:
    calls = calls_of(world)
    funded(world, alice, aurora)
    for share in (2, 4, 8, 16):  # each transfer takes back a part of the youngest refund
        sent(world, calls.retrieve([aurora]), alice)
        sent(world, calls.transfer(aurora, 4 * ZG // share), alice)
    sent(world, calls.retrieve([aurora]), alice)
    account = world.chain.sub_account(alice.address, aurora)
    assert [4 * ZG // refund.amount for refund in account.refunds] == [2, 4, 8, 16, 16]
    assert (account.pending_refund, account.free) == (4 * ZG, 0)
    sent(world, calls.transfer(aurora, 1), alice)
    with pytest.raises(RefundLocked) as refused:
        world.chain.simulate(calls.retrieve([aurora]), alice.address)
    assert refused.value.name == "TooManyRefunds"


def test_refunds_to_the_wallet_keep_the_minimum_or_nothing(
    world: World, alice: LocalSigner
) -> None:
    calls = calls_of(world)
    sent(world, calls.deposit(5 * ZG), alice)
    with pytest.raises(BelowMinimum):
        world.chain.simulate(calls.refund(3 * ZG), alice.address)
    with pytest.raises(InsufficientBalance):
        world.chain.simulate(calls.refund(6 * ZG), alice.address)
    before = world.chain.balance(alice.address)
    receipt = sent(world, calls.refund(2 * ZG), alice)
    assert world.chain.balance(alice.address) == before + 2 * ZG - receipt.network_fee
    assert world.chain.ledger(alice.address).total == 3 * ZG
    sent(world, calls.refund(3 * ZG), alice)
    with pytest.raises(LedgerMissing):
        world.chain.ledger(alice.address)


def test_a_ledger_with_money_is_not_deleted(
    world: World, alice: LocalSigner, aurora: Address
) -> None:
    calls = calls_of(world)
    with pytest.raises(LedgerMissing):
        world.chain.simulate(calls.delete_ledger(), alice.address)
    sent(world, calls.deposit(5 * ZG), alice)
    with pytest.raises(LedgerError) as refused:
        world.chain.simulate(calls.delete_ledger(), alice.address)
    assert refused.value.arguments == {"remainingBalance": 5 * ZG}


def test_a_ledger_that_was_settled_away_can_be_deleted(
    world: World, alice: LocalSigner, aurora: Address
) -> None:
    calls = calls_of(world)
    world.service(aurora)
    sent(world, calls.deposit(3 * ZG), alice)
    sent(world, calls.transfer(aurora, 3 * ZG), alice)
    world.settle(alice.address, aurora, 3 * ZG)
    assert world.chain.ledger(alice.address).total == 0
    sent(world, calls.delete_ledger(), alice)
    with pytest.raises(LedgerMissing):
        world.chain.ledger(alice.address)


def test_an_emptied_ledger_takes_its_sub_accounts_along_but_not_the_generation(
    world: World, alice: LocalSigner, aurora: Address
) -> None:
    calls = calls_of(world)
    funded(world, alice, aurora)
    sent(world, calls.revoke_all_tokens(aurora), alice)
    sent(world, calls.revoke_token(aurora, 3), alice)
    sent(world, calls.retrieve([aurora]), alice)
    world.later(86_400)
    sent(world, calls.retrieve([aurora]), alice)
    receipt = sent(world, calls.refund(10 * ZG), alice)
    assert world.chain.sub_accounts(alice.address) == ()
    deleted = world.chain.events(receipt.block_number, receipt.block_number)
    assert [event.name for event in deleted] == ["AccountDeleted"]
    funded(world, alice, aurora)
    account = world.chain.sub_account(alice.address, aurora)
    assert (account.generation, account.revoked_bitmap) == (1, 0)


def test_too_many_providers_in_one_retrieval_are_refused(world: World, alice: LocalSigner) -> None:
    calls = calls_of(world)
    sent(world, calls.deposit(5 * ZG), alice)
    many = [f"0x{number:040x}" for number in range(1, 22)]
    with pytest.raises(LimitExceeded) as refused:
        world.chain.simulate(calls.retrieve(many), alice.address)
    assert refused.value.arguments == {"requested": 21, "maximum": 20}


def test_the_fifty_first_provider_is_refused_and_all_fifty_are_listed(
    world: World, alice: LocalSigner
) -> None:
    calls = calls_of(world)
    sent(world, calls.deposit(60 * ZG), alice)
    providers = [f"0x{number:040x}" for number in range(1, 51)]
    for provider in providers:
        sent(world, calls.transfer(provider, ZG), alice)
    with pytest.raises(LimitExceeded) as refused:
        world.chain.simulate(calls.transfer("0x" + "99" * 20, ZG), alice.address)
    assert refused.value.arguments == {"current": 50, "maximum": 50}
    listed = world.chain.sub_accounts(alice.address)
    assert {account.provider.lower() for account in listed} == set(providers)
    state = world.chain.wallets([alice.address])[alice.address]
    assert state.sub_accounts == listed


def test_keys_are_revoked_one_by_one_and_all_at_once(
    world: World, alice: LocalSigner, aurora: Address
) -> None:
    calls = calls_of(world)
    funded(world, alice, aurora)
    sent(world, calls.revoke_token(aurora, 254), alice)
    sent(world, calls.revoke_tokens(aurora, [0, 7]), alice)
    account = world.chain.sub_account(alice.address, aurora)
    assert [token for token in range(256) if account.is_revoked(token)] == [0, 7, 254]
    receipt = sent(world, calls.revoke_all_tokens(aurora), alice)
    account = world.chain.sub_account(alice.address, aurora)
    assert (account.generation, account.revoked_bitmap) == (1, 0)
    events = world.chain.events(receipt.block_number, receipt.block_number)
    assert [(event.name, event.arguments) for event in events] == [
        (
            "AllTokensRevoked",
            {"user": alice.address, "provider": aurora, "newGeneration": 1},
        )
    ]


def test_keys_and_acknowledgements_need_a_sub_account(
    world: World, alice: LocalSigner, aurora: Address
) -> None:
    calls = calls_of(world)
    for call in (
        calls.revoke_token(aurora, 1),
        calls.revoke_tokens(aurora, [1]),
        calls.revoke_all_tokens(aurora),
        calls.acknowledge(aurora),
    ):
        with pytest.raises(SubAccountMissing):
            world.chain.simulate(call, alice.address)


def test_an_acknowledgement_stands_while_money_is_locked(
    world: World, alice: LocalSigner, aurora: Address
) -> None:
    calls = calls_of(world)
    funded(world, alice, aurora)
    with pytest.raises(LedgerError) as refused:
        world.chain.simulate(calls.acknowledge(aurora, False), alice.address)
    assert refused.value.name == "CannotRevokeWithNonZeroBalance"
    sent(world, calls.retrieve([aurora]), alice)
    world.later(86_400)
    sent(world, calls.retrieve([aurora]), alice)
    sent(world, calls.acknowledge(aurora, False), alice)
    assert not world.chain.sub_account(alice.address, aurora).acknowledged
    sent(world, calls.acknowledge(aurora), alice)
    assert world.chain.sub_account(alice.address, aurora).acknowledged


def test_services_come_and_go(world: World, aurora: Address) -> None:
    service = world.service(aurora, acknowledged=False)
    assert world.chain.service(aurora) == service
    assert service in world.chain.services()
    number = world.chain.block_number()
    world.remove_service(aurora)
    with pytest.raises(ServiceMissing):
        world.chain.service(aurora)
    assert aurora not in [one.provider for one in world.chain.services()]
    removed = world.chain.events(number + 1, world.chain.block_number())
    assert ("ServiceRemoved", {"service": aurora}) in [(e.name, e.arguments) for e in removed]


def test_a_registration_is_an_event_with_the_record(world: World, aurora: Address) -> None:
    before = world.chain.block_number()
    service = world.service(aurora)
    events = world.chain.events(before + 1, world.chain.block_number())
    updated = next(event for event in events if event.name == "ServiceUpdated")
    assert updated.arguments["service"] == aurora
    assert updated.arguments["updatedAt"] == service.updated_at
    assert (updated.arguments["inputPrice"], updated.arguments["url"]) == (
        service.input_price,
        service.url,
    )


def settlement(
    world: World, user: Address, provider: Address, fee: int
) -> list[tuple[str, object]]:
    before = world.chain.block_number()
    world.settle(user, provider, fee)
    events = world.chain.events(before + 1, world.chain.block_number())
    assert len({event.transaction_hash for event in events}) == 1
    return [(event.name, event.arguments) for event in events]


def test_a_settlement_takes_the_fee_everywhere_and_says_so(
    world: World, alice: LocalSigner, aurora: Address
) -> None:
    world.service(aurora)
    funded(world, alice, aurora)
    fee = 1_234_567_890_123_456_789
    events = settlement(world, alice.address, aurora, fee)
    account = world.chain.sub_account(alice.address, aurora)
    ledger = world.chain.ledger(alice.address)
    assert account.balance == 4 * ZG - fee
    assert account.nonce > 0
    assert (ledger.available, ledger.total) == (6 * ZG, 10 * ZG - fee)
    inference = world.chain.contracts().inference
    assert events == [
        ("FundSpent", {"user": alice.address, "service": inference, "amount": fee}),
        (
            "BalanceUpdated",
            {
                "user": alice.address,
                "provider": aurora,
                "amount": 4 * ZG - fee,
                "pendingRefund": 0,
            },
        ),
        ("TEESettlementResult", {"user": alice.address, "status": 0, "unsettledAmount": 0}),
    ]


def test_a_settlement_larger_than_the_balance_leaves_a_debt(
    world: World, alice: LocalSigner, aurora: Address
) -> None:
    world.service(aurora)
    funded(world, alice, aurora)
    events = settlement(world, alice.address, aurora, 5 * ZG)
    assert events[-1] == (
        "TEESettlementResult",
        {"user": alice.address, "status": 1, "unsettledAmount": ZG},
    )
    assert world.chain.sub_account(alice.address, aurora).balance == 0
    again = settlement(world, alice.address, aurora, ZG)
    assert again == [
        ("TEESettlementResult", {"user": alice.address, "status": 1, "unsettledAmount": ZG})
    ]


def test_a_settlement_eats_into_pending_refunds(
    world: World, alice: LocalSigner, aurora: Address
) -> None:
    world.service(aurora)
    funded(world, alice, aurora)
    sent(world, calls_of(world).retrieve([aurora]), alice)
    settlement(world, alice.address, aurora, ZG)
    account = world.chain.sub_account(alice.address, aurora)
    assert (account.balance, account.pending_refund, account.free) == (3 * ZG, 3 * ZG, 0)
    assert [refund.amount for refund in account.refunds] == [3 * ZG]


@pytest.mark.parametrize(("acknowledged", "status"), [(False, 3), (None, 2)])
def test_settlements_without_an_acknowledged_service_take_nothing(
    world: World, alice: LocalSigner, aurora: Address, acknowledged: bool | None, status: int
) -> None:
    if acknowledged is not None:
        world.service(aurora, acknowledged=acknowledged)
    funded(world, alice, aurora)
    assert settlement(world, alice.address, aurora, ZG) == [
        ("TEESettlementResult", {"user": alice.address, "status": status, "unsettledAmount": ZG})
    ]
    assert world.chain.sub_account(alice.address, aurora).balance == 4 * ZG


def test_a_settlement_of_a_stranger_takes_nothing(
    world: World, alice: LocalSigner, aurora: Address
) -> None:
    world.service(aurora)
    assert settlement(world, alice.address, aurora, ZG) == [
        ("TEESettlementResult", {"user": alice.address, "status": 5, "unsettledAmount": ZG})
    ]


def test_a_mined_failure_has_its_reason(world: World, alice: LocalSigner) -> None:
    transaction_hash = world.mine_reverting(calls_of(world).deposit(ZG), alice)
    receipt = world.chain.receipt(transaction_hash)
    assert receipt is not None
    assert not receipt.succeeded
    reason = world.chain.revert_reason(transaction_hash)
    assert isinstance(reason, BelowMinimum)
    with pytest.raises(BelowMinimum):
        world.chain.wait(transaction_hash)
    assert world.chain.balance(alice.address) == 1000 * ZG - receipt.network_fee
    assert world.chain.events(receipt.block_number, receipt.block_number) == ()


def test_wallets_of_many_users_are_read_together(world: World, aurora: Address) -> None:
    people = [world.person() for _ in range(3)]
    for person in people[:2]:
        funded(world, person, aurora)
    states = world.chain.wallets([person.address.lower() for person in people])
    assert list(states) == [person.address for person in people]
    for person in people:
        state = states[person.address]
        assert state.balance == world.chain.balance(person.address)
        assert state.sub_accounts == world.chain.sub_accounts(person.address)
    assert states[people[2].address].ledger is None
    assert states[people[0].address].ledger == world.chain.ledger(people[0].address)
    assert len({state.block_number for state in states.values()}) == 1


def test_an_ordinary_address_is_no_contract_wallet(world: World, alice: LocalSigner) -> None:
    signature = bytes.fromhex(alice.sign_message(b"x" * 32)[2:])
    assert not world.chain.is_valid_signature(alice.address, b"x" * 32, signature)


def test_an_empty_range_has_no_events_and_a_future_one_no_answer(world: World) -> None:
    assert world.chain.events(5, 4) == ()
    with pytest.raises(RpcUnreachable):
        world.chain.events(0, 10**9)
