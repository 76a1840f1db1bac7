from __future__ import annotations

from itertools import permutations

import pytest
from django.utils import timezone

from accounts import booking, events, refresh
from accounts.booking import Change
from accounts.models import AccountEvent, Ledger, Movement, Settlement, Transaction, Wallet
from marketplace.models import NetworkState, Service
from tests.accounts import books, cast
from tests.accounts.cast import NETWORK, zg
from zgcompute.signers import LocalSigner
from zgcompute.testing import FakeChain
from zgcompute.types import UnsignedCall

State = Transaction.State


def send(chain: FakeChain, wallet: Wallet, call: UnsignedCall, *, amount: int = 0) -> Transaction:
    """Get a call mined that the site followed to its end."""
    provider = str(call.arguments.get("provider", "")) or "".join(
        call.arguments.get("providers", ())
    )
    sent = chain.apply(call, wallet.address)
    receipt = chain.receipt(sent)
    assert receipt is not None
    return Transaction.objects.create(
        wallet=wallet,
        network="devnet",
        function=call.function,
        provider=provider,
        amount=amount,
        value=call.value,
        to=call.to,
        data=call.data,
        state=State.CONFIRMED,
        hash=sent,
        block_number=receipt.block_number,
        block_hash=receipt.block_hash,
        submitted_at=timezone.now(),
    )


def mirror(chain: FakeChain, wallet: Wallet) -> None:
    refresh.mirror(chain, NETWORK, [wallet])
    books.require_balance(wallet)


def read(chain: FakeChain, wallet: Wallet) -> None:
    chain.mine(2)
    events.read_events(chain, NETWORK)
    books.require_balance(wallet)


def transfer(chain: FakeChain, wallet: Wallet, provider: str, amount: str) -> Transaction:
    return send(chain, wallet, chain.calls.transfer(provider, zg(amount)), amount=zg(amount))


def test_the_first_look_at_a_wallet_opens_its_books(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    chain.apply(chain.calls.deposit(zg("5")), alice.address)
    chain.apply(chain.calls.transfer(aurora.provider, zg("2")), alice.address)
    mirror(chain, alice)
    assert books.lines(alice) == [("transfer", "2", "level"), ("deposit", "5", "level")]


def test_a_followed_deposit_and_withdrawal_are_booked_with_their_transactions(
    chain: FakeChain, alice: Wallet
) -> None:
    deposit = send(chain, alice, chain.calls.deposit(zg("5")))
    withdrawal = send(chain, alice, chain.calls.refund(zg("1.5")), amount=zg("1.5"))
    mirror(chain, alice)
    assert books.lines(alice) == [
        ("deposit", "5", "transaction"),
        ("withdrawal", "1.5", "transaction"),
    ]
    first = deposit.movements.get()
    assert (first.transaction_hash, first.block_number) == (deposit.hash, deposit.block_number)
    assert withdrawal.movements.get().available_change == -zg("1.5")


def test_money_from_somebody_else_is_seen_as_a_change_of_level(
    chain: FakeChain, alice: Wallet
) -> None:
    chain.endow(cast.MALLORY.address, zg("10"))
    send(chain, alice, chain.calls.deposit(zg("5")))
    chain.apply(chain.calls.deposit_for(alice.address, zg("3")), cast.MALLORY.address)
    mirror(chain, alice)
    assert books.lines(alice) == [("deposit", "5", "transaction"), ("deposit", "3", "level")]


def test_mirror_events_and_transactions_end_in_the_same_rows_in_every_order(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    mirror(chain, alice)
    send(chain, alice, chain.calls.deposit(zg("9")))
    transfer(chain, alice, aurora.provider, "4")
    chain.settle(alice.address, aurora.provider, zg("0.25"))
    send(chain, alice, chain.calls.retrieve([aurora.provider]))
    chain.advance(86_401)
    send(chain, alice, chain.calls.retrieve([aurora.provider]))
    chain.mine(2)
    steps = {
        "mirror": lambda: refresh.mirror(chain, NETWORK, [alice]),
        "events": lambda: events.read_events(chain, NETWORK),
        "transactions": lambda: (
            Transaction.objects.update(state=State.CONFIRMED),
            booking.explain(alice, "devnet"),
        ),
    }
    for order in permutations(steps):
        Movement.objects.all().delete()
        AccountEvent.objects.all().delete()
        NetworkState.objects.update(events_block=0)
        Ledger.objects.update(available=0, total=0, block_number=None)
        alice.sub_accounts.all().delete()
        Transaction.objects.update(state=State.SENT)
        for name in order:
            steps[name]()
            if Ledger.objects.get().block_number is not None:
                books.require_balance(alice)
        assert books.lines(alice) == [
            ("deposit", "9", "transaction"),
            ("transfer", "4", "transaction"),
            ("settlement", "0.25", "event"),
            ("return", "3.75", "transaction"),
        ], order


def test_what_a_followed_transfer_did_is_said_before_its_event_is_read(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    send(chain, alice, chain.calls.deposit(zg("5")))
    sent = transfer(chain, alice, aurora.provider, "2")
    mirror(chain, alice)
    row = sent.movements.get()
    assert (row.kind, row.amount, row.source) == ("transfer", zg("2"), "transaction")
    assert (row.transaction_hash, row.block_number) == (sent.hash, sent.block_number)
    assert row.event is None
    read(chain, alice)
    assert sent.movements.get().event is not None
    assert books.lines(alice) == [
        ("deposit", "5", "transaction"),
        ("transfer", "2", "transaction"),
    ]


def test_a_settlement_is_booked_with_its_row_and_its_block_time(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider)
    chain.settle(alice.address, aurora.provider, zg("0.5"))
    mirror(chain, alice)
    assert ("settlement", "0.5", "level") in books.lines(alice)
    read(chain, alice)
    row = Movement.objects.get(kind="settlement")
    settlement = Settlement.objects.get()
    assert (row.source, row.settlement, row.happened_at) == (
        "event",
        settlement,
        settlement.settled_at,
    )
    assert (row.available_change, row.locked_change) == (0, -zg("0.5"))


def test_cancelled_refunds_move_nothing_and_are_not_booked(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider, deposit="9", transfer="4")
    read(chain, alice)
    send(chain, alice, chain.calls.retrieve([aurora.provider]))
    transfer(chain, alice, aurora.provider, "1")
    transfer(chain, alice, aurora.provider, "5")
    mirror(chain, alice)
    read(chain, alice)
    assert ("transfer", "2", "transaction") in books.lines(alice)
    assert Movement.objects.filter(kind="transfer").count() == 2


def test_a_ledger_that_was_emptied_and_made_anew_adds_up(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider)
    for pause in (1, 86_401):
        chain.advance(pause)
        send(chain, alice, chain.calls.retrieve([aurora.provider]))
    send(chain, alice, chain.calls.refund(zg("5")), amount=zg("5"))
    mirror(chain, alice)
    read(chain, alice)
    assert not alice.sub_accounts.exists()
    cast.fund(chain, cast.ALICE, aurora.provider)
    read(chain, alice)
    assert Movement.objects.filter(kind="transfer", source="event").count() == 2


def test_a_wallet_that_comes_later_finds_its_past(chain: FakeChain, aurora: Service) -> None:
    chain.endow(cast.BOB.address, zg("9"))
    chain.apply(chain.calls.deposit(zg("5")), cast.BOB.address)
    chain.apply(chain.calls.transfer(aurora.provider, zg("2")), cast.BOB.address)
    chain.settle(cast.BOB.address, aurora.provider, zg("0.1"))
    chain.mine(2)
    events.read_events(chain, NETWORK)
    bob = cast.wallet_of(cast.BOB)
    mirror(chain, bob)
    assert books.lines(bob) == [
        ("transfer", "2", "event"),
        ("settlement", "0.1", "event"),
        ("deposit", "5", "level"),
    ]
    assert Settlement.objects.get().wallet == bob


def test_balances_mirrored_before_there_were_books_are_their_opening(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider)
    Movement.objects.all().delete()
    mirror(chain, alice)
    assert books.lines(alice) == [("transfer", "2", "level"), ("deposit", "5", "level")]


def test_a_deposit_whose_block_was_replaced_is_taken_out_of_the_books(
    chain: FakeChain, alice: Wallet
) -> None:
    events.read_events(chain, NETWORK)
    sent = send(chain, alice, chain.calls.deposit(zg("5")))
    mirror(chain, alice)
    chain.reorganise(1)
    chain.drop(sent.hash)
    chain.mine(2)
    Transaction.objects.update(state=State.SENT, block_number=None)
    read(chain, alice)
    mirror(chain, alice)
    assert books.lines(alice) == []


def test_a_replaced_block_that_only_the_mirror_saw_leaves_no_trace(
    chain: FakeChain, alice: Wallet, mallory: Wallet
) -> None:
    chain.endow(mallory.address, zg("10"))
    events.read_events(chain, NETWORK)
    chain.apply(chain.calls.deposit_for(alice.address, zg("3")), mallory.address)
    mirror(chain, alice)
    assert books.lines(alice) == [("deposit", "3", "level")]
    chain.reorganise(1)
    chain.mine(1)  # the deposit is mined again
    mirror(chain, alice)
    read(chain, alice)
    mirror(chain, alice)
    assert books.lines(alice) == [("deposit", "3", "level")]


def test_what_a_sweep_found_mined_is_booked_at_once(chain: FakeChain, alice: Wallet) -> None:
    sent = send(chain, alice, chain.calls.deposit(zg("5")))
    Transaction.objects.update(state=State.SENT)
    mirror(chain, alice)
    assert books.lines(alice) == [("deposit", "5", "level")]
    Transaction.objects.update(state=State.MINED)
    booking.explain_sent("devnet")
    assert sent.movements.get().amount == zg("5")
    Transaction.objects.update(state=State.SENT)
    booking.explain_sent("devnet")
    assert books.lines(alice) == [("deposit", "5", "level")]
    books.require_balance(alice)


def test_the_fewest_movements_that_explain_a_change() -> None:
    def apart(available: int, **locked: int) -> list[tuple[str, int, str]]:
        rows = booking._apart(Change(available, locked))
        return [(row.kind, row.amount, row.provider) for row in rows]

    assert apart(5) == [("deposit", 5, "")]
    assert apart(-5) == [("withdrawal", 5, "")]
    assert apart(-2, a=2) == [("transfer", 2, "a")]
    assert apart(3, a=2) == [("transfer", 2, "a"), ("deposit", 5, "")]
    assert apart(0, a=-1) == [("settlement", 1, "a")]
    assert apart(2, a=-2) == [("return", 2, "a")]
    assert apart(1, a=-3) == [("return", 1, "a"), ("settlement", 2, "a")]
    assert apart(0, a=-3, b=3) == [("transfer", 3, "b"), ("return", 3, "a")]
    assert apart(0, a=0) == []


@pytest.mark.parametrize("signer", [cast.ALICE, cast.BOB])
def test_what_is_locked_with_other_kinds_of_service_has_no_provider(
    chain: FakeChain, signer: LocalSigner, aurora: Service
) -> None:
    chain.endow(signer.address, zg("20"))
    cast.fund(chain, signer, aurora.provider, deposit="9", transfer="2")
    ledgers = chain._blocks.latest.state.ledgers
    from dataclasses import replace

    ledger = ledgers[signer.address]
    ledgers[signer.address] = replace(ledger, available=ledger.available - zg("3"))
    cast.mirror(chain, signer)
    wallet = cast.wallet_of(signer)
    books.require_balance(wallet)
    assert Movement.objects.get(wallet=wallet, provider="", kind="transfer").amount == zg("3")
