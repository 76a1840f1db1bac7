from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts import attention, holdings, transactions
from accounts.attention import Notice, Pace
from accounts.models import Ledger, ProviderSession, SubAccount, Transaction, Wallet
from marketplace.models import Service
from tests.accounts import cast
from tests.accounts.cast import NETWORK, zg
from tests.chat import stage
from zgcompute.testing import FakeChain

State = Transaction.State


@pytest.fixture
def funded(chain: FakeChain, alice: Wallet, aurora: Service) -> Wallet:
    cast.fund(chain, cast.ALICE, aurora.provider, deposit="9", transfer="3")
    return alice


def notices(wallet: Wallet) -> list[Notice]:
    return attention.of(wallet, "devnet", holdings.of(wallet, NETWORK))


def only(wallet: Wallet) -> Notice:
    (found,) = notices(wallet)
    return found


def spend(provider: str, *hours_ago: int, fee: str = "0.1") -> None:
    for hours in hours_ago:
        used = cast.use(cast.ALICE, provider, fee, seconds_ago=hours * 3600)
        used.paid = used.fee  # settled: only the pace matters here
        used.save()


def test_where_all_is_well_nothing_is_said(funded: Wallet, signed_in: Client) -> None:
    assert notices(funded) == []
    assert b"attention" not in signed_in.get("/devnet/account/").content


def test_money_that_runs_out_today_is_announced(funded: Wallet, aurora: Service) -> None:
    spend(aurora.provider, 5, 4, 3, 2, 1)  # 0.5 0G in 5 h: 2 0G would last 20 h
    found = only(funded)
    assert found.title.endswith("about 20 h left at today's pace.")
    assert "2 0G can be spent; 5 requests cost 0.5 0G" in found.text
    assert found.remedy.url == f"/devnet/account/?provider={aurora.provider}#transfer"


def test_money_that_lasts_longer_than_a_day_is_not_mentioned(
    funded: Wallet, aurora: Service
) -> None:
    spend(aurora.provider, 5, 4, 3, 2, 1, fee="0.01")
    assert notices(funded) == []


def test_a_few_requests_are_no_pace(funded: Wallet, aurora: Service) -> None:
    spend(aurora.provider, 4, 3, 2, 1, fee="0.4")
    assert notices(funded) == []


@pytest.mark.parametrize(
    ("seconds_ago", "left"),
    [(10 * 3600, 10 * 3600 * 3), (60, 3600 * 3)],  # a burst counts as if it took an hour
)
def test_the_pace_is_exact_and_never_told_from_a_moment(seconds_ago: int, left: int) -> None:
    now = timezone.now()
    pace = Pace(zg("1"), 5, now - timedelta(seconds=seconds_ago))
    assert pace.seconds_left(zg("3"), now) == left
    assert pace.seconds_left(0, now) == 0


def test_below_the_reserve_the_missing_amount_is_said(funded: Wallet, aurora: Service) -> None:
    cast.use(cast.ALICE, aurora.provider, "2.25")
    found = only(funded)
    assert found.title.endswith("will refuse the next request.")
    assert found.text == "0.25 0G is missing to the reserve that it keeps."


def test_more_used_than_is_free_is_said_with_both_figures(funded: Wallet, aurora: Service) -> None:
    SubAccount.objects.update(unsettled=zg("3.5"), unsettled_at=timezone.now())
    found = only(funded)
    assert "Fees of 3.5 0G wait to be settled and 3 0G is free." in found.text


def test_whoever_takes_everything_out_is_not_asked_to_put_more_in(
    funded: Wallet, chain: FakeChain, aurora: Service
) -> None:
    chain.apply(chain.calls.retrieve([aurora.provider]), funded.address)
    cast.mirror(chain, cast.ALICE)
    assert notices(funded) == []


def test_a_refund_is_announced_when_it_is_due_with_its_button(
    funded: Wallet, chain: FakeChain, aurora: Service, signed_in: Client
) -> None:
    chain.apply(chain.calls.retrieve([aurora.provider]), funded.address)
    cast.mirror(chain, cast.ALICE)
    SubAccount.objects.get().refunds.update(payable_at=timezone.now())
    found = only(funded)
    assert found.title.startswith("3 0G from ")
    assert found.remedy.fields == {"provider": aurora.provider}
    reply = signed_in.post(found.remedy.url, found.remedy.fields)
    assert Transaction.objects.get().function == "retrieveFund"
    assert reply.status_code == 302


def test_collecting_says_that_it_starts_another_lock_time(
    funded: Wallet, chain: FakeChain, aurora: Service
) -> None:
    chain.apply(chain.calls.retrieve([aurora.provider]), funded.address)
    cast.mirror(chain, cast.ALICE)
    row = SubAccount.objects.get()
    row.refunds.update(payable_at=timezone.now())
    SubAccount.objects.update(balance=row.balance + zg("2"))
    assert "starts the lock time of the 2 0G" in only(funded).text


def test_a_session_that_ends_soon_is_announced(funded: Wallet, aurora: Service) -> None:
    stage.make_session(funded, aurora)
    assert notices(funded) == []
    ProviderSession.objects.update(expires_at=timezone.now() + timedelta(minutes=20))
    assert "ends at" in only(funded).title


def test_what_failed_is_said_until_it_succeeds(funded: Wallet) -> None:
    row = transactions.prepare_deposit(funded, NETWORK, zg("3"))
    row.end(State.REVERTED, "Only 1 0G is there.", "Deposit less.")
    found = only(funded)
    assert found.title == "Deposit 3 0G: failed."
    assert found.text == "Only 1 0G is there. Deposit less."
    assert found.remedy.url == f"/devnet/account/transactions/{row.pk}/"
    transactions.prepare_deposit(funded, NETWORK, zg("3")).end(State.CONFIRMED)
    assert notices(funded) == []


def test_old_failures_are_history(funded: Wallet) -> None:
    transactions.prepare_deposit(funded, NETWORK, zg("3")).end(State.DROPPED)
    Transaction.objects.update(prepared_at=timezone.now() - timedelta(days=4))
    assert notices(funded) == []


def test_balances_that_nobody_reads_are_announced(funded: Wallet, signed_in: Client) -> None:
    Ledger.objects.update(refreshed_at=timezone.now() - timedelta(minutes=11))
    found = only(funded)
    assert found.title == "These balances are old."
    assert signed_in.post(found.remedy.url, found.remedy.fields).status_code == 302
    Ledger.objects.update(problem="No RPC node answers.")  # the page says that by itself
    assert notices(funded) == []


def test_a_long_list_is_folded_up(funded: Wallet, signed_in: Client) -> None:
    for amount in range(8):
        transactions.prepare_deposit(funded, NETWORK, zg("3") + amount).end(State.DROPPED)
    body = signed_in.get("/devnet/account/").content.decode()
    assert "<summary>2 more</summary>" in body
