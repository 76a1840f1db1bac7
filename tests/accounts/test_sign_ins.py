from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from accounts import sign_ins
from accounts.models import ProviderSession, SignIn, Wallet
from marketplace.models import Service
from tests.accounts import cast
from tests.accounts.test_pages import text
from tests.chat import stage

PAGE = "/devnet/account/sessions/"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def browser_of(wallet: Wallet) -> Client:
    client = Client(HTTP_USER_AGENT=FIREFOX)
    client.force_login(wallet, backend="accounts.backends.SignedMessage")
    return client


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (FIREFOX, "Firefox on Linux"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, "
            "like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
            "Safari on iPhone",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/137.0.0.0 Safari/537.36 Edg/137.0.0.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/137.0.0.0 Mobile Safari/537.36",
            "Chrome on Android",
        ),
        ("<script>alert(1)</script>" * 50, "A browser"),
        ("", "A browser"),
    ],
)
def test_of_a_user_agent_only_the_kind_of_browser_is_kept(user_agent: str, name: str) -> None:
    assert sign_ins.short_name(user_agent) == name


def test_a_browser_is_noted_and_marked(alice: Wallet) -> None:
    client = browser_of(alice)
    assert "Firefox on Linux this browser" in text(client.get(PAGE))
    (row,) = alice.sign_ins.all()
    assert row.device == "Firefox on Linux"
    assert {field.name for field in SignIn._meta.fields} == {
        *("id", "wallet", "session", "device", "signed_in_at", "seen_at")
    }


def test_being_seen_is_written_once_a_minute(alice: Wallet) -> None:
    client = browser_of(alice)
    client.get(PAGE)
    long_ago = timezone.now() - timedelta(hours=1)
    SignIn.objects.update(seen_at=long_ago)
    client.get(PAGE)
    assert alice.sign_ins.get().seen_at == long_ago
    cache.clear()
    client.get(PAGE)
    assert alice.sign_ins.get().seen_at > long_ago
    assert alice.sign_ins.count() == 1


def test_another_browser_can_be_signed_out(alice: Wallet) -> None:
    here, there = browser_of(alice), browser_of(alice)
    assert here.get(PAGE).status_code == there.get(PAGE).status_code == 200
    other = alice.sign_ins.get(session_id=there.session.session_key)
    reply = here.post(f"/devnet/account/sign-ins/{other.pk}/end/")
    assert reply["Location"] == PAGE
    assert there.get(PAGE).status_code == 401
    assert here.get(PAGE).status_code == 200
    assert alice.sign_ins.count() == 1


def test_all_others_can_be_signed_out_at_once(alice: Wallet, bob: Wallet) -> None:
    here, *others, bobs = *(browser_of(alice) for _ in range(3)), browser_of(bob)
    for client in (here, *others, bobs):
        client.get(PAGE)
    assert "Sign out all other browsers" in text(here.get(PAGE))
    here.post("/devnet/account/sign-ins/others/end/")
    assert [client.get(PAGE).status_code for client in (here, *others, bobs)] == [
        200,
        401,
        401,
        200,
    ]
    assert "Sign out all other browsers" not in text(here.get(PAGE))


def test_nobody_signs_out_somebody_elses_browser(alice: Wallet, mallory: Wallet) -> None:
    theirs = cast.browser(alice)
    reply = browser_of(mallory).post(f"/devnet/account/sign-ins/{theirs.pk}/end/")
    assert reply.status_code == 404
    assert SignIn.objects.filter(pk=theirs.pk).exists()


def test_the_row_goes_with_the_session(alice: Wallet) -> None:
    client = browser_of(alice)
    client.get(PAGE)
    client.post("/devnet/account/sign-out/")
    assert not SignIn.objects.exists()


def test_expired_sessions_are_neither_listed_nor_kept(alice: Wallet) -> None:
    cast.browser(alice, "Safari on iPhone")
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    client = browser_of(alice)
    assert "Safari" not in text(client.get(PAGE))
    client.session.clear_expired()  # as every sign-in does
    assert [row.device for row in alice.sign_ins.all()] == ["Firefox on Linux"]


def test_no_session_key_reaches_a_page(alice: Wallet) -> None:
    cast.browser(alice)
    client = browser_of(alice)
    body = client.get(PAGE).content.decode()
    assert not [key for key in Session.objects.values_list("pk", flat=True) if key in body]


def test_strangers_leave_no_trace(client: Client, alice: Wallet) -> None:
    client.get("/devnet/account/")
    client.cookies["sessionid"] = "a" * 32
    client.get("/devnet/account/")
    assert not SignIn.objects.exists()
    assert cache.get(f"sign-in-seen:{'a' * 32}") is None


def test_sessions_with_providers_end_one_by_one_or_all_at_once(
    alice: Wallet, aurora: Service
) -> None:
    client = browser_of(alice)
    stage.make_session(alice, aurora)
    words = text(client.get(PAGE))
    assert "End the session with" in words
    assert "up to 10 minutes" in words
    path = f"/devnet/account/sessions/{aurora.provider}/end/"
    assert client.post(path, {"place": "sessions"})["Location"] == PAGE
    assert "None is running." in text(client.get(PAGE))
    stage.make_session(alice, aurora)
    client.post("/devnet/account/provider-sessions/end/")
    assert not ProviderSession.objects.exists()
