from __future__ import annotations

import pytest
from django.test import Client

from accounts import deletion, keys, outcomes, transactions
from accounts.models import ApiKey, Ledger, Wallet
from accounts.transactions import Refused
from marketplace.models import Service
from tests.accounts import cast
from tests.accounts.cast import NETWORK, zg
from tests.accounts.test_pages import HASH, HTMX, PAGE, prepared, text
from zgcompute.testing import FakeChain


def make_key(wallet: Wallet, provider: str, label: str) -> ApiKey:
    key = keys.prepare(wallet, "devnet", provider, label, None)
    keys.seal(key, cast.ALICE.sign_message(keys.request_of(key).digest))
    return key


def empty(chain: FakeChain, wallet: Wallet, provider: str) -> None:
    """Everything is settled away: a ledger exists and holds nothing."""
    chain.apply(chain.calls.deposit(zg("3")), wallet.address)
    chain.apply(chain.calls.transfer(provider, zg("3")), wallet.address)
    chain.settle(wallet.address, provider, zg("3"))
    cast.mirror(chain, cast.ALICE)


def test_an_empty_ledger_can_be_deleted(
    signed_in: Client, chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    empty(chain, alice, aurora.provider)
    assert "Review deletion" in text(signed_in.get(PAGE))
    row = prepared(signed_in, "deletion/")
    call = chain.calls.delete_ledger()
    assert (row.function, row.to, row.data) == ("deleteLedger", call.to, call.data)
    chain.apply(call, alice.address)
    cast.mirror(chain, cast.ALICE)
    assert not Ledger.objects.get().exists
    assert "Review deletion" not in text(signed_in.get(PAGE))


def test_a_ledger_that_holds_something_is_not_deleted(
    signed_in: Client, chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider, deposit="5", transfer="2")
    reply = signed_in.post(f"{PAGE}deletion/", **HTMX)
    assert reply.status_code == 422
    assert "still holds 5 0G, 2 0G of them with providers" in text(reply)
    assert "withdraw everything" in text(reply)


def test_a_ledger_is_not_deleted_while_a_deposit_is_on_its_way(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    empty(chain, alice, aurora.provider)
    outcomes.record_hash(transactions.prepare_deposit(alice, NETWORK, zg("1")), HASH)
    with pytest.raises(Refused, match="deposit into this ledger is on its way"):
        transactions.prepare_deletion(alice, NETWORK)


def test_without_a_ledger_there_is_nothing_to_delete(alice: Wallet) -> None:
    with pytest.raises(Refused, match="no ledger"):
        transactions.prepare_deletion(alice, NETWORK)


def test_revoked_keys_that_would_live_again_are_named_before_everything_is_withdrawn(
    signed_in: Client, chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider, deposit="5", transfer="2")
    revoked, active = (make_key(alice, aurora.provider, label) for label in ("old", "new"))
    chain.apply(chain.calls.revoke_tokens(aurora.provider, [revoked.slot, 9]), alice.address)
    cast.mirror(chain, cast.ALICE)
    (revival,) = deletion.revivals(alice, "devnet")
    assert revival.revoked == (f"slot {revoked.slot}, “old”", "slot 9")
    assert revival.active == (f"slot {active.slot}, “new”",)
    assert "Revoke all API keys first" not in text(signed_in.get(PAGE))  # 2 0G are still locked

    chain.apply(chain.calls.retrieve([aurora.provider]), alice.address)
    chain.advance(86_400)
    chain.apply(chain.calls.retrieve([aurora.provider]), alice.address)
    cast.mirror(chain, cast.ALICE)
    reply = signed_in.post(f"{PAGE}withdrawal/", {"preset": "everything"}, **HTMX)
    assert "deletes your ledger" in text(reply)
    assert "Revoke all API keys first." in text(reply)
    assert "“old” (revoked)" in text(reply)


def test_revoking_all_keys_leaves_none_to_live_again(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider)
    key = make_key(alice, aurora.provider, "old")
    chain.apply(chain.calls.revoke_token(aurora.provider, key.slot), alice.address)
    chain.apply(chain.calls.revoke_all_tokens(aurora.provider), alice.address)
    cast.mirror(chain, cast.ALICE)
    assert deletion.revivals(alice, "devnet") == []


def test_the_chain_does_revive_a_revoked_key_with_a_new_sub_account(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider, deposit="3", transfer="3")
    chain.apply(chain.calls.revoke_token(aurora.provider, 4), alice.address)
    chain.settle(alice.address, aurora.provider, zg("3"))
    chain.apply(chain.calls.delete_ledger(), alice.address)
    cast.fund(chain, cast.ALICE, aurora.provider)
    assert not chain.sub_account(alice.address, aurora.provider).is_revoked(4)


def test_the_presets_leave_nothing_or_exactly_the_minimum(
    signed_in: Client, chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider, deposit="9", transfer="2")
    assert prepared(signed_in, "withdrawal/", preset="everything").amount == zg("7")
    kept = prepared(signed_in, "withdrawal/", preset="all but the minimum")
    assert kept.amount == zg("4")
    assert "deletes" not in kept.note
    nothing = signed_in.post(f"{PAGE}withdrawal/", {"preset": "half"}, **HTMX)
    assert nothing.status_code == 422
