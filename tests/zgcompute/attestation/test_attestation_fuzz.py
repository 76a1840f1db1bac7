"""Hundreds of spoiled reports: always a verdict, never verified by accident, never slow."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import pytest

from tests.zgcompute.attestation.workshop import (
    BROKER,
    MODEL_SERVER,
    devnet_reports,
    judge,
    profile,
    service_of,
    sign_like_intel,
)
from zgcompute.attestation import Overall
from zgcompute.attestation.intel import parse_signature, verify_chain
from zgcompute.attestation.quotes import parse_quote
from zgcompute.errors import QuoteInvalid

ODD: tuple[Any, ...] = (
    None, 0, -1, 2**64, 10**400, True, "", "0x", "zz", "00", "\ud800", [], [[]], {}, {"a": 1}, "[]",
    "{}", "null", "[" * 5000, "9" * 5000, "A" * 88, [None] * 5000, {"imr": 9},
)  # fmt: skip


def signed_report() -> dict[str, Any]:
    report = devnet_reports()[BROKER]
    sign_like_intel(report)
    return report


@pytest.mark.parametrize("seed", range(8))
def test_odd_values_in_every_place(seed: int) -> None:
    chance = random.Random(seed)
    service, began = service_of(profile("cumulus")), time.perf_counter()
    for _ in range(20):
        reports = devnet_reports()
        for report in reports.values():
            spoil(report, chance)
        assert judge(service, reports).overall is not Overall.VERIFIED
    assert time.perf_counter() - began < 30


def spoil(report: dict[str, Any], chance: random.Random) -> None:
    holder: Any = report
    name = chance.choice(sorted(holder))
    if chance.random() < 0.5 and isinstance(holder[name], str) and holder[name][:1] in "[{":
        nested = json.loads(holder[name])
        if isinstance(nested, list):
            nested[chance.randrange(len(nested))] = chance.choice(ODD)
        elif nested:
            nested[chance.choice(sorted(nested))] = chance.choice(ODD)
        holder[name] = json.dumps(nested)
    else:
        holder[name] = chance.choice(ODD)


@pytest.mark.parametrize("seed", range(8))
def test_odd_bytes_anywhere(seed: int) -> None:
    chance = random.Random(seed)
    service = service_of(profile("cumulus"))
    body = json.dumps(signed_report()).encode()
    for _ in range(15):
        spoiled = bytearray(body)
        for _ in range(chance.choice((1, 3, 50))):
            spoiled[chance.randrange(len(spoiled))] = chance.randrange(256)
        cut = bytes(spoiled[: chance.choice((len(body), chance.randrange(len(body))))])
        verdict = judge(service, {BROKER: cut, MODEL_SERVER: cut})
        assert verdict.overall is not Overall.VERIFIED


@pytest.mark.parametrize("seed", range(8))
def test_odd_bytes_in_a_signed_quote(seed: int) -> None:
    """Nothing but QuoteInvalid leaves, though every length and certificate may be wrong."""
    chance = random.Random(seed)
    quote = bytes.fromhex(signed_report()["quote"])
    refused = 0
    for _ in range(40):
        spoiled = bytearray(quote)
        for _ in range(chance.choice((1, 2, 30))):
            spoiled[chance.randrange(len(spoiled))] = chance.randrange(256)
        try:
            verify_chain(parse_signature(parse_quote(bytes(spoiled)).signature_section), 0)
        except QuoteInvalid:
            refused += 1
    assert refused == 40


def test_a_chain_holds_under_its_own_root_and_in_its_time() -> None:
    from tests.zgcompute.attestation.workshop import NOW

    report = devnet_reports()[BROKER]
    root = sign_like_intel(report)
    signature = parse_signature(parse_quote(bytes.fromhex(report["quote"])).signature_section)
    verify_chain(signature, NOW, root_key=root)
    with pytest.raises(QuoteInvalid, match="another root"):
        verify_chain(signature, NOW)
    with pytest.raises(QuoteInvalid, match="was not valid"):
        verify_chain(signature, NOW + 10 * 86_400, root_key=root)


@pytest.mark.parametrize("part", ["[],", "{},", "\\u005b\\u005d,"])
def test_millions_of_parts_take_no_time(part: str) -> None:
    report = json.dumps(devnet_reports()[BROKER] | {"event_log": "PARTS"})
    body = report.replace("PARTS", f"[{part * (7_000_000 // len(part))}0]").encode()
    began = time.perf_counter()
    judge(service_of(profile("cumulus")), {BROKER: body})
    assert time.perf_counter() - began < 3
