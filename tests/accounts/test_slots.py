from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts import slots
from accounts.models import ApiKey, SubAccount, Wallet
from marketplace.models import Service
from tests.accounts import cast
from tests.accounts.test_pages import text
from zgcompute.testing import FakeChain


@pytest.fixture
def account(chain: FakeChain, alice: Wallet, aurora: Service) -> SubAccount:
    cast.fund(chain, cast.ALICE, aurora.provider)
    return SubAccount.objects.get()


def key(account: SubAccount, slot: int, **fields: object) -> ApiKey:
    facts = {"generation": account.generation, "origin": ApiKey.Origin.MADE, "fingerprint": "ab"}
    return ApiKey(slot=slot, **facts | fields)


def test_numbers_are_written_as_ranges() -> None:
    assert slots.ranges([0, 1, 2, 7, 9, 10]) == "0 to 2, 7, 9 to 10"
    assert slots.ranges([]) == ""


def test_every_slot_is_in_one_state(account: SubAccount) -> None:
    account.revoked_bitmap = 1 << 4 | 1 << 254
    known = [
        key(account, 0),
        key(account, 1, origin=ApiKey.Origin.MARKED),
        key(account, 2, expires_at=timezone.now() - timedelta(days=1)),
        key(account, 4),  # revoked, whatever is known of it
        key(account, 9, generation=account.generation + 1),  # of another generation
    ]
    drawn = slots.slots(account, known)
    assert {state: (count, numbers) for state, _, count, numbers in drawn.words} == {
        "active": (1, "0"),
        "elsewhere": (1, "1"),
        "expired": (1, "2"),
        "revoked": (2, "4, 254"),
        "free": (250, "3, 5 to 253"),
    }
    assert sum(path.count("M") for _, path in drawn.paths) == 255


def test_states_differ_by_their_shape(account: SubAccount) -> None:
    drawn = dict(slots.slots(account, [key(account, 33)]).paths)
    assert drawn["active"] == "M10 10h8v8h-8z"
    assert drawn["free"].startswith("M0 0m3 3h2v2h-2z")


def test_the_keys_page_shows_them(signed_in: Client, account: SubAccount, aurora: Service) -> None:
    SubAccount.objects.update(revoked_bitmap=0b110)
    words = text(signed_in.get(f"/devnet/account/keys/?provider={aurora.provider}"))
    assert "2 revoked: 1 to 2" in words
    assert "253 free" in words
