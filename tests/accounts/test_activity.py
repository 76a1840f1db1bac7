from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts import transactions
from accounts.models import Ledger, Movement, Transaction, Wallet
from marketplace.models import NetworkState, Service
from tests.accounts.cast import NETWORK, zg
from tests.accounts.test_pages import text
from tests.accounts.test_usage_report import download

PAGE = "/devnet/account/activity/"
FILE = "/devnet/account/activity.csv"
Kind, Source = Movement.Kind, Movement.Source
State = Transaction.State


def move(
    wallet: Wallet,
    kind: Kind,
    neuron: int,
    provider: str = "",
    source: Source = Source.EVENT,
    days_ago: int = 0,
) -> Movement:
    inferred = source == Source.LEVEL
    return Movement.objects.create(
        wallet=wallet,
        network="devnet",
        kind=kind,
        amount=neuron,
        provider=provider,
        source=source,
        transaction_hash="" if inferred else "0x" + "cd" * 32,
        block_number=None if inferred else 7,
        happened_at=timezone.now() - timedelta(days=days_ago),
    )


@pytest.fixture
def moved(alice: Wallet, aurora: Service) -> Wallet:
    """Alice's money moved in every way there is; her ledger is what remains."""
    here = aurora.provider
    move(alice, Kind.DEPOSIT, zg("9"), source=Source.LEVEL, days_ago=50)
    move(alice, Kind.TRANSFER, zg("4") + 1, here)
    move(alice, Kind.SETTLEMENT, zg("0.5") + 3, here)
    move(alice, Kind.RETURN, zg("1"), here)
    move(alice, Kind.WITHDRAWAL, zg("2"))
    available, locked = zg("4") - 1, zg("2.5") - 2
    Ledger.objects.filter(wallet=alice).update(
        exists=True, available=available, total=available + locked
    )
    return alice


def test_the_file_sums_to_the_ledger_as_the_account_page_shows_it(
    signed_in: Client, moved: Wallet
) -> None:
    lines = download(signed_in, f"{FILE}?period=all")
    ledger = moved.ledgers.get()
    assert sum(int(line["available_change_neuron"]) for line in lines) == ledger.available
    assert sum(int(line["locked_change_neuron"]) for line in lines) == ledger.locked
    body = signed_in.get("/devnet/account/").content.decode()
    assert f'Ledger, locked with providers <data class="amount" value="{ledger.locked}"' in body
    assert f'<dd><data class="amount" value="{ledger.available}"' in body


def test_so_do_the_sums_of_the_page(signed_in: Client, moved: Wallet) -> None:
    words = text(signed_in.get(f"{PAGE}?period=all"))
    assert "+3.999999999999999999 0G now 3.999999999999999999" in words
    assert "+2.499999999999999998 0G now 2.499999999999999998" in words


def test_a_movement_without_an_event_is_marked(signed_in: Client, moved: Wallet) -> None:
    words = text(signed_in.get(f"{PAGE}?period=all&kind=deposit"))
    assert "Seen as a change of your balance; the contract emits no event for it." in words
    assert "inferred" in words
    assert "inferred" not in text(signed_in.get(f"{PAGE}?period=all&kind=transfer"))


def test_movements_are_chosen_by_kind_provider_and_time(
    signed_in: Client, moved: Wallet, aurora: Service
) -> None:
    found = {
        query: len(download(signed_in, FILE + query))
        for query in ("?period=all", "", "?kind=return", f"?provider={aurora.provider}")
    }
    assert list(found.values()) == [5, 4, 1, 3]
    assert "1 in this time" in text(signed_in.get(f"{PAGE}?kind=return"))
    assert "No movement in this time." in text(signed_in.get(f"{PAGE}?kind=deposit"))


def test_calls_that_moved_nothing_are_listed_apart_with_what_became_of_them(
    signed_in: Client, moved: Wallet
) -> None:
    failed = transactions.prepare_deposit(moved, NETWORK, zg("3"))
    failed.end(State.REVERTED, "It was refused.")
    done = transactions.prepare_deposit(moved, NETWORK, zg("4"))
    done.end(State.CONFIRMED)
    Movement.objects.filter(kind=Kind.TRANSFER).update(transaction=done)
    words = text(signed_in.get(f"{PAGE}?kind=calls"))
    assert "Deposit 3 0G It was refused." in words
    assert "failed" in words
    assert "Deposit 4 0G" not in words
    overview = text(signed_in.get("/devnet/account/"))
    assert "It was refused." in overview


def test_many_movements_take_the_same_few_queries(
    signed_in: Client,
    moved: Wallet,
    aurora: Service,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(120):
        move(moved, Kind.TRANSFER, zg("1") + number, aurora.provider)
    signed_in.get(PAGE)
    with django_assert_max_num_queries(10):
        words = text(signed_in.get(PAGE))
    assert "Page 1 of 3" in words


def test_others_see_none_of_it(client: Client, moved: Wallet, mallory: Wallet) -> None:
    client.force_login(mallory, backend="accounts.backends.SignedMessage")
    assert download(client, f"{FILE}?period=all") == []
    assert "No movement in this time." in text(client.get(f"{PAGE}?period=all"))


def test_a_past_that_is_still_being_read_is_said_with_its_progress(
    client: Client, moved: Wallet
) -> None:
    client.force_login(moved)
    state = NetworkState.of("devnet")
    state.history_block, state.history_start = 12_000, 2_000
    state.save()
    for page in (PAGE, "/devnet/account/settlements/"):
        assert "Known from block 12,000 on; 10,000 older blocks are to come." in text(
            client.get(page)
        )
    state.history_block = 2_000
    state.save()
    assert "still being read" not in text(client.get(PAGE))
