from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from zgcompute import errors
from zgcompute.errors import Error, ProviderTimeout, ProviderUnreachable
from zgcompute.refusals import refusal
from zgcompute.serving.routing import Order, in_order, may_be_billed, may_go_elsewhere
from zgcompute.serving.targets import EndpointTarget, ProviderTarget, Target
from zgcompute.testing import fake_service

DOOR = cast("Any", None)


def provider(name: str, priority: int = 100, price: int = 10) -> ProviderTarget:
    service = replace(fake_service(), input_price=0, output_price=price)
    return ProviderTarget(name, priority, DOOR, service=service, keys=cast("Any", None))


def fallback(name: str, priority: int = 200) -> EndpointTarget:
    return EndpointTarget(name, priority, DOOR, base_url="https://x", api_key="k", model="m")


def names(targets: list[Target], order: Order) -> list[str]:
    return [target.name for target in in_order(targets, order)]


def test_by_priority_the_lower_number_goes_first_and_equal_ones_by_price() -> None:
    targets = [fallback("spare"), provider("dear", price=20), provider("cheap"), provider("own", 1)]
    assert names(targets, Order.PRIORITY) == ["own", "cheap", "dear", "spare"]


def test_a_fallback_may_be_put_first_by_its_number_alone() -> None:
    targets: list[Target] = [provider("cheap"), fallback("spare", 1)]
    assert names(targets, Order.PRIORITY) == ["spare", "cheap"]
    assert names(targets, Order.PRICE) == ["cheap", "spare"]
    assert names(targets, Order.SPEED) == ["cheap", "spare"]


def test_by_price_the_cheaper_goes_first() -> None:
    targets: list[Target] = [provider("dear", 1, price=20), provider("cheap")]
    assert names(targets, Order.PRICE) == ["cheap", "dear"]


def test_by_speed_the_measured_first_byte_counts_and_who_is_not_measured_is_tried() -> None:
    slow, quick, new = provider("slow"), provider("quick"), provider("new")
    slow.record.note_first_byte(2)
    quick.record.note_first_byte(1)
    assert names([slow, quick, new], Order.SPEED) == ["new", "quick", "slow"]


def test_equal_ones_share_the_work() -> None:
    busy, idle = provider("busy"), provider("idle")
    busy.pace.started()
    assert names([busy, idle], Order.PRIORITY) == ["idle", "busy"]


def unsent(kind: type[ProviderTimeout] | type[ProviderUnreachable]) -> Error:
    error = kind("words")
    error.was_sent = False
    return error


@pytest.mark.parametrize(
    ("error", "billed", "elsewhere"),
    [
        (refusal(429, b'{"error":"slow"}'), False, True),
        (refusal(500, b'{"error":"Internal Server Error"}'), False, True),
        (refusal(501, b"{}"), False, True),
        (refusal(503, b"{}"), False, True),
        (unsent(ProviderUnreachable), False, True),
        (unsent(ProviderTimeout), False, True),
        (errors.RpcUnreachable("no node"), False, True),
        (ProviderTimeout("silence"), True, False),
        (ProviderUnreachable("it broke"), True, False),
        (errors.MalformedReply("no answer"), True, False),
        (refusal(400, b'{"error":"bad"}'), False, False),
        (refusal(400, b'{"error":"session token expired"}'), False, False),
        (refusal(404, b"{}"), False, False),
    ],
)
def test_which_failures_may_be_tried_elsewhere(error: Error, billed: bool, elsewhere: bool) -> None:
    assert may_be_billed(error, b"{}") is billed
    assert may_go_elsewhere(error, b"{}") is elsewhere
