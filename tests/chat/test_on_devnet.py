"""Pictures and several models against a running devnet: proved, request included, and billed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from uuid import uuid4

import pytest

from accounts import vault
from accounts.models import ProviderSession, Wallet
from accounts.pictures import clean
from accounts.stored import NewFile
from chat import receipts, turns
from chat.answering import Answering, Tools
from chat.models import Conversation, Message
from chat.pictures import BOUNDS
from chat.streams import MemoryStreams
from chat.threads import DatabaseThreads
from devnet.testing import Devnet
from tests.chat import stage
from tests.payers import payer
from zgcompute import Broker
from zgcompute.providers import AsyncProvider, Provider, async_door, door

pytestmark = [pytest.mark.chain, pytest.mark.django_db(transaction=True)]
BOOKED_WITHIN = 5.0  # seconds after the answer


@pytest.fixture(scope="module")
def broker(devnet: Devnet) -> Iterator[Broker]:
    """Somebody who has funded the provider that sees and the one with several models."""
    with payer(devnet, "20", {"iris": "3", "nova": "3"}) as funded:
        yield funded


def _conversation(broker: Broker, devnet: Devnet, name: str, model: str) -> Conversation:
    """A conversation of the broker's wallet, as the site would have it."""
    address = devnet.address(name)
    listed = broker.provider(address).service
    service = stage.make_service(**asdict(listed))
    client = Provider(listed, local=True)
    stage.make_models(service, *client.models())
    client.close()
    wallet = Wallet.objects.signed_in(broker.address())
    stage.make_ready(wallet, service)
    token = vault.lock(broker.inference.session(address).api_key)
    ProviderSession.objects.update(sealed_token=token)
    return turns.start(wallet, service, key=uuid4(), system_prompt="", parameters={}, model=model)


def _answer(pending: Message) -> Message:
    """Let the engine's work be done here, with the real provider."""
    threads, checking = (DatabaseThreads(1), DatabaseThreads(1)), door(local=True)
    check = partial(receipts.check, connect=lambda service, _: Provider(service, door=checking))

    async def work() -> None:
        streaming = async_door(local=True)
        tools = Tools(
            lambda service, _: AsyncProvider(service, door=streaming),
            check,
            MemoryStreams(),
            *threads,
        )
        await Answering(pending.pk, tools).run()
        await streaming.aclose()

    asyncio.run(work())
    checking.close()
    for each in threads:
        each.shutdown()
    return Message.objects.with_proof().get(pk=pending.pk)


def _unsettled(broker: Broker, devnet: Devnet, name: str) -> int:
    provider = next(p for p in devnet.state()["providers"] if p["name"] == name)
    fees = {user.lower(): int(fee) for user, fee in provider["unsettled"].items()}
    return fees.get(broker.address().lower(), 0)


@pytest.mark.parametrize(
    ("size", "kind", "sent"),
    [
        ((48, 36), "PNG", "a **PNG** of **48 × 36** pixels, mostly **orange**"),
        ((2000, 1000), "JPEG", "a **JPEG** of **1536 × 768** pixels, mostly **orange**"),
    ],
)
def test_an_answer_about_a_picture_is_verified_with_its_request(
    broker: Broker, devnet: Devnet, size: tuple[int, int], kind: str, sent: str
) -> None:
    conversation = _conversation(broker, devnet, "iris", "devnet-vision")
    picture = NewFile.picture(clean(stage.drawn(size, kind=kind), BOUNDS))
    words = "<What> is it? Größe & Farbe\u2028"
    answer = _answer(turns.ask(conversation, key=uuid4(), text=words, shown=[picture]).answer)
    assert sent in answer.text
    assert answer.receipt.outcome == "verified"
    assert answer.receipt.evidence["request_matches"] is True
    later = _answer(turns.ask(conversation, key=uuid4(), text="And before?").answer)
    assert "Pictures sent before" in later.text
    assert later.receipt.evidence["request_matches"] is True


def test_each_model_is_billed_as_the_provider_bills_it_and_the_blind_one_gets_words(
    broker: Broker, devnet: Devnet
) -> None:
    conversation = _conversation(broker, devnet, "nova", "devnet-seer")
    shown = [NewFile.picture(clean(stage.drawn(), BOUNDS))]
    for model in ("devnet-seer", "devnet-small", "devnet-thinker"):
        conversation.model = model
        conversation.save()
        before = _unsettled(broker, devnet, "nova")
        asked = turns.ask(conversation, key=uuid4(), text="Hello", shown=shown)
        answer, shown = _answer(asked.answer), []
        deadline = time.monotonic() + BOOKED_WITHIN
        while _unsettled(broker, devnet, "nova") == before and time.monotonic() < deadline:
            time.sleep(0.05)
        assert _unsettled(broker, devnet, "nova") - before == answer.receipt.fee > 0
        assert answer.receipt.outcome == "verified"
        assert answer.pictures_cut == (0 if model == "devnet-seer" else 1)
        assert bool(answer.reasoning) == (model == "devnet-thinker")
