from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts import outcomes, sessions, transactions
from accounts.models import Ledger, Settlement, SubAccount, Transaction, Wallet
from marketplace.models import NetworkState, Service
from tests.accounts import cast
from tests.accounts.cast import NETWORK, zg
from zgcompute.testing import FakeChain

PAGE = "/devnet/account/"
HTMX = {"HTTP_HX_REQUEST": "true"}
HASH = "0x" + "ab" * 32
State = Transaction.State


def text(reply: object) -> str:
    """The words of a page, without its markup."""
    body = reply.content.decode()  # type: ignore[attr-defined]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def prepared(client: Client, path: str = "deposit/", **fields: str) -> Transaction:
    reply = client.post(PAGE + path, fields, **HTMX)
    assert reply.status_code == 200, reply.content
    return Transaction.objects.latest("prepared_at")


@pytest.mark.django_db
def test_without_a_wallet_the_page_says_what_would_be_here(client: Client) -> None:
    reply = client.get(PAGE)
    assert reply.status_code == 200
    assert "Connect wallet" in text(reply)
    assert "devnet demo wallet" in text(reply)


@pytest.mark.django_db
def test_a_real_network_offers_no_demo_wallet(client: Client) -> None:
    reply = client.get("/testnet/account/")
    assert b"demo" not in reply.content
    assert (
        client.post("/testnet/account/demo-wallet/", b"{}", "application/json").status_code == 404
    )


def test_the_page_shows_every_0g(
    signed_in: Client, chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider, deposit="5", transfer="2")
    cast.use(cast.ALICE, aurora.provider, "0.000123")
    words = text(signed_in.get(PAGE))
    assert "Ledger, available 3 0G" in words
    assert "Ledger, locked with providers 2 0G" in words
    assert "Not settled yet: 0.000123 0G" in words
    assert "ready" in words


def test_below_the_reserve_the_page_says_that_requests_will_be_refused(
    signed_in: Client, chain: FakeChain, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider, deposit="5", transfer="1")
    cast.use(cast.ALICE, aurora.provider, "0.25")
    words = text(signed_in.get(PAGE))
    assert "The next request will be refused; 0.25 0G are missing." in words


def test_a_difference_between_provider_and_usage_is_shown(
    signed_in: Client, chain: FakeChain, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider)
    cast.use(cast.ALICE, aurora.provider, "0.001")
    SubAccount.objects.update(unsettled=zg("0.003"), unsettled_at=timezone.now())
    words = text(signed_in.get(PAGE))
    assert "provider says 0.003 , 0 s ago used here 0.001" in words


def test_a_pending_refund_is_shown_with_its_time(
    signed_in: Client, chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider, transfer="2")
    chain.apply(chain.calls.retrieve([aurora.provider]), alice.address)
    cast.mirror(chain, cast.ALICE)
    reply = signed_in.get(PAGE)
    refund = SubAccount.objects.get().refunds.get()
    assert refund.payable_at.strftime("%H:%M") in text(reply)
    SubAccount.objects.get().refunds.update(payable_at=timezone.now() - timedelta(minutes=1))
    assert "due now" in text(signed_in.get(PAGE))


def test_a_page_takes_the_same_few_queries_however_much_it_shows(
    signed_in: Client,
    chain: FakeChain,
    alice: Wallet,
    aurora: Service,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider)
    for number in range(30):
        spent = cast.use(cast.ALICE, aurora.provider, "0.001")
        settlement = Settlement.objects.create(
            wallet=alice,
            network="devnet",
            provider=aurora.provider,
            transaction_hash="0x" + f"{number:064x}",
            log_index=0,
            block_number=number,
            block_hash="0x",
            status=0,
            amount=spent.fee,
            unsettled_amount=0,
            matched=spent.fee,
            settled_at=timezone.now(),
        )
        settlement.payments.create(usage=spent, amount=spent.fee)
        transactions.prepare_deposit(alice, NETWORK, zg("1"))
    signed_in.get(PAGE)  # notes the browser, once a minute
    with django_assert_max_num_queries(33):
        signed_in.get(PAGE)


def test_an_unreachable_chain_is_a_state_of_its_own(
    signed_in: Client, chain: FakeChain, alice: Wallet
) -> None:
    Ledger.objects.update(problem="No RPC node of Devnet answers.")
    words = text(signed_in.get(PAGE))
    assert "The chain cannot be reached." in words
    assert "These balances are from" in words
    assert "In your wallet 100 0G" in words


def test_the_page_looks_again_only_while_something_is_on_its_way(
    signed_in: Client, chain: FakeChain, alice: Wallet
) -> None:
    assert b"every" not in signed_in.get(f"{PAGE}balances/", **HTMX).content
    row = transactions.prepare_deposit(alice, NETWORK, zg("3"))
    outcomes.record_hash(row, HASH)
    assert b"every 1s" in signed_in.get(f"{PAGE}balances/", **HTMX).content


def test_refresh_looks_again_until_the_chain_has_answered(
    signed_in: Client, chain: FakeChain, alice: Wallet
) -> None:
    asked = signed_in.post(f"{PAGE}refresh/", **HTMX)
    assert "reading again" in text(asked)
    assert b"every 1s" in asked.content
    cast.mirror(chain, cast.ALICE)
    assert b"every" not in signed_in.get(f"{PAGE}balances/", **HTMX).content
    Ledger.objects.update(asked_at=timezone.now() - timedelta(seconds=21), refreshed_at=None)
    assert not alice.ledgers.get().is_awaited


def test_a_session_can_be_ended_from_the_page(
    signed_in: Client, chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider)
    store: dict[str, object] = {}
    request = sessions.prepare(store, alice, "devnet", aurora.provider)
    sessions.seal(store, alice, "devnet", aurora.provider, cast.ALICE.sign_message(request.digest))
    assert "End session" in text(signed_in.get(PAGE))
    signed_in.post(f"{PAGE}sessions/{aurora.provider}/end/")
    assert "End session" not in text(signed_in.get(PAGE))


def test_before_the_wallet_opens_the_page_says_what_will_be_signed(
    signed_in: Client, chain: FakeChain, alice: Wallet
) -> None:
    reply = signed_in.post(f"{PAGE}deposit/", {"amount": "3.000000000000000001"}, **HTMX)
    words = text(reply)
    assert "send 3.000000000000000001 0G to the ledger contract" in words
    assert "Afterwards" in words
    row = Transaction.objects.get()
    call = json.loads(
        re.search(r'data-call="([^"]+)"', reply.content.decode())[1].replace("&quot;", '"')
    )  # type: ignore[index]
    assert call == {
        "to": row.to,
        "data": row.data,
        "value": hex(3_000_000_000_000_000_001),
        "chainId": hex(31337),
    }


@pytest.mark.parametrize(
    ("amount", "reason"),
    [
        ("2.9", "at least 3 0G"),
        ("-1", "not an amount"),
        ("1e3", "not an amount"),
        ("0x10", "not an amount"),
        ("3,5", "not an amount"),
        ("", "not an amount"),
        ("3.0000000000000000001", "18 decimals"),
        ("1000", "holds 100 0G"),
        ("<script>", "not an amount"),
    ],
)
def test_what_cannot_be_deposited_is_the_form_again_with_its_remedy(
    signed_in: Client, alice: Wallet, amount: str, reason: str
) -> None:
    reply = signed_in.post(f"{PAGE}deposit/", {"amount": amount}, **HTMX)
    assert reply.status_code == 422
    assert reason in text(reply)
    assert b"<script>" not in reply.content
    assert not Transaction.objects.exists()


def test_a_preset_is_the_amount(signed_in: Client, alice: Wallet) -> None:
    assert prepared(signed_in, amount="4", preset="6").amount == zg("6")


def test_the_hash_is_followed_until_the_end(
    signed_in: Client, chain: FakeChain, alice: Wallet
) -> None:
    row = prepared(signed_in, amount="3")
    path = f"{PAGE}transactions/{row.pk}/"
    reply = signed_in.post(f"{path}outcome/", {"hash": HASH}, **HTMX)
    assert b"every 1s" in reply.content
    assert signed_in.get(f"{path}?shown=submitted-0", **HTMX).status_code == 204
    Transaction.objects.update(state=State.MINED, block_number=7)
    news = signed_in.get(f"{path}?shown=submitted-0", **HTMX)
    assert "readiness-changed" in news["HX-Trigger-After-Settle"]
    assert b"every 1s" in news.content
    Transaction.objects.update(state=State.CONFIRMED, confirmations=2)
    last = signed_in.get(f"{path}?shown=mined-0", **HTMX)
    assert last.status_code == 286
    assert b"every 1s" not in last.content
    assert "3 0G are in your ledger." in text(last)


def test_a_failed_transaction_says_why_and_what_to_do(signed_in: Client, alice: Wallet) -> None:
    row = prepared(signed_in, amount="3")
    row.hash = HASH
    row.end(State.REVERTED, "Only 1 0G are available.", "Deposit 2 0G first.")
    words = text(signed_in.get(f"{PAGE}transactions/{row.pk}/"))
    assert "Only 1 0G are available." in words
    assert "Deposit 2 0G first." in words


def test_declining_in_the_wallet_changes_nothing(signed_in: Client, alice: Wallet) -> None:
    row = prepared(signed_in, amount="3")
    reply = signed_in.post(f"{PAGE}transactions/{row.pk}/outcome/", {"declined": "1"}, **HTMX)
    assert "declined" in text(reply)
    row.refresh_from_db()
    assert (row.state, row.hash) == (State.REJECTED, "")


def test_an_unusable_hash_is_refused(signed_in: Client, alice: Wallet) -> None:
    row = prepared(signed_in, amount="3")
    reply = signed_in.post(f"{PAGE}transactions/{row.pk}/outcome/", {"hash": "0x12"}, **HTMX)
    assert reply.status_code == 409
    row.refresh_from_db()
    assert row.state == State.PREPARED


def test_a_stranger_finds_nothing_of_alices(client: Client, alice: Wallet, mallory: Wallet) -> None:
    row = transactions.prepare_deposit(alice, NETWORK, zg("3"))
    client.force_login(mallory, backend="accounts.backends.SignedMessage")
    path = f"{PAGE}transactions/{row.pk}/"
    assert client.get(path).status_code == 404
    assert client.get(f"{path}fee/").status_code == 404
    assert client.post(f"{path}outcome/", {"hash": HASH}).status_code == 404
    assert client.post(f"{path}outcome/", {"declined": "1"}).status_code == 404
    row.refresh_from_db()
    assert row.state == State.PREPARED
    assert alice.address not in client.get(PAGE).content.decode()


def test_a_transaction_of_one_network_is_not_found_on_another(
    signed_in: Client, alice: Wallet
) -> None:
    row = transactions.prepare_deposit(alice, NETWORK, zg("3"))
    assert signed_in.get(f"/testnet/account/transactions/{row.pk}/").status_code == 404


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path",
    [
        "deposit/",
        "transfer/",
        "funding/",
        "retrieval/",
        "withdrawal/",
        "deletion/",
        "acknowledgement/",
        "refresh/",
    ],
)
def test_money_needs_somebody_signed_in(client: Client, path: str) -> None:
    reply = client.post(PAGE + path, {"amount": "3", "provider": cast.stranger()}, **HTMX)
    assert reply.status_code == 401
    assert "signed out" in text(reply)
    assert not Transaction.objects.exists()


@pytest.mark.parametrize(
    "path",
    [
        "deposit/",
        "transfer/",
        "funding/",
        "retrieval/",
        "withdrawal/",
        "deletion/",
        "refresh/",
        "sign-out/",
    ],
)
def test_money_needs_the_csrf_token(alice: Wallet, path: str) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice, backend="accounts.backends.SignedMessage")
    assert strict.post(PAGE + path, {"amount": "3"}).status_code == 403


def test_looking_changes_nothing(signed_in: Client, alice: Wallet) -> None:
    row = transactions.prepare_deposit(alice, NETWORK, zg("3"))
    for path in ("sign-out/", "refresh/", "retrieval/", f"transactions/{row.pk}/outcome/"):
        assert signed_in.get(PAGE + path).status_code == 405
    for path in ("", "deposit/", "transfer/", "withdrawal/", f"transactions/{row.pk}/"):
        assert signed_in.get(PAGE + path).status_code == 200
    assert Transaction.objects.count() == 1


def test_forms_work_without_javascript(signed_in: Client, alice: Wallet) -> None:
    reply = signed_in.post(f"{PAGE}deposit/", {"amount": "3"})
    row = Transaction.objects.get()
    assert reply["Location"] == f"{PAGE}transactions/{row.pk}/"
    refused = signed_in.post(f"{PAGE}deposit/", {"amount": "1"})
    assert refused.status_code == 422
    assert b"<html" in refused.content


def test_the_chip_shows_the_address_and_what_is_available(
    signed_in: Client, chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider, deposit="5", transfer="2")
    body = signed_in.get("/devnet/").content.decode()
    chip = body[body.index('id="wallet"') : body.index("</details>", body.index('id="wallet"'))]
    assert f'data-address="{alice.address}"' in chip
    assert ">3</data>" in chip


def test_hostile_names_are_shown_harmlessly(
    signed_in: Client, chain: FakeChain, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider)
    Service.objects.update(model="<img src=x onerror=alert(1)>‮evil")
    body = signed_in.get(PAGE).content.decode()
    assert "<img src=x" not in body
    assert "‮" not in body


def test_the_minimum_shown_is_the_chains(signed_in: Client, alice: Wallet) -> None:
    NetworkState.objects.update(min_account_balance=zg("0.1"))
    assert "At least 0.1 0G the first time." in text(signed_in.get(PAGE))


def test_being_here_is_noted_at_most_once_a_minute(signed_in: Client, alice: Wallet) -> None:
    Wallet.objects.update(seen_at=timezone.now() - timedelta(hours=1))
    signed_in.get(PAGE)
    alice.refresh_from_db()
    first = alice.seen_at
    assert timezone.now() - first < timedelta(seconds=5)
    signed_in.get(PAGE)
    alice.refresh_from_db()
    assert alice.seen_at == first
