from __future__ import annotations

from datetime import timedelta

import pytest
from django.template.loader import get_template
from django.utils import timezone

from accounts import readiness, sessions
from accounts.models import SubAccount, Wallet
from accounts.reserve import Position, position
from marketplace.models import NetworkState, Service
from tests.accounts import cast
from tests.accounts.cast import zg
from zgcompute.testing import FakeChain


def next_step(wallet: Wallet | None, service: Service) -> readiness.Step | None:
    return next(
        (step for step in readiness.steps(wallet, "devnet", service) if not step.done), None
    )


def key(wallet: Wallet | None, service: Service) -> str:
    step = next_step(wallet, service)
    return step.key if step else "ready"


def test_the_steps_come_one_after_the_other(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    assert key(None, aurora) == "sign-in"
    assert key(alice, aurora) == "deposit"
    chain.apply(chain.calls.deposit(zg("3")), alice.address)
    cast.mirror(chain, cast.ALICE)
    assert key(alice, aurora) == "transfer"
    chain.apply(chain.calls.transfer(aurora.provider, zg("1.5")), alice.address)
    cast.mirror(chain, cast.ALICE)
    assert key(alice, aurora) == "session"
    store: dict[str, object] = {}
    request = sessions.prepare(store, alice, "devnet", aurora.provider)
    sessions.seal(store, alice, "devnet", aurora.provider, cast.ALICE.sign_message(request.digest))
    assert key(alice, aurora) == "ready"


def test_every_step_has_its_form() -> None:
    for name in ("sign_in", "deposit", "transfer", "acknowledge", "session"):
        get_template(f"accounts/_step_{name}.html")


def test_the_suggested_amounts_lead_all_the_way(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    deposit = next_step(alice, aurora)
    assert deposit
    assert deposit.form["amount"] == "3"
    chain.apply(chain.calls.deposit(zg(deposit.form["amount"])), alice.address)
    cast.mirror(chain, cast.ALICE)
    transfer = next_step(alice, aurora)
    assert transfer
    assert transfer.form["amount"] == "1.5"
    chain.apply(chain.calls.transfer(aurora.provider, zg("1.5")), alice.address)
    cast.mirror(chain, cast.ALICE)
    assert key(alice, aurora) == "session"


def test_bob_is_asked_to_transfer_more_when_the_reserve_is_touched(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider, deposit="5", transfer="1")
    assert key(alice, aurora) == "session"
    SubAccount.objects.update(unsettled=zg("0.001362"))
    step = next_step(alice, aurora)
    assert step
    assert step.key == "transfer"
    assert "0.001362 0G more" in step.explanation
    assert step.form["amount"] == "0.6"


def test_usage_the_provider_has_not_reported_yet_counts(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider, deposit="5", transfer="1")
    SubAccount.objects.update(unsettled=0)
    cast.use(cast.ALICE, aurora.provider, "0.01")
    assert key(alice, aurora) == "transfer"


def test_a_ledger_too_small_for_the_reserve_is_filled_first(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    NetworkState.objects.update(min_account_balance=zg("0.1"), min_transfer_amount=zg("0.01"))
    assert next_step(alice, aurora).form["amount"] == "1.5"  # type: ignore[union-attr]
    chain.apply(chain.calls.deposit(zg("3")), alice.address)
    chain.apply(chain.calls.refund(zg("3")), alice.address)
    chain.apply(chain.calls.deposit(zg("3")), alice.address)
    cast.mirror(chain, cast.ALICE)
    alice.ledgers.update(available=zg("1"))
    step = next_step(alice, aurora)
    assert step
    assert (step.key, step.form["amount"]) == ("deposit", "1")


def test_an_undone_acknowledgement_is_asked_for(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider)
    SubAccount.objects.update(acknowledged=False)
    assert key(alice, aurora) == "acknowledge"


def test_balances_that_nobody_read_yet_are_waited_for(
    chain: FakeChain, mallory: Wallet, aurora: Service
) -> None:
    step = next_step(mallory, aurora)
    assert step
    assert (step.key, step.is_waiting) == ("deposit", True)


@pytest.mark.parametrize(
    ("free", "unsettled", "spendable", "missing", "standing"),
    [
        ("1.5", "0", "0.5", "0", "ready"),
        ("1", "0", "0", "0", "ready"),
        ("1", "0.000000000000000001", "0", "0.000000000000000001", "below reserve"),
        ("0.82", "0", "0", "0.18", "below reserve"),
        ("0", "0.5", "0", "1.5", "below reserve"),
    ],
)
def test_the_reserve_rule_is_exact(
    free: str, unsettled: str, spendable: str, missing: str, standing: str
) -> None:
    stands = Position(free=zg(free), unsettled=zg(unsettled))
    assert (stands.spendable, stands.missing) == (zg(spendable), zg(missing))
    assert stands.standing == standing


def test_what_was_used_since_the_provider_reported_is_added_to_its_report(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider, deposit="5", transfer="2")
    cast.use(cast.ALICE, aurora.provider, "0.01", seconds_ago=60)
    cast.use(cast.ALICE, aurora.provider, "0.002", seconds_ago=5)
    reported_at = timezone.now() - timedelta(seconds=30)
    SubAccount.objects.update(unsettled=zg("0.3"), unsettled_at=reported_at)
    stands = position(alice, "devnet", aurora.provider)
    assert (stands.unsettled, stands.used_here) == (zg("0.302"), zg("0.012"))


def test_a_fee_that_the_provider_counts_no_longer_locks_nobody_out(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider, deposit="5", transfer="1")
    cast.use(cast.ALICE, aurora.provider, "0.01", seconds_ago=60)
    SubAccount.objects.update(unsettled=0, unsettled_at=timezone.now())
    assert key(alice, aurora) == "session"


def test_a_claimed_debt_is_named_and_does_not_set_the_amount(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider, deposit="50", transfer="2")
    SubAccount.objects.update(unsettled=zg("30"), unsettled_at=timezone.now())
    step = next_step(alice, aurora)
    assert step
    assert step.key == "transfer"
    assert "counts 30 0G of fees" in step.explanation
    assert "made here account for 0 0G" in step.explanation
    assert step.form["amount"] == "0.5"
