from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth import SESSION_KEY
from django.test import Client
from django.utils import timezone

from accounts import entrance
from accounts.models import Nonce, ProviderSession, Wallet
from accounts.signin import LIFETIME, SignInMessage, SignInRefused
from tests.accounts import cast
from zgcompute.signers import LocalSigner
from zgcompute.testing import FakeChain

pytestmark = pytest.mark.django_db
HTMX = {"HTTP_HX_REQUEST": "true"}
PAGE = "/devnet/account/"


def invited(client: Client, signer: LocalSigner = cast.ALICE) -> str:
    """The text that the site asks `signer` to sign."""
    reply = client.post(f"{PAGE}sign-in-message/", {"address": signer.address}, **HTMX)
    assert reply.status_code == 200
    found = re.search(r'data-wallet-sign="0x([0-9a-f]+)"', reply.content.decode())
    assert found
    return bytes.fromhex(found[1]).decode()


def sign_in(client: Client, text: str, signature: str) -> object:
    fields = {"message": "0x" + text.encode().hex(), "signature": signature}
    return client.post(f"{PAGE}sign-in/", fields, **HTMX)


def is_signed_in(client: Client) -> bool:
    return SESSION_KEY in client.session


def test_alice_signs_the_text_and_is_in(client: Client) -> None:
    text = invited(client)
    reply = sign_in(client, text, cast.ALICE.sign_message(text.encode()))
    assert reply.status_code == 200
    assert reply["HX-Redirect"] == PAGE
    assert Wallet.objects.get(pk=client.session[SESSION_KEY]).address == cast.ALICE.address


def test_the_browser_is_listed_from_the_first_moment(client: Client) -> None:
    text = invited(client)
    sign_in(client, text, cast.ALICE.sign_message(text.encode()))
    (row,) = cast.wallet_of(cast.ALICE).sign_ins.all()
    assert row.session_id == client.session.session_key


def test_the_session_key_changes_at_sign_in(client: Client) -> None:
    client.session["before"] = "1"
    session = client.session
    session["planted"] = "by somebody else"
    session.save()
    before = session.session_key
    text = invited(client)
    sign_in(client, text, cast.ALICE.sign_message(text.encode()))
    assert client.session.session_key != before
    assert "planted" not in client.session


def test_the_same_signature_does_not_sign_in_twice(client: Client) -> None:
    text = invited(client)
    signature = cast.ALICE.sign_message(text.encode())
    sign_in(client, text, signature)
    other = Client()
    reply = sign_in(other, text, signature)
    assert reply.status_code == 422
    assert b"used already" in reply.content
    assert not is_signed_in(other)


def test_a_nonce_of_our_own_making_is_refused(client: Client) -> None:
    text = invited(client)
    nonce = SignInMessage.parse(text).nonce
    text = text.replace(nonce, "f" * len(nonce))
    reply = sign_in(client, text, cast.ALICE.sign_message(text.encode()))
    assert reply.status_code == 422
    assert not is_signed_in(client)


def test_a_failed_signature_uses_the_nonce_up(client: Client, chain: FakeChain) -> None:
    text = invited(client)
    now = timezone.now()
    rules = {"domain": "testserver", "scheme": "http", "chain_id": 31337, "now": now}
    with pytest.raises(SignInRefused, match="not that of"):
        entrance.admit(text, cast.MALLORY.sign_message(text.encode()), chain=lambda: chain, **rules)
    with pytest.raises(SignInRefused, match="used already"):
        entrance.admit(text, cast.ALICE.sign_message(text.encode()), chain=lambda: chain, **rules)


def test_mallory_cannot_sign_in_as_alice(client: Client, chain: FakeChain) -> None:
    text = invited(client)
    with pytest.raises(SignInRefused):
        entrance.admit(
            text,
            cast.MALLORY.sign_message(text.encode()),
            domain="testserver",
            scheme="http",
            chain_id=31337,
            now=timezone.now(),
            chain=lambda: chain,
        )


@pytest.mark.parametrize(
    ("old", "new"),
    [("testserver wants", "evil.example wants"), ("Chain ID: 31337", "Chain ID: 16661")],
)
def test_a_message_for_another_site_or_chain_does_not_sign_in(
    client: Client, old: str, new: str
) -> None:
    text = invited(client).replace(old, new)
    reply = sign_in(client, text, cast.ALICE.sign_message(text.encode()))
    assert reply.status_code == 422
    assert not is_signed_in(client)


def test_a_message_signed_for_one_network_is_refused_on_another(client: Client) -> None:
    text = invited(client)
    fields = {
        "message": "0x" + text.encode().hex(),
        "signature": cast.ALICE.sign_message(text.encode()),
    }
    assert client.post("/testnet/account/sign-in/", fields, **HTMX).status_code == 422


def test_an_expired_nonce_is_refused_and_swept(client: Client) -> None:
    text = invited(client)
    Nonce.objects.update(issued_at=timezone.now() - LIFETIME - timedelta(seconds=1))
    assert sign_in(client, text, cast.ALICE.sign_message(text.encode())).status_code == 422
    invited(client)
    assert Nonce.objects.count() == 1


@pytest.mark.parametrize("signature", ["", "0x", "0xzz", "hello", "0x" + "00" * 5000])
def test_what_is_no_signature_is_refused_without_asking_the_chain(
    client: Client, signature: str
) -> None:
    assert sign_in(client, invited(client), signature).status_code == 422


def test_a_contract_wallet_signs_in_through_the_chain(client: Client, chain: FakeChain) -> None:
    text, signature = invited(client), "0x" + "5a" * 80
    digest = entrance._personal_digest(text.encode())
    chain.approve(cast.ALICE.address, digest, bytes.fromhex(signature[2:]))
    wallet = entrance.admit(
        text,
        signature,
        domain="testserver",
        scheme="http",
        chain_id=31337,
        now=timezone.now(),
        chain=lambda: chain,
    )
    assert wallet.address == cast.ALICE.address


def test_a_contract_wallet_waits_while_the_chain_is_down(client: Client, chain: FakeChain) -> None:
    text = invited(client)
    chain.down = True
    with pytest.raises(SignInRefused, match="cannot be asked now"):
        entrance.admit(
            text,
            "0x" + "5a" * 80,
            domain="testserver",
            scheme="http",
            chain_id=31337,
            now=timezone.now(),
            chain=lambda: chain,
        )


def test_an_own_key_signs_in_while_the_chain_is_down(client: Client) -> None:
    text = invited(client)
    assert sign_in(client, text, cast.ALICE.sign_message(text.encode())).status_code == 200


@pytest.mark.parametrize("address", ["", "0x12", "<script>", "0x" + "g" * 40])
def test_what_is_no_address_gets_no_message(client: Client, address: str) -> None:
    reply = client.post(f"{PAGE}sign-in-message/", {"address": address}, **HTMX)
    assert reply.status_code == 422
    assert Nonce.objects.count() == 0


def test_signing_in_needs_the_csrf_token() -> None:
    strict = Client(enforce_csrf_checks=True)
    for path in ("sign-in-message/", "sign-in/", "sign-out/", "demo-wallet/", "deposit/"):
        assert strict.post(PAGE + path, {}).status_code == 403


def test_too_many_attempts_are_stopped(client: Client) -> None:
    replies = [
        client.post(f"{PAGE}sign-in-message/", {"address": cast.ALICE.address}, **HTMX)
        for _ in range(21)
    ]
    assert [reply.status_code for reply in replies[-2:]] == [200, 429]


def test_signing_out_drops_the_provider_sessions_everywhere(
    signed_in: Client, alice: Wallet, mallory: Wallet
) -> None:
    now = timezone.now()
    for wallet, network in ((alice, "devnet"), (alice, "testnet"), (mallory, "devnet")):
        ProviderSession.objects.create(
            wallet=wallet,
            network=network,
            provider=cast.stranger(),
            sealed_token=b"x",
            generation=0,
            issued_at=now,
            expires_at=now + timedelta(hours=1),
        )
    reply = signed_in.post(f"{PAGE}sign-out/", {"reason": "switched"})
    assert reply["Location"] == f"{PAGE}?signed-out=switched"
    assert not is_signed_in(signed_in)
    assert [session.wallet for session in ProviderSession.objects.all()] == [mallory]
    assert b"switched to another account" in signed_in.get(reply["Location"]).content


def test_after_signing_in_the_visitor_is_back_on_the_page_they_were_on(client: Client) -> None:
    text = invited(client)
    fields = {
        "message": "0x" + text.encode().hex(),
        "signature": cast.ALICE.sign_message(text.encode()),
    }
    came_from = {"HTTP_HX_CURRENT_URL": "http://testserver/devnet/chat/?provider=0x1"}
    reply = client.post(f"{PAGE}sign-in/", fields, **HTMX, **came_from)
    assert reply["HX-Redirect"] == "/devnet/chat/?provider=0x1"


def test_nobody_is_sent_to_another_site_after_signing_in(client: Client) -> None:
    text = invited(client)
    fields = {
        "message": "0x" + text.encode().hex(),
        "signature": cast.ALICE.sign_message(text.encode()),
    }
    came_from = {"HTTP_HX_CURRENT_URL": "http://evil.example//evil.example/"}
    reply = client.post(f"{PAGE}sign-in/", fields, **HTMX, **came_from)
    assert reply["HX-Redirect"] == PAGE
