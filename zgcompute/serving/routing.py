"""Who is asked first, and which failures may be tried elsewhere (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from zgcompute import _reading as read
from zgcompute.errors import (
    DestinationRefused,
    Error,
    ProviderBusy,
    ProviderError,
    ProviderRefused,
    ProviderTimeout,
    ProviderUnreachable,
    RateLimited,
    RpcUnreachable,
)
from zgcompute.fees import is_free
from zgcompute.serving.targets import Target

_FAR = float("inf")
_GATEWAY_TIMEOUT = 504


class Order(StrEnum):
    """What decides among those that may be asked."""

    PRIORITY = "priority"
    PRICE = "price"
    SPEED = "speed"


def in_order(targets: Iterable[Target], order: Order) -> list[Target]:
    """The targets as they are to be tried, the best first.

    By price or speed the providers of the network always go before paid fallbacks; by priority
    the numbers decide, the lower first. Who is equal otherwise shares the work.
    """
    return sorted(targets, key=lambda target: _rank(target, order))


def may_be_billed(error: Error, body: bytes = b"") -> bool:
    """Tell whether a request that ended in `error` may be billed although there is no answer.

    `body` is a refusal's: a 504 in the broker's own JSON is one, any other comes from a proxy that
    gave up on a broker still at work.
    """
    if isinstance(error, ProviderRefused) and error.status == _GATEWAY_TIMEOUT:
        return read.json_object(body) is None
    return isinstance(error, ProviderError) and not is_free(error)


def may_go_elsewhere(error: Error, body: bytes = b"") -> bool:
    """Tell whether another may be asked after `error`, before the client has a first byte.

    Only after 429, 5xx, and where nobody was reached; never after what the request itself is to
    blame for, and never where it may be billed already.
    """
    if may_be_billed(error, body):
        return False
    if is_asked_too_fast(error):
        return True
    if isinstance(error, ProviderRefused):
        return error.status >= 500
    return isinstance(
        error, ProviderTimeout | ProviderUnreachable | DestinationRefused | RpcUnreachable
    )


def is_asked_too_fast(error: Error) -> bool:
    """Tell whether the same target may be asked again in a moment."""
    return isinstance(error, RateLimited | ProviderBusy)


def is_its_failure(error: Error) -> bool:
    """Tell whether `error` counts against the target: not for limits, nor for refused requests.

    Nor does what kept it from being asked at all, such as a chain that cannot be read.
    """
    if isinstance(error, ProviderRefused):
        return error.status >= 500 and not is_asked_too_fast(error)
    return isinstance(error, ProviderError)


def _rank(target: Target, order: Order) -> tuple[float, ...]:
    price = _FAR if target.price is None else target.price
    is_fallback = float(target.is_paid_elsewhere)
    busy = target.pace.active
    if order is Order.PRICE:
        return is_fallback, price, target.priority, busy
    if order is Order.SPEED:
        return is_fallback, target.record.first_byte or 0.0, price, busy
    return target.priority, is_fallback, price, busy
