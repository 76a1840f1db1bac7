from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import refresh, sessions
from accounts.models import Ledger, ProviderSession, SubAccount, Wallet
from marketplace.models import NetworkState, Service
from tests.accounts import cast
from tests.accounts.cast import NETWORK, zg
from zgcompute import types
from zgcompute.errors import ProviderTimeout, RpcUnreachable
from zgcompute.signers import LocalSigner
from zgcompute.testing import FakeChain


class Teller:
    """A provider that says what is unsettled, or fails."""

    def __init__(self, answer: int | Exception) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str]] = []

    def unsettled_fee(self, user: str, api_key: str) -> int:
        self.asked.append((user, api_key))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def start_session(wallet: Wallet, provider: str, signer: LocalSigner = cast.ALICE) -> None:
    store: dict[str, object] = {}
    request = sessions.prepare(store, wallet, "devnet", provider)
    sessions.seal(store, wallet, "devnet", provider, signer.sign_message(request.digest))


def test_what_the_chain_says_is_what_is_mirrored(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider, deposit="5", transfer="2")
    ledger, row = Ledger.objects.get(wallet=alice), SubAccount.objects.get(wallet=alice)
    assert (ledger.available, ledger.total, ledger.locked) == (zg("3"), zg("5"), zg("2"))
    assert (row.balance, row.free, row.acknowledged) == (zg("2"), zg("2"), True)


def test_amounts_survive_the_database_to_the_neuron(chain: FakeChain, alice: Wallet) -> None:
    exact = 98_822_778_129_999_999_663 - zg("10")
    chain.apply(chain.calls.deposit(exact), alice.address)
    cast.mirror(chain, cast.ALICE)
    available = Ledger.objects.get(wallet=alice).available
    assert (available, type(available)) == (exact, int)


def test_a_pending_refund_is_mirrored_with_the_time_it_is_due(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider, transfer="2")
    chain.apply(chain.calls.retrieve([aurora.provider]), alice.address)
    cast.mirror(chain, cast.ALICE)
    row = SubAccount.objects.get(wallet=alice)
    refund = row.refunds.get()
    assert (row.free, row.pending_refund, refund.amount) == (0, zg("2"), zg("2"))
    assert refund.payable_at - refund.created_at == timedelta(days=1)
    assert not refund.is_payable
    cast.mirror(chain, cast.ALICE)
    assert row.refunds.count() == 1


def test_a_sub_account_that_is_gone_is_gone_from_the_mirror(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider)
    stale = SubAccount.objects.get(wallet=alice)
    SubAccount.objects.create(
        wallet=alice,
        network="devnet",
        provider=cast.stranger(),
        balance=1,
        refreshed_at=timezone.now(),
    )
    cast.mirror(chain, cast.ALICE)
    assert list(SubAccount.objects.all()) == [stale]


def test_many_wallets_are_read_at_once(chain: FakeChain, alice: Wallet, bob: Wallet) -> None:
    refresh.mirror(chain, NETWORK, [alice, bob])
    assert {row.wallet: row.wallet_balance for row in Ledger.objects.all()} == {
        alice: zg("100"),
        bob: zg("2"),
    }


def test_an_unreachable_chain_is_noted_beside_the_old_balances(
    chain: FakeChain, alice: Wallet
) -> None:
    chain.down = True
    with pytest.raises(RpcUnreachable):
        refresh.mirror(chain, NETWORK, [alice])
    ledger = Ledger.objects.get(wallet=alice)
    assert "No RPC node" in ledger.problem
    assert ledger.wallet_balance == zg("100")
    chain.down = False
    refresh.mirror(chain, NETWORK, [alice])
    ledger.refresh_from_db()
    assert ledger.problem == ""


def test_a_slow_read_does_not_turn_the_mirror_back(chain: FakeChain, alice: Wallet) -> None:
    Ledger.objects.update(block_number=chain.block_number() + 5, available=7)
    refresh.mirror(chain, NETWORK, [alice])
    assert Ledger.objects.get(wallet=alice).available == 7
    Ledger.objects.update(refreshed_at=timezone.now() - timedelta(minutes=1))
    refresh.mirror(chain, NETWORK, [alice])
    assert Ledger.objects.get(wallet=alice).available == 0


def test_only_people_who_were_here_lately_are_active(alice: Wallet, bob: Wallet) -> None:
    Wallet.objects.filter(pk=bob.pk).update(seen_at=timezone.now() - timedelta(minutes=16))
    assert refresh.active_wallets() == [alice]


def test_the_provider_is_asked_with_the_running_session(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider)
    teller = Teller(zg("0.000123"))
    refresh.refresh_unsettled(NETWORK, [alice], lambda service: teller)
    assert teller.asked == []
    start_session(alice, aurora.provider)
    refresh.refresh_unsettled(NETWORK, [alice], lambda service: teller)
    row = SubAccount.objects.get(wallet=alice)
    assert teller.asked == [(alice.address, sessions.api_key_for(alice, "devnet", aurora.provider))]
    assert row.unsettled == zg("0.000123")
    assert row.unsettled_at is not None


def test_a_silent_provider_is_noted_and_keeps_nobody_waiting(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider)
    start_session(alice, aurora.provider)
    refresh.refresh_unsettled(NETWORK, [alice], lambda service: Teller(5))
    first = SubAccount.objects.get(wallet=alice)

    def reach(service: types.Service) -> Teller:
        return Teller(ProviderTimeout("Aurora does not answer."))

    refresh.refresh_unsettled(NETWORK, [alice], reach)
    row = SubAccount.objects.get(wallet=alice)
    assert (row.unsettled, row.unsettled_at) == (5, first.unsettled_at)
    assert row.unsettled_problem == "Aurora does not answer."


def test_revoking_everything_drops_the_session(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider)
    start_session(alice, aurora.provider)
    cast.mirror(chain, cast.ALICE)
    assert ProviderSession.objects.count() == 1
    chain.apply(chain.calls.revoke_all_tokens(aurora.provider), alice.address)
    cast.mirror(chain, cast.ALICE)
    assert ProviderSession.objects.count() == 0


def test_the_lock_time_is_the_chains(chain: FakeChain, alice: Wallet, aurora: Service) -> None:
    NetworkState.objects.update(lock_time=3600)
    cast.fund(chain, cast.ALICE, aurora.provider)
    chain.apply(chain.calls.retrieve([aurora.provider]), alice.address)
    cast.mirror(chain, cast.ALICE)
    refund = SubAccount.objects.get(wallet=alice).refunds.get()
    assert refund.payable_at - refund.created_at == timedelta(hours=1)


def test_a_settlement_voids_what_the_provider_called_unsettled_before_it(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider)
    SubAccount.objects.update(unsettled=zg("0.5"), unsettled_at=timezone.now())
    cast.mirror(chain, cast.ALICE)
    assert SubAccount.objects.get().unsettled == zg("0.5")
    chain.settle(alice.address, aurora.provider, zg("0.5"))
    cast.mirror(chain, cast.ALICE)
    row = SubAccount.objects.get()
    assert (row.balance, row.unsettled, row.unsettled_at) == (zg("1.5"), None, None)


def test_a_silent_provider_is_asked_about_one_wallet_only(
    chain: FakeChain, alice: Wallet, bob: Wallet, aurora: Service
) -> None:
    chain.endow(bob.address, zg("10"))
    for signer in (cast.ALICE, cast.BOB):
        cast.fund(chain, signer, aurora.provider)
    start_session(alice, aurora.provider)
    start_session(bob, aurora.provider, cast.BOB)
    teller = Teller(ProviderTimeout("Aurora does not answer."))
    refresh.refresh_unsettled(NETWORK, [alice, bob], lambda service: teller)
    assert len(teller.asked) == 1
    problems = SubAccount.objects.values_list("unsettled_problem", flat=True)
    assert list(problems) == ["Aurora does not answer."] * 2


def test_before_the_lock_time_is_known_no_refund_is_called_payable(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    NetworkState.objects.update(lock_time=None)
    cast.fund(chain, cast.ALICE, aurora.provider)
    chain.apply(chain.calls.retrieve([aurora.provider]), alice.address)
    cast.mirror(chain, cast.ALICE)
    assert not SubAccount.objects.get().refunds.get().is_payable
