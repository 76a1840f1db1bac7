from __future__ import annotations

import pytest

from zgcompute.addresses import checksum, same
from zgcompute.errors import InvalidAddress

ALICE = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"


@pytest.mark.parametrize("text", [ALICE, ALICE.lower(), "0x" + ALICE[2:].upper()])
def test_every_valid_spelling_becomes_the_checksummed_one(text: str) -> None:
    assert checksum(text) == ALICE


@pytest.mark.parametrize(
    "text",
    ["", "0x", ALICE[2:], ALICE + "0", ALICE[:-1], ALICE.replace("9", "g"), "0X" + ALICE[2:]]
    + [ALICE + "\n", "alice.eth"],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidAddress, match="is not an address"):
        checksum(text)


def test_a_changed_digit_in_a_checksummed_address_is_noticed() -> None:
    with pytest.raises(InvalidAddress, match="checksum"):
        checksum(ALICE.replace("19E7", "18E7"))


def test_spellings_name_the_same_address() -> None:
    assert same(ALICE, ALICE.lower())
    assert not same(ALICE, "0x" + "33" * 20)
