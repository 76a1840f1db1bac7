"""Rules for every address of the site, found in its URL patterns: none can be forgotten."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from asgiref.sync import sync_to_async
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.http import HttpResponseBase
from django.test import Client
from django.utils import timezone

from accounts import batches, transactions
from accounts.models import ApiKey, Wallet
from chat import comparisons
from chat.models import Message, Picture
from chat.views import stream
from marketplace.models import Service
from studio.models import File, Work
from tests.accounts import cast
from tests.accounts.cast import NETWORK, zg
from tests.chat import stage
from tests.site_map import Page, pages
from zgcompute.testing import FakeChain

PUBLIC = {  # answered to anybody, as is all of the marketplace, which knows no wallets
    "home",
    "robots",
    "accounts:account",
    "accounts:keys",
    "accounts:sign-in-message",
    "accounts:sign-in",
    "accounts:sign-out",
    "accounts:demo-wallet",
    "build:home",
    "build:provider",
    "chat:home",
    "chat:history",
    "chat:start-ready",
    "studio:images",
    "studio:images-ready",
    "studio:speech",
    "studio:speech-ready",
    "chat:beside",
    "chat:beside-step",
}
HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def chain(db: None) -> FakeChain:
    made = cast.make_chain()
    cast.mirror_rules(made)
    return made


@pytest.fixture
def aurora(chain: FakeChain) -> Service:
    return cast.mirror_service(chain, chain.services()[0].provider)


@pytest.fixture
def alice(chain: FakeChain, aurora: Service) -> Wallet:
    """Alice has something of everything."""
    cache.clear()
    cast.fund(chain, cast.ALICE, aurora.provider, deposit="9", transfer="3")
    wallet = cast.wallet_of(cast.ALICE)
    stage.make_session(wallet, aurora)
    cast.use(cast.ALICE, aurora.provider, "0.01")
    transactions.prepare_deposit(wallet, NETWORK, zg("3"))
    batches.prepare(wallet, NETWORK, aurora.provider, zg("7"))
    cast.browser(wallet)
    ApiKey.objects.create(
        wallet=wallet,
        network="devnet",
        provider=aurora.provider,
        label="A secret label",
        slot=1,
        generation=0,
        origin=ApiKey.Origin.MADE,
        fingerprint="0123456789ab",
    )
    key = uuid4()
    made = comparisons.start(wallet, [aurora], key=key, system_prompt="", parameters={})
    answer = stage.ask(comparisons.conversations(made)[0], "A secret of Alice")
    Message.objects.filter(pk=answer.pk).update(
        state=Message.State.COMPLETE, text="Another secret", ended_at=timezone.now()
    )
    _make_picture(answer.parent)
    _make_work(wallet, aurora)
    return wallet


def _make_picture(question: Message) -> None:
    """A picture that Alice has asked about."""
    name = default_storage.save("chat/secret", ContentFile(b"a secret"))
    Picture.objects.create(
        message=question, name=name, media_type="image/png", ending="png", size=8
    )


def _make_work(wallet: Wallet, service: Service) -> None:
    """A picture of Alice's, with what proves it."""
    work = Work.objects.create(
        wallet=wallet,
        network=NETWORK,
        provider=service.provider,
        model="painter",
        kind=Work.Kind.IMAGE,
        key=uuid4(),
        prompt="A secret picture",
        state=Work.State.COMPLETE,
        content="A secret transcript",
        evidence={"of": "a secret"},
    )
    name = default_storage.save("works/secret", ContentFile(b"a secret"))
    File.objects.create(
        work=work, role="result", name=name, media_type="image/png", ending="png", size=8
    )


@pytest.fixture
def site(alice: Wallet, aurora: Service, monkeypatch: pytest.MonkeyPatch) -> list[Page]:
    """Every page, with Alice's own things where it is about somebody's."""
    monkeypatch.setattr(stream, "_database", _here)
    answer = Message.objects.answers().get()
    answers: dict[str, UUID | None] = {
        f"chat:{name} uuid pk": answer.pk
        for name in ("stream", "again", "continuation", "stop", "check", "evidence")
    }
    answers["chat:answer-markdown uuid pk"] = answer.pk
    answers |= {f"chat:{name} uuid pk": answer.pk for name in ("message", "choice")}
    answers["chat:edit uuid pk"] = answer.parent_id
    work = Work.objects.get()
    works: dict[str, UUID] = {
        f"studio:{name} uuid pk": work.pk
        for name in ("work", "checks", "evidence", "transcript", "deletion")
    }
    answers |= {
        f"chat:{name} uuid pk": answer.conversation.comparison_id
        for name in (
            *("comparison", "comparison-turns", "comparison-pick", "comparison-standings"),
            *("compared-json", "compared-markdown"),
        )
    }
    return pages(
        shared={
            "slug network": "devnet",
            "str address": aurora.provider,
            "path rest": "x",
            "str file": "x",
        },
        owned={
            "uuid key": alice.transactions.get(batch=None).pk,
            **{
                f"accounts:{name} uuid key": alice.transactions.exclude(batch=None)[0].batch
                for name in ("batch", "batch-outcome")
            },
            "int key": alice.api_keys.get().pk,
            "accounts:sign-in-end int key": alice.sign_ins.get().pk,
            "uuid pk": answer.conversation_id,
            **answers,
            **works,
            **{f"studio:{name} uuid pk": work.files.get().pk for name in ("file", "file-as")},
            "studio:file-as str wanted": "jpg",
            "chat:picture uuid pk": Picture.objects.get().pk,
        },
    )


async def _here(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Streams read the database in threads of their own, which do not see a test's rows."""
    return await sync_to_async(function)(*args, **kwargs)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Whom anybody in this process tried to connect to."""
    tried: list[object] = []

    def connect(self: socket.socket, address: object) -> None:
        tried.append(address)
        raise ConnectionRefusedError(address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    return tried


def browser_of(wallet: Wallet | None, **options: bool) -> Client:
    client = Client(**options)
    if wallet:
        client.force_login(wallet, backend="accounts.backends.SignedMessage")
    return client


def is_public(page: Page) -> bool:
    return page.name in PUBLIC or page.app == "marketplace"


def is_public_data(page: Page) -> bool:
    """The same for everybody, with no token or name of a visitor in it."""
    return page.name == "robots" or page.name.startswith("api:")


def body(reply: HttpResponseBase) -> str:
    return "" if reply.streaming else reply.content.decode()  # type: ignore[attr-defined]


def test_there_are_many_pages(site: list[Page]) -> None:
    assert len(site) > 30
    assert {"home", "accounts:transaction", "chat:conversation"} <= {page.name for page in site}


@pytest.mark.parametrize("is_signed_in", [False, True])
def test_no_page_waits_for_a_chain_or_a_provider(
    site: list[Page], alice: Wallet, asked: list[object], is_signed_in: bool
) -> None:
    client = browser_of(alice if is_signed_in else None)
    for page in site:
        for headers in ({}, HTMX):
            reply = client.get(page.path, **headers)
            assert reply.status_code < 500, page
            assert asked == [], page


def test_a_page_that_asked_the_chain_would_be_noticed(
    alice: Wallet, asked: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    from marketplace.network import chain

    monkeypatch.setattr("accounts.holdings.narration.story", lambda _: chain("devnet").block())
    assert browser_of(alice).get("/devnet/account/").status_code == 502
    assert asked


def test_nobody_may_keep_a_page(site: list[Page], alice: Wallet) -> None:
    for wallet in (None, alice):
        client = browser_of(wallet)
        for page in site:
            kept = client.get(page.path)["Cache-Control"]
            assert "private" in kept or "no-store" in kept or is_public_data(page), page


def test_a_stranger_finds_nothing_of_alices(
    site: list[Page], alice: Wallet, chain: FakeChain, asked: list[object]
) -> None:
    mallory = cast.wallet_of(cast.MALLORY)
    for page in site:
        replies = [browser_of(mallory).get(page.path), browser_of(mallory).post(page.path)]
        if page.is_owned:
            assert {reply.status_code for reply in replies} <= {404, 405}, page
            assert 404 in {reply.status_code for reply in replies}, page
        for reply in replies:
            assert alice.address not in body(reply), page
            assert "secret" not in body(reply), page
    assert asked == []


def test_nobody_signed_out_sees_or_does_anything_of_a_wallet(
    site: list[Page], alice: Wallet, asked: list[object]
) -> None:
    client = browser_of(None)
    for page in site:
        for reply in (client.get(page.path), client.post(page.path)):
            assert is_public(page) or reply.status_code in (401, 404, 405), page
            assert alice.address not in body(reply), page
    assert asked == []


def test_every_change_needs_the_csrf_token(site: list[Page], alice: Wallet) -> None:
    for wallet in (None, alice):
        client = browser_of(wallet, enforce_csrf_checks=True)
        for page in site:
            for method in (client.post, client.put, client.patch, client.delete):
                refused = (403, 404, 405) if is_public_data(page) else (403,)
                assert method(page.path).status_code in refused, page
