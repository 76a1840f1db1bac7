"""The cast of the chat tests: Alice is ready to ask Aurora, Mallory is a stranger."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from io import BytesIO
from typing import Any
from uuid import UUID, uuid4

from django.utils import timezone
from PIL import Image

from accounts import vault
from accounts.models import Ledger, ProviderSession, SubAccount, Wallet
from chat import receipts, turns
from chat.answering import Answering, Tools
from chat.models import Conversation, Message
from chat.streams import MemoryStreams, StreamStore
from chat.threads import DatabaseThreads
from marketplace import model_rows
from marketplace.models import Service
from zgcompute.amounts import parse
from zgcompute.model_cards import ModelCard
from zgcompute.testing_providers import FakeProvider, fake_service

ALICE = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
MALLORY = "0x90F79bf6EB2c4f870365E785982E1f101E93b906"
NETWORK = "devnet"


def make_service(**changes: Any) -> Service:
    """Aurora's row, as the catalog mirrors it."""
    listed = fake_service(**({"url": "http://127.0.0.1:9"} | changes))
    now = timezone.now()
    names = [
        *("provider", "service_type", "url", "model", "verifiability", "input_price"),
        *("output_price", "additional_info", "tee_signer", "tee_signer_acknowledged", "updated_at"),
    ]
    fields = {name: getattr(listed, name) for name in names}
    return Service.objects.create(network=NETWORK, first_seen_at=now, seen_at=now, **fields)


def make_models(service: Service, *cards: ModelCard) -> None:
    """What the provider lists of its models, as the catalog keeps it."""
    model_rows.keep({service.pk: cards}, timezone.now())


def seeing(name: str, **changes: Any) -> ModelCard:
    """The card of a model that takes pictures."""
    return ModelCard(id=name, input_modalities=("text", "image"), **changes)


def drawn(size: tuple[int, int] = (40, 30), colour: str = "orange", kind: str = "PNG") -> bytes:
    """A picture of one colour."""
    out = BytesIO()
    Image.new("RGB", size, colour).save(out, kind)
    return out.getvalue()


def make_wallet(address: str) -> Wallet:
    return Wallet.objects.signed_in(address)


def make_ready(wallet: Wallet, service: Service) -> None:
    """Everything that asking needs: a ledger, a funded sub-account and a session."""
    now = timezone.now()
    Ledger.objects.create(
        wallet=wallet,
        network=NETWORK,
        exists=True,
        available=parse("3"),
        total=parse("6"),
        refreshed_at=now,
    )
    make_provider_ready(wallet, service)


def make_provider_ready(wallet: Wallet, service: Service) -> None:
    """A funded sub-account and a session, beside a ledger that is there already."""
    now = timezone.now()
    SubAccount.objects.create(
        wallet=wallet,
        network=NETWORK,
        provider=service.provider,
        balance=parse("3"),
        acknowledged=True,
        refreshed_at=now,
    )
    make_session(wallet, service)


def make_session(wallet: Wallet, service: Service) -> None:
    now = timezone.now()
    ProviderSession.objects.create(
        wallet=wallet,
        network=NETWORK,
        provider=service.provider,
        sealed_token=vault.lock("app-sk-dGVzdA=="),
        generation=0,
        issued_at=now,
        expires_at=now + timedelta(hours=24),
    )


def make_conversation(wallet: Wallet, service: Service) -> Conversation:
    return turns.start(wallet, service, key=uuid4(), system_prompt="", parameters={})


def ask(conversation: Conversation, text: str = "Hello") -> Message:
    """A stored question; returns its pending answer."""
    return turns.ask(conversation, key=uuid4(), text=text).answer


def tools(provider: FakeProvider, store: StreamStore | None = None) -> Tools:
    """The engine's tools with a fake provider in the place of the network."""
    check = partial(receipts.check, connect=lambda *_: provider, budget=0)
    return Tools(
        connect=lambda *_: provider,
        check=check,
        store=store or MemoryStreams(),
        database=DatabaseThreads(1),
        checks=DatabaseThreads(1),
    )


def get_answer(pk: UUID, provider: FakeProvider, store: StreamStore | None = None) -> Message:
    """Let the engine's work be done here and now; returns the answer with its receipt."""
    work = tools(provider, store)
    asyncio.run(Answering(pk, work).run())
    for threads in (work.database, work.checks):
        threads.shutdown()
    return Message.objects.with_proof().get(pk=pk)
