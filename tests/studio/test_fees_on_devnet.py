"""What a work costs here is what the provider bills, to the neuron: against a running devnet."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from devnet.testing import Devnet
from studio.asking import Order, Result, ask
from tests.payers import payer
from tests.studio import sounds
from tests.studio.stage import png, wav
from zgcompute import Broker
from zgcompute.errors import ProviderError
from zgcompute.providers import Provider

pytestmark = pytest.mark.chain
BOOKED_WITHIN = 5.0  # seconds after the reply: a provider books it when it was delivered
NAMES = {"image": "prisma", "edit": "retouch", "speech": "echo"}
ORDERS: list[tuple[str, dict[str, Any], bytes]] = [
    ("image", {"n": 1}, b""),
    ("image", {"n": 3, "size": "256x256"}, b""),
    ("edit", {"size": "256x256"}, png(40, 30)),
    *(
        ("speech", {"response_format": wanted, "language": "en"}, wav(7))
        for wanted in ("json", "text", "srt", "vtt", "verbose_json")
    ),
    ("speech", {"response_format": "srt"}, sounds.wav(sounds.TWO_HOURS)),
]


@pytest.fixture(scope="module")
def broker(devnet: Devnet) -> Iterator[Broker]:
    """Somebody who has funded the three providers."""
    with payer(devnet, "20", dict.fromkeys(NAMES.values(), "3")) as funded:
        yield funded


def _ask(broker: Broker, devnet: Devnet, kind: str, asked: dict[str, Any], source: bytes) -> Result:
    address = devnet.address(NAMES[kind])
    service = broker.provider(address).service
    client = Provider(service, local=True)
    try:
        order = Order(kind, service, service.model, "A lighthouse", asked, source)
        return ask(client, broker.inference.session(address).api_key, order)
    finally:
        client.close()


def _unsettled(broker: Broker, devnet: Devnet, kind: str) -> int:
    provider = next(p for p in devnet.state()["providers"] if p["name"] == NAMES[kind])
    fees = {user.lower(): int(fee) for user, fee in provider["unsettled"].items()}
    return fees.get(broker.address().lower(), 0)


@pytest.mark.parametrize(("kind", "asked", "source"), ORDERS)
def test_the_fee_is_what_the_provider_bills(
    broker: Broker, devnet: Devnet, kind: str, asked: dict[str, Any], source: bytes
) -> None:
    before = _unsettled(broker, devnet, kind)
    result = _ask(broker, devnet, kind, asked, source)
    deadline = time.monotonic() + BOOKED_WITHIN
    while _unsettled(broker, devnet, kind) == before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _unsettled(broker, devnet, kind) - before == result.fee.total > 0


@pytest.mark.parametrize("fault", ["rate-limited", "busy", "server-error", "html", "disconnect"])
def test_a_fault_is_one_request_and_one_error(broker: Broker, devnet: Devnet, fault: str) -> None:
    devnet.fault("prisma", fault, times=1)
    before = _unsettled(broker, devnet, "image")
    with pytest.raises(ProviderError) as caught:
        _ask(broker, devnet, "image", {"n": 1}, b"")
    assert caught.value.advice
    price = broker.provider(devnet.address("prisma")).service.output_price
    assert _unsettled(broker, devnet, "image") - before in (0, price)
