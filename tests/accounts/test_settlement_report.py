from __future__ import annotations

from datetime import timedelta

from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts import settlement_report
from accounts.models import Settlement, Wallet
from accounts.periods import Excerpt
from marketplace.models import Service
from tests.accounts import cast
from tests.accounts.cast import NETWORK, zg
from tests.accounts.test_pages import text

PAGE = "/devnet/account/settlements/"


def settle(
    wallet: Wallet, provider: str, block: int, amount: str, used: str = "", hours_ago: int = 0
) -> Settlement:
    """A settlement of `amount`, of which `used` was used here in one request."""
    row = Settlement.objects.create(
        wallet=wallet,
        network="devnet",
        provider=provider,
        transaction_hash="0x" + f"{block:064x}",
        log_index=0,
        block_number=block,
        block_hash="0x",
        status=0,
        amount=zg(amount),
        unsettled_amount=0,
        matched=zg(used or "0"),
        settled_at=timezone.now() - timedelta(hours=hours_ago),
    )
    if used:
        usage = cast.use(cast.ALICE, provider, used)
        row.payments.create(usage=usage, amount=usage.fee)
        usage.paid, usage.settlement = usage.fee, row
        usage.save()
    return row


def rows(wallet: Wallet, **wanted: str) -> list[settlement_report.Row]:
    return settlement_report.report(wallet, NETWORK, Excerpt(**wanted)).paging.rows


def test_each_settlement_lists_the_requests_it_paid(
    signed_in: Client, alice: Wallet, aurora: Service
) -> None:
    settle(alice, aurora.provider, 7, "0.25", used="0.25")
    words = text(signed_in.get(PAGE))
    assert "Settled 0.25 0G: exactly your answer." in words
    assert "The requests it paid" in words
    assert "test-chat 0.25 0.25" in words
    assert "Difference 0 0G" in words


def test_the_running_difference_is_that_of_the_provider(alice: Wallet, aurora: Service) -> None:
    other = cast.stranger()
    settle(alice, aurora.provider, 1, "0.3", used="0.2")
    settle(alice, other, 2, "5")
    settle(alice, aurora.provider, 3, "0.2", used="0.2")
    settle(alice, aurora.provider, 4, "0.05")
    assert [row.running for row in rows(alice)] == [zg("0.15"), zg("0.1"), zg("5"), zg("0.1")]
    assert [row.running for row in rows(alice, provider=aurora.provider)] == [
        zg("0.15"),
        zg("0.1"),
        zg("0.1"),
    ]


def test_it_runs_on_from_page_to_page_and_past_what_is_filtered_out(
    alice: Wallet, aurora: Service
) -> None:
    for block in range(25):
        settle(alice, aurora.provider, block, "0.01", hours_ago=2400 - 100 * block)
    assert [row.running for row in rows(alice, period="all", page="3")] == [
        zg("0.05"),
        zg("0.04"),
        zg("0.03"),
        zg("0.02"),
        zg("0.01"),
    ]
    (newest, *_) = rows(alice, period="7")
    assert newest.running == zg("0.25")


def test_the_page_takes_the_same_few_queries_however_many(
    signed_in: Client,
    alice: Wallet,
    aurora: Service,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for block in range(30):
        settle(alice, aurora.provider, block, "0.02", used="0.01")
    signed_in.get(PAGE)
    with django_assert_max_num_queries(12):
        assert "Page 1 of 3" in text(signed_in.get(PAGE))


def test_a_balance_that_dropped_at_once_is_explained_on_the_account_page(
    signed_in: Client, alice: Wallet, aurora: Service, chain: object
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider)  # type: ignore[arg-type]
    settle(alice, aurora.provider, 7, "0.25", used="0.25")
    assert "a balance fell by 0.25 0G at once" in text(signed_in.get("/devnet/account/"))
    Settlement.objects.update(settled_at=timezone.now() - timedelta(days=2))
    assert "a balance fell by" not in text(signed_in.get("/devnet/account/"))
