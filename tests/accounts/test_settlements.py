from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import events, finality, settlements, usage
from accounts import explanations as words
from accounts.models import AccountEvent, Payment, Settlement, Usage, Wallet
from marketplace import indexing
from marketplace.models import NetworkState, Service, ServiceChange
from tests.accounts import cast
from tests.accounts.cast import NETWORK, zg
from zgcompute import amounts, fees, types
from zgcompute.errors import RpcUnreachable
from zgcompute.signers import LocalSigner
from zgcompute.testing import FakeChain, fake_service


@pytest.fixture(autouse=True)
def _funded(chain: FakeChain, alice: Wallet, aurora: Service) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider, deposit="9", transfer="2")


def read(chain: FakeChain) -> set[Wallet]:
    """Let enough blocks pass and read the events."""
    chain.mine(2)
    return events.read_events(chain, NETWORK)


def explanations() -> list[str]:
    rows = Settlement.objects.order_by("pk")
    lowest = words.lowest_prices(rows)
    return [words.explanation(row, lowest) for row in rows]


def test_a_settlement_is_exactly_the_two_answers_it_paid_for(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    first = cast.use(cast.ALICE, aurora.provider, "0.000100000000000001", seconds_ago=50)
    second = cast.use(cast.ALICE, aurora.provider, "0.000023", seconds_ago=40)
    chain.settle(alice.address, aurora.provider, first.fee + second.fee)
    assert read(chain) == {alice}
    row = Settlement.objects.get()
    assert (row.amount, row.matched) == (first.fee + second.fee, first.fee + second.fee)
    assert row.balance_after == zg("2") - row.amount
    assert row.provider == aurora.provider
    assert set(row.paid_usage.all()) == {first, second}
    assert explanations() == ["Settled 0.000123000000000001 0G: exactly your 2 answers."]


def test_usage_made_elsewhere_is_named_and_not_hidden(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.use(cast.ALICE, aurora.provider, "0.001")
    chain.settle(alice.address, aurora.provider, zg("0.003"))
    read(chain)
    assert Settlement.objects.get().matched == zg("0.001")
    assert explanations() == [
        "Settled 0.003 0G: 0.001 0G of it for your answer. The other 0.002 0G were not used "
        "here: for instance with an API key."
    ]


def test_a_settlement_without_any_usage_here_says_so(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    chain.settle(alice.address, aurora.provider, zg("0.003"))
    read(chain)
    assert explanations() == ["Settled 0.003 0G: not used here, but for instance with an API key."]


def test_the_oldest_usage_is_paid_first_and_the_rest_waits(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    young = cast.use(cast.ALICE, aurora.provider, "0.001", seconds_ago=30)
    old = cast.use(cast.ALICE, aurora.provider, "0.001", seconds_ago=60)
    chain.settle(alice.address, aurora.provider, zg("0.001"))
    read(chain)
    old.refresh_from_db()
    young.refresh_from_db()
    assert old.settlement is not None
    assert (young.settlement, young.paid) == (None, 0)
    assert explanations() == ["Settled 0.001 0G: exactly your answer."]


def test_an_exhausted_balance_pays_in_part_and_the_next_settlement_the_rest(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.use(cast.ALICE, aurora.provider, "1.5", seconds_ago=60)
    big = cast.use(cast.ALICE, aurora.provider, "1", seconds_ago=50)
    assert chain.settle(alice.address, aurora.provider, zg("2.5")) == 1
    read(chain)
    big.refresh_from_db()
    assert (big.paid, big.unpaid, big.settlement) == (zg("0.5"), zg("0.5"), None)
    chain.apply(chain.calls.transfer(aurora.provider, zg("1")), alice.address)
    chain.settle(alice.address, aurora.provider, zg("0.5"))
    read(chain)
    big.refresh_from_db()
    assert (big.unpaid, big.settlement) == (0, Settlement.objects.order_by("pk").last())
    assert explanations() == [
        "Settled 2 0G: exactly your answer and a part of another. The balance was exhausted; "
        "0.5 0G are still owed.",
        "Settled 0.5 0G: exactly your answer.",
    ]


def test_only_a_part_of_one_answer_is_called_that(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.use(cast.ALICE, aurora.provider, "3")
    chain.settle(alice.address, aurora.provider, zg("3"))
    read(chain)
    assert explanations() == [
        "Settled 2 0G: exactly a part of your answer. The balance was exhausted; 1 0G are still "
        "owed."
    ]


def test_a_refused_settlement_takes_nothing_and_says_why(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.use(cast.ALICE, aurora.provider, "0.001")
    chain.register(fake_service(tee_signer_acknowledged=False))
    assert chain.settle(alice.address, aurora.provider, zg("0.001")) == 3
    read(chain)
    row = Settlement.objects.get()
    assert (row.amount, row.matched, row.provider) == (0, 0, aurora.provider)
    assert "signer is not acknowledged" in explanations()[0]
    assert "0.001 0G are still owed" in explanations()[0]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("text-to-image", "your 2 orders of pictures"),
        ("image-editing", "your 2 edits"),
        ("speech-to-text", "your 2 transcripts"),
        ("something new", "your 2 requests"),
    ],
)
def test_what_was_paid_for_is_called_what_it_is(
    chain: FakeChain, alice: Wallet, aurora: Service, kind: str, words: str
) -> None:
    for _ in range(2):
        cast.use(cast.ALICE, aurora.provider, "0.001", kind=kind)
    chain.settle(alice.address, aurora.provider, zg("0.002"))
    read(chain)
    assert explanations() == [f"Settled 0.002 0G: exactly {words}."]


def test_different_things_are_requests(chain: FakeChain, alice: Wallet, aurora: Service) -> None:
    cast.use(cast.ALICE, aurora.provider, "0.001", kind="text-to-image")
    cast.use(cast.ALICE, aurora.provider, "0.001")
    chain.settle(alice.address, aurora.provider, zg("0.002"))
    read(chain)
    assert explanations() == ["Settled 0.002 0G: exactly your 2 requests."]


def test_a_batch_pays_everybody_their_own(
    chain: FakeChain, alice: Wallet, mallory: Wallet, aurora: Service
) -> None:
    chain.endow(mallory.address, zg("9"))
    cast.fund(chain, cast.MALLORY, aurora.provider)
    mine = cast.use(cast.ALICE, aurora.provider, "0.001")
    theirs = cast.use(cast.MALLORY, aurora.provider, "0.002")
    chain.settle_batch(
        aurora.provider,
        {types.Address(alice.address): mine.fee, types.Address(mallory.address): theirs.fee},
    )
    assert read(chain) == {alice, mallory}
    amounts = {row.wallet: (row.amount, row.matched) for row in Settlement.objects.all()}
    assert amounts == {alice: (zg("0.001"),) * 2, mallory: (zg("0.002"),) * 2}


def test_strangers_settlements_are_not_kept(chain: FakeChain, aurora: Service) -> None:
    chain.endow(cast.BOB.address, zg("9"))
    chain.apply(chain.calls.deposit(zg("5")), cast.BOB.address)
    chain.apply(chain.calls.transfer(aurora.provider, zg("2")), cast.BOB.address)
    chain.settle(cast.BOB.address, aurora.provider, zg("0.1"))
    read(chain)
    assert not Settlement.objects.exists()


def test_usage_recorded_after_its_settlement_is_matched_all_the_same(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    chain.advance(30)
    chain.settle(alice.address, aurora.provider, zg("0.001"))
    read(chain)
    fee = fees.Fee(zg("0.001"), zg("0.001"), 0, 0, "usage", ())
    counted = types.Usage(prompt_tokens=10, completion_tokens=20)
    row = usage.record(alice, "devnet", aurora.provider, "test-chat", "chatbot", fee, counted)
    row.refresh_from_db()
    assert row.settlement == Settlement.objects.get()
    assert (row.input_tokens, row.output_tokens, row.basis) == (10, 20, "usage")


def test_later_usage_is_not_paid_by_an_earlier_settlement(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    chain.settle(alice.address, aurora.provider, zg("0.001"))
    read(chain)
    Settlement.objects.update(settled_at=timezone.now() - timedelta(minutes=5))
    row = cast.use(cast.ALICE, aurora.provider, "0.001", seconds_ago=0)
    settlements.match(alice, "devnet", aurora.provider)
    row.refresh_from_db()
    assert row.settlement is None


def test_reading_a_range_twice_records_nothing_twice(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.use(cast.ALICE, aurora.provider, "0.001")
    chain.settle(alice.address, aurora.provider, zg("0.001"))
    read(chain)
    NetworkState.objects.update(events_block=0, events_hash=chain.block(0).hash)
    read(chain)
    assert Settlement.objects.count() == 1
    assert Payment.objects.count() == 1


def test_events_wait_for_their_confirmations(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    chain.settle(alice.address, aurora.provider, zg("0.001"))
    events.read_events(chain, NETWORK)
    assert not Settlement.objects.exists()
    read(chain)
    assert Settlement.objects.count() == 1


def test_a_replaced_block_takes_its_settlement_back(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    spent = cast.use(cast.ALICE, aurora.provider, "0.001")
    chain.settle(alice.address, aurora.provider, spent.fee)
    read(chain)
    assert Settlement.objects.get().matched == spent.fee
    chain.reorganise(3)
    chain._blocks.waiting.clear()  # the settlement does not come back
    chain.mine(5)
    read(chain)
    spent.refresh_from_db()
    assert not Settlement.objects.exists()
    assert (spent.paid, spent.settlement) == (0, None)


def test_a_settlement_mined_again_elsewhere_is_recorded_once(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    spent = cast.use(cast.ALICE, aurora.provider, "0.001")
    chain.settle(alice.address, aurora.provider, spent.fee)
    read(chain)
    before = Settlement.objects.get().block_hash
    chain.reorganise(3)
    chain.mine(5)
    read(chain)
    row = Settlement.objects.get()
    assert row.block_hash != before
    assert row.matched == spent.fee
    assert Usage.objects.get().paid == spent.fee


def test_a_chain_that_starts_anew_is_read_from_its_start(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.use(cast.ALICE, aurora.provider, "0.001")
    chain.settle(alice.address, aurora.provider, zg("0.001"))
    read(chain)
    fresh = cast.make_chain()
    events.read_events(fresh, NETWORK)
    assert not Settlement.objects.exists()
    assert NetworkState.of("devnet").events_block == 0
    assert Usage.objects.get().unpaid == zg("0.001")


def test_an_unreachable_chain_leaves_the_cursor_where_it_was(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    read(chain)
    cursor = NetworkState.of("devnet").events_block
    chain.settle(alice.address, aurora.provider, zg("0.001"))
    chain.mine(2)
    chain.down = True
    with pytest.raises(RpcUnreachable):
        events.read_events(chain, NETWORK)
    assert NetworkState.of("devnet").events_block == cursor
    chain.down = False
    events.read_events(chain, NETWORK)
    assert Settlement.objects.count() == 1


def test_a_long_history_is_read_in_bounded_ranges(
    chain: FakeChain, alice: Wallet, aurora: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "BLOCKS_AT_ONCE", 2)
    chain.settle(alice.address, aurora.provider, zg("0.001"))
    chain.mine(6)
    while NetworkState.of("devnet").events_block != chain.block_number() - 2:
        before = NetworkState.of("devnet").events_block or 0
        events.read_events(chain, NETWORK)
        assert (NetworkState.of("devnet").events_block or 0) - before <= 2
    assert Settlement.objects.count() == 1


def test_money_events_after_the_result_belong_to_it_too(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    chain.settle(alice.address, aurora.provider, zg("0.001"))
    logs = [
        event
        for event in chain.events(0, chain.block_number())
        if event.block_number == chain.block_number()
    ]
    inference = chain.contracts().inference
    for order in (logs, list(reversed(logs))):
        item = settlements.items(order, inference)[0]
        assert (item.amount, item.balance_after) == (zg("0.001"), zg("1.999"))


def test_money_spent_by_other_services_is_no_settlement_of_ours(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    chain.settle(alice.address, aurora.provider, zg("0.001"))
    logs = chain.events(0, chain.block_number())
    assert settlements.items(logs, cast.stranger())[0].amount == 0


def test_what_an_exhausted_settlement_did_not_reach_has_no_part_in_it(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.use(cast.ALICE, aurora.provider, "2", seconds_ago=60)
    waiting = cast.use(cast.ALICE, aurora.provider, "1", seconds_ago=50)
    assert chain.settle(alice.address, aurora.provider, zg("3")) == 1
    read(chain)
    assert not Payment.objects.filter(usage=waiting).exists()
    assert explanations() == [
        "Settled 2 0G: exactly your answer. The balance was exhausted; 1 0G are still owed."
    ]


def test_a_fee_that_is_never_settled_does_not_keep_later_ones_from_their_settlement(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    forgotten = cast.use(cast.ALICE, aurora.provider, "0.005", seconds_ago=60)
    later = cast.use(cast.ALICE, aurora.provider, "0.004", seconds_ago=50)
    chain.settle(alice.address, aurora.provider, later.fee)
    read(chain)
    later.refresh_from_db()
    forgotten.refresh_from_db()
    assert later.settlement is not None
    assert forgotten.paid == 0
    assert explanations() == ["Settled 0.004 0G: exactly your answer."]


def test_a_node_that_lags_behind_takes_nothing_back(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    chain.settle(alice.address, aurora.provider, zg("0.001"))
    read(chain)
    NetworkState.objects.update(events_block=chain.block_number() + 3)
    public = replace(NETWORK, local=False)
    assert events.read_events(chain, public) == set()
    assert Settlement.objects.count() == 1
    assert NetworkState.of("devnet").events_block == chain.block_number() + 3


def test_a_settlement_on_a_local_chain_at_rest_is_read_without_another_block(
    chain: FakeChain, alice: Wallet, aurora: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain.settle(alice.address, aurora.provider, zg("0.001"))
    monkeypatch.setattr(finality, "IDLE", timedelta(days=-1))
    events.read_events(chain, NETWORK)
    assert Settlement.objects.count() == 1


def two_hundred(signer: LocalSigner, provider: str) -> list[int]:
    """Fees of 200 answers of the last hours, none like another; oldest first."""
    counted = [10**13 + 7919 * number**2 for number in range(200)]
    wallet = cast.wallet_of(signer)
    Usage.objects.bulk_create(
        Usage(
            wallet=wallet,
            network="devnet",
            provider=provider,
            model="test-chat",
            kind="chatbot",
            fee=fee,
            basis="usage",
            happened_at=timezone.now() - timedelta(seconds=20 * (210 - number)),
        )
        for number, fee in enumerate(counted)
    )
    return counted


def settle_in_three(chain: FakeChain, alice: Wallet, provider: str, counted: list[int]) -> None:
    for batch in (counted[:70], counted[70:145], counted[145:]):
        chain.settle(alice.address, provider, sum(batch))
        read(chain)


def test_two_hundred_requests_in_three_settlements_are_named_without_a_difference(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    counted = two_hundred(cast.ALICE, aurora.provider)
    settle_in_three(chain, alice, aurora.provider, counted)
    rows = list(Settlement.objects.order_by("block_number"))
    assert [int(row.amount) - int(row.matched) for row in rows] == [0, 0, 0]
    named = [
        sorted(row.paid_usage.values_list("fee", flat=True), key=counted.index) for row in rows
    ]
    assert named == [counted[:70], counted[70:145], counted[145:]]
    assert [text.split(": ")[1] for text in explanations()] == [
        "exactly your 70 answers.",
        "exactly your 75 answers.",
        "exactly your 55 answers.",
    ]


def test_settlements_read_in_any_order_name_the_same_requests(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    counted = two_hundred(cast.ALICE, aurora.provider)
    settle_in_three(chain, alice, aurora.provider, counted)
    steps = list(AccountEvent.objects.filter(kind="settlement"))
    paid = dict(Usage.objects.values_list("fee", "settlement__log_index"))
    for order in ((2, 0, 1), (1, 2, 0)):
        settlements.undo_above("devnet", 0)
        for number in order:
            settlements.adopt(alice, "devnet", [steps[number]])
        assert dict(Usage.objects.values_list("fee", "settlement__log_index")) == paid
        assert {row.amount - row.matched for row in Settlement.objects.all()} == {0}


def test_a_provider_that_charges_a_neuron_more_is_pointed_out_with_both_numbers(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    counted = two_hundred(cast.ALICE, aurora.provider)
    chain.settle(alice.address, aurora.provider, sum(counted[:70]))
    chain.settle(alice.address, aurora.provider, sum(counted[70:]) + 1)
    read(chain)
    told = explanations()
    assert told[0].endswith("exactly your 70 answers.")
    exact_fees = amounts.exact(sum(counted[70:]))
    assert told[1] == (
        f"Settled {amounts.exact(sum(counted[70:]) + 1)} 0G for your 130 answers, whose exact "
        f"fees are {exact_fees} 0G: the provider charged 1 neuron more."
    )


def test_what_a_request_elsewhere_may_have_cost_is_no_overcharge(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    spent = cast.use(cast.ALICE, aurora.provider, "0.001")
    lowest = min(aurora.input_price, aurora.output_price)
    chain.settle(alice.address, aurora.provider, spent.fee + lowest)
    read(chain)
    assert "were not used here" in explanations()[0]
    Service.objects.update(input_price=10 * lowest, output_price=10 * lowest)
    assert "neuron more" in explanations()[0]
    ServiceChange.objects.create(
        service=aurora,
        at=timezone.now(),
        field="input_price",
        before=str(lowest),
        after=str(10 * lowest),
    )
    assert "were not used here" in explanations()[0]


def test_a_provider_that_settles_in_another_order_than_ours_is_understood(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    fees_of_three = [cast.use(cast.ALICE, aurora.provider, f).fee for f in ("0.1", "0.02", "0.03")]
    chain.settle(alice.address, aurora.provider, fees_of_three[0] + fees_of_three[2])
    read(chain)
    assert explanations() == ["Settled 0.13 0G: exactly your 2 answers."]
    assert Usage.objects.get(settlement=None).fee == fees_of_three[1]
