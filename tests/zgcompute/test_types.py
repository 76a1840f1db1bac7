from __future__ import annotations

import json

from zgcompute.testing import fake_service
from zgcompute.types import Address, Ledger, Receipt, SubAccount, Usage

SEPARATE = "0x1563915e194D8CfBA1943570603F7606A3115508"
ALICE = Address("0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A")


def test_the_expected_signer_is_the_separate_one_where_there_is_one() -> None:
    plain = fake_service()
    assert plain.expected_signer == plain.tee_signer
    info = json.dumps({"TargetSeparated": True, "TargetTeeAddress": SEPARATE})
    assert fake_service(additional_info=info).expected_signer == SEPARATE


def test_the_proxy_url_has_one_slash() -> None:
    assert (
        fake_service(url="https://aurora.example/").proxy_url == "https://aurora.example/v1/proxy"
    )


def test_locked_is_what_is_not_available() -> None:
    assert Ledger(ALICE, available=3, total=10).locked == 7


def test_a_sub_account_knows_what_is_free_and_what_is_revoked() -> None:
    account = SubAccount(ALICE, ALICE, 0, 10, 4, (), True, 0, revoked_bitmap=0b101)
    assert account.free == 6
    assert [account.is_revoked(token_id) for token_id in range(4)] == [True, False, True, False]


def test_the_network_fee_is_gas_times_price() -> None:
    assert Receipt("0x", 1, "0x", True, gas_used=21_000, gas_price=7).network_fee == 147_000


def test_usage_without_tokens_is_empty() -> None:
    assert Usage(0, 0, cached_tokens=9).is_empty
    assert not Usage(1, 0).is_empty
    assert not Usage(0, 1).is_empty
