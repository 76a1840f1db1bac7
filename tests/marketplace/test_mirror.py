from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from marketplace import mirror
from marketplace.models import NetworkState
from tests.marketplace.factories import make_state
from zgcompute.testing import CONSTANTS, FakeChain

pytestmark = pytest.mark.django_db


def test_the_first_look_reads_block_and_rules() -> None:
    chain = FakeChain()
    assert mirror.watch_block(chain, "devnet")
    state = NetworkState.of("devnet")
    assert state.block_number == chain.block_number()
    assert state.contracts == chain.contracts()
    assert state.min_account_balance == CONSTANTS.min_account_balance
    assert state.lock_time == CONSTANTS.lock_time


def test_rules_are_read_again_only_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = FakeChain()
    mirror.watch_block(chain, "devnet")
    monkeypatch.setattr(chain, "constants", lambda: pytest.fail("The rules were read again."))
    mirror.watch_block(chain, "devnet")


def test_old_rules_are_read_again() -> None:
    make_state(rules_at=timezone.now() - timedelta(hours=1))
    mirror.watch_block(FakeChain(), "devnet")
    assert NetworkState.of("devnet").min_transfer_amount == CONSTANTS.min_transfer_amount


def test_a_chain_that_is_down_leaves_the_last_block_and_a_reason() -> None:
    chain = FakeChain()
    mirror.watch_block(chain, "devnet")
    seen = NetworkState.of("devnet")
    chain.down = True
    assert not mirror.watch_block(chain, "devnet")
    state = NetworkState.of("devnet")
    assert state.problem
    assert (state.block_number, state.seen_at) == (seen.block_number, seen.seen_at)


def test_the_time_of_the_first_failure_is_kept() -> None:
    chain = FakeChain()
    chain.down = True
    mirror.watch_block(chain, "devnet")
    since = NetworkState.of("devnet").problem_since
    mirror.watch_block(chain, "devnet")
    assert NetworkState.of("devnet").problem_since == since


def test_a_chain_that_comes_back_heals_the_state() -> None:
    chain = FakeChain()
    chain.down = True
    mirror.watch_block(chain, "devnet")
    chain.down = False
    mirror.watch_block(chain, "devnet")
    state = NetworkState.of("devnet")
    assert (state.problem, state.problem_since) == ("", None)
    assert state.is_reachable
