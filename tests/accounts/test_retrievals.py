from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts import narration, outcomes, retrievals, transactions
from accounts.models import Refund, SubAccount, Transaction, Wallet
from accounts.transactions import Refused
from marketplace.models import NetworkState, Service
from tests.accounts import cast
from tests.accounts.cast import NETWORK, zg
from tests.accounts.test_pages import HASH, HTMX, PAGE, prepared, text
from zgcompute.addresses import checksum
from zgcompute.testing import FakeChain, fake_service


@pytest.fixture
def three(chain: FakeChain, alice: Wallet) -> list[str]:
    """Alice has 1, 2 and 3 0G with three providers, all free."""
    chain.apply(chain.calls.deposit(zg("10")), alice.address)
    providers = [str(checksum("0x" + f"{number:040x}")) for number in (81, 82, 83)]
    for amount, provider in enumerate(providers, start=1):
        chain.register(replace(fake_service(), provider=provider))
        chain.apply(chain.calls.transfer(provider, zg(str(amount))), alice.address)
    cast.mirror(chain, cast.ALICE)
    return providers


def retrieve(chain: FakeChain, wallet: Wallet, *providers: str) -> None:
    chain.apply(chain.calls.retrieve(providers), wallet.address)
    cast.mirror(chain, cast.ALICE)


def pass_lock_time() -> None:
    Refund.objects.update(payable_at=timezone.now() - timedelta(seconds=1))


def test_one_call_retrieves_from_all_the_largest_first(
    chain: FakeChain, alice: Wallet, three: list[str]
) -> None:
    row = transactions.prepare_retrieval(alice, NETWORK)
    assert retrievals.providers_of(row) == tuple(reversed(three))
    assert row.data == chain.calls.retrieve(list(reversed(three))).data
    assert (row.amount, row.provider) == (zg("6"), "")
    assert narration.story(row).title == "Retrieve funds from 3 providers"
    assert row.note == "The lock time of this network is 24 hours."


def test_no_call_names_more_providers_than_the_chain_allows(
    alice: Wallet, three: list[str]
) -> None:
    NetworkState.objects.update(max_providers_per_batch=2)
    first = transactions.prepare_retrieval(alice, NETWORK)
    assert retrievals.providers_of(first) == (three[2], three[1])
    assert "1 more remain for the next call" in first.note
    outcomes.record_hash(first, HASH)
    second = transactions.prepare_retrieval(alice, NETWORK)
    assert retrievals.providers_of(second) == (three[0],)


def test_what_is_on_its_way_is_not_retrieved_twice(alice: Wallet, three: list[str]) -> None:
    outcomes.record_hash(transactions.prepare_retrieval(alice, NETWORK), HASH)
    with pytest.raises(Refused, match="nothing to retrieve now"):
        transactions.prepare_retrieval(alice, NETWORK)
    with pytest.raises(Refused, match="is on its way"):
        transactions.prepare_retrieval(alice, NETWORK, three[0])


def test_bringing_home_names_only_those_with_something_due(
    chain: FakeChain, alice: Wallet, three: list[str]
) -> None:
    with pytest.raises(Refused, match="Nothing is due"):
        transactions.prepare_retrieval(alice, NETWORK, due_only=True)
    retrieve(chain, alice, three[1])
    pass_lock_time()
    row = transactions.prepare_retrieval(alice, NETWORK, due_only=True)
    assert retrievals.providers_of(row) == (three[1],)
    assert (row.amount, row.note) == (
        0,
        "2 0G whose lock time has passed come home with this call.",
    )
    assert "second of two steps" in narration.story(row).afterwards


def test_bringing_home_also_locks_what_is_still_free_and_says_so(
    chain: FakeChain, alice: Wallet, three: list[str]
) -> None:
    retrieve(chain, alice, three[0])
    chain.apply(chain.calls.deposit(zg("3")), alice.address)
    chain.apply(chain.calls.transfer(three[0], zg("1.5")), alice.address)  # cancels the refund
    retrieve(chain, alice, three[0])
    chain.apply(chain.calls.transfer(three[0], zg("0.5")), alice.address)
    cast.mirror(chain, cast.ALICE)
    pass_lock_time()
    row = transactions.prepare_retrieval(alice, NETWORK, three[0])
    assert row.amount == zg("0.5")
    assert "1 0G whose lock time has passed come home" in row.note
    assert "0.5 0G that are still free start a lock time of 24 hours" in row.note
    assert "transfer the same amount" in row.note
    chain.advance(86_400)
    before = chain.ledger(alice.address).available
    chain.apply(chain.calls.retrieve([three[0]]), alice.address)
    assert chain.ledger(alice.address).available == before + zg("1")
    (waiting,) = chain.sub_account(alice.address, three[0]).refunds
    assert waiting.amount == zg("0.5")
    available = chain.ledger(alice.address).available
    chain.apply(chain.calls.transfer(three[0], zg("0.5")), alice.address)
    assert chain.sub_account(alice.address, three[0]).free == zg("0.5")
    assert chain.ledger(alice.address).available == available


def test_a_provider_with_five_refunds_does_not_block_the_others(
    chain: FakeChain, alice: Wallet, three: list[str]
) -> None:
    account = SubAccount.objects.get(provider=three[2])
    for index in range(5):
        Refund.objects.create(
            sub_account=account,
            index=index,
            amount=1,
            created_at=timezone.now(),
            payable_at=timezone.now() + timedelta(hours=1),
        )
    row = transactions.prepare_retrieval(alice, NETWORK)
    assert retrievals.providers_of(row) == (three[1], three[0])
    assert "1 left out: 5 refunds wait there" in row.note
    with pytest.raises(Refused, match="the most it may have"):
        transactions.prepare_retrieval(alice, NETWORK, three[2])


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (3600, "60 minutes"),
        (86_400, "24 hours"),
        (604_800, "7 days"),
        (5400, "90 minutes"),
        (3601, "3601 seconds"),
        (None, "unknown length"),
    ],
)
def test_the_lock_time_is_the_chains(chain: FakeChain, seconds: int | None, words: str) -> None:
    NetworkState.objects.update(lock_time=seconds)
    assert retrievals.lock_words(NetworkState.of("devnet")) == words


def test_where_a_devnets_clock_was_moved_on_refunds_are_due_by_its_clock(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider)
    retrieve(chain, alice, aurora.provider)
    assert not Refund.objects.get().is_payable
    NetworkState.objects.update(
        seen_at=timezone.now(), block_time=timezone.now() + timedelta(hours=25)
    )
    cast.mirror(chain, cast.ALICE)
    assert Refund.objects.get().is_payable
    NetworkState.objects.update(
        seen_at=timezone.now(), block_time=timezone.now() + timedelta(seconds=40)
    )
    cast.mirror(chain, cast.ALICE)
    assert Refund.objects.get().payable_at - Refund.objects.get().created_at == timedelta(days=1)


def test_a_retrieval_names_what_it_does_with_each_provider(
    chain: FakeChain, alice: Wallet, three: list[str]
) -> None:
    retrieve(chain, alice, three[0])
    pass_lock_time()
    parts = retrievals.parts_of(transactions.prepare_retrieval(alice, NETWORK))
    assert [(part.provider, part.due, part.starting) for part in parts] == [
        (three[0], zg("1"), 0),
        (three[2], 0, zg("3")),
        (three[1], 0, zg("2")),
    ]
    assert Transaction.objects.get().amount == zg("5")


def test_the_page_offers_all_providers_and_then_the_next_batch(
    signed_in: Client, alice: Wallet, three: list[str]
) -> None:
    NetworkState.objects.update(max_providers_per_batch=2)
    page = text(signed_in.get(PAGE))
    assert "This takes two steps, 24 hours apart" in page
    assert "One call takes 2 providers; 1 remain for the next." in page
    assert "Bring home" not in page
    row = prepared(signed_in, "retrieval/")
    path = f"{PAGE}transactions/{row.pk}/"
    assert "Review next batch" not in text(signed_in.get(path))
    sent = signed_in.post(f"{path}outcome/", {"hash": HASH}, **HTMX)
    assert "1 more provider to retrieve from. Review next batch" in text(sent)
    assert retrievals.providers_of(prepared(signed_in, "retrieval/")) == (three[0],)


def test_the_page_says_what_bringing_home_does_before_the_wallet_opens(
    signed_in: Client, chain: FakeChain, alice: Wallet, three: list[str]
) -> None:
    retrieve(chain, alice, three[0], three[1])
    pass_lock_time()
    assert "3 0G can come home now." in text(signed_in.get(PAGE))
    reply = signed_in.post(f"{PAGE}retrieval/", {"due": "1"}, **HTMX)
    words = text(reply)
    assert "Bring funds home from 2 providers" in words
    assert "2 0G come home" in words
    assert "start their lock time" not in words


def test_a_countdown_runs_from_the_servers_time(
    signed_in: Client, chain: FakeChain, alice: Wallet, three: list[str]
) -> None:
    retrieve(chain, alice, three[0])
    refund = Refund.objects.get()
    body = signed_in.get(PAGE).content.decode()
    left = re.search(r'<time datetime="([^"]+)" data-countdown="([^"]+)">([^<]+)</time>', body)
    assert left
    assert datetime.fromisoformat(left[1]) == refund.payable_at
    assert abs(datetime.fromisoformat(left[2]) - timezone.now()) < timedelta(minutes=1)
    assert "23" in left[3]
    assert f"{refund.payable_at:%H:%M}</time> UTC" in body  # without JavaScript too
