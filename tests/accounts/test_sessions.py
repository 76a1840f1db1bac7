from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts import sessions, vault
from accounts.models import ProviderSession, SubAccount, Wallet
from marketplace.models import Service
from tests.accounts import cast
from zgcompute.errors import InvalidToken, SignatureMismatch
from zgcompute.session import SessionToken
from zgcompute.testing import FakeChain

Store = dict[str, Any]


def start(wallet: Wallet, provider: str) -> ProviderSession:
    store: Store = {}
    request = sessions.prepare(store, wallet, "devnet", provider)
    signature = cast.ALICE.sign_message(request.digest)
    return sessions.seal(store, wallet, "devnet", provider, signature)


def test_a_signed_session_gives_a_key_that_providers_accept(alice: Wallet, aurora: Service) -> None:
    start(alice, aurora.provider)
    key = sessions.api_key_for(alice, "devnet", aurora.provider)
    token = SessionToken.parse(key or "")
    assert (token.user, token.provider, token.is_ephemeral) == (
        alice.address,
        aurora.provider,
        True,
    )
    assert token.expires_at_ms - token.issued_at_ms == 24 * 3600 * 1000


def test_the_key_is_not_readable_in_the_database(alice: Wallet, aurora: Service) -> None:
    session = start(alice, aurora.provider)
    key = sessions.api_key_for(alice, "devnet", aurora.provider) or ""
    stored = bytes(ProviderSession.objects.get(pk=session.pk).sealed_token)
    assert b"app-sk" not in stored
    assert key.encode() not in stored
    assert alice.address.encode() not in stored


def test_a_retired_key_still_opens_and_a_lost_one_does_not(
    alice: Wallet, aurora: Service, settings: Any
) -> None:
    start(alice, aurora.provider)
    settings.TOKEN_KEYS_RETIRED = [settings.TOKEN_KEY]
    settings.TOKEN_KEY = "another secret"
    assert sessions.api_key_for(alice, "devnet", aurora.provider)
    settings.TOKEN_KEYS_RETIRED = []
    assert sessions.api_key_for(alice, "devnet", aurora.provider) is None
    assert not ProviderSession.objects.exists()


def test_the_vault_seals_the_same_text_differently_each_time() -> None:
    assert vault.lock("secret") != vault.lock("secret")
    with pytest.raises(vault.Unreadable):
        vault.unlock(vault.lock("secret")[:-4] + b"AAAA")


def test_a_session_carries_the_mirrored_generation(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider)
    chain.apply(chain.calls.revoke_all_tokens(aurora.provider), alice.address)
    cast.mirror(chain, cast.ALICE)
    assert sessions.prepare({}, alice, "devnet", aurora.provider).generation == 1


def test_another_account_cannot_sign_for_alice(alice: Wallet, aurora: Service) -> None:
    store: Store = {}
    request = sessions.prepare(store, alice, "devnet", aurora.provider)
    with pytest.raises(SignatureMismatch):
        sessions.seal(
            store,
            alice,
            "devnet",
            aurora.provider,
            cast.MALLORY.sign_message(request.digest),
        )
    assert not ProviderSession.objects.exists()


def test_what_was_not_prepared_here_is_not_sealed(
    alice: Wallet, mallory: Wallet, aurora: Service
) -> None:
    with pytest.raises(InvalidToken, match="no session waiting"):
        sessions.seal({}, alice, "devnet", aurora.provider, "0x" + "00" * 65)
    store: Store = {}
    request = sessions.prepare(store, alice, "devnet", aurora.provider)
    signature = cast.ALICE.sign_message(request.digest)
    with pytest.raises(InvalidToken):
        sessions.seal(store, mallory, "devnet", aurora.provider, signature)
    with pytest.raises(InvalidToken):
        sessions.seal(store, alice, "devnet", cast.stranger(), signature)


def test_a_prepared_session_is_sealed_once(alice: Wallet, aurora: Service) -> None:
    store: Store = {}
    request = sessions.prepare(store, alice, "devnet", aurora.provider)
    signature = cast.ALICE.sign_message(request.digest)
    sessions.seal(store, alice, "devnet", aurora.provider, signature)
    with pytest.raises(InvalidToken):
        sessions.seal(store, alice, "devnet", aurora.provider, signature)


def test_an_old_preparation_is_not_sealed(alice: Wallet, aurora: Service) -> None:
    store: Store = {}
    request = sessions.prepare(store, alice, "devnet", aurora.provider)
    kept = store[f"provider-session:devnet:{aurora.provider}"]
    for name in ("issued_at_ms", "expires_at_ms"):
        kept[name] -= 16 * 60 * 1000
    with pytest.raises(InvalidToken, match="too long ago"):
        sessions.seal(
            store, alice, "devnet", aurora.provider, cast.ALICE.sign_message(request.digest)
        )


def test_a_session_that_runs_out_is_not_used(alice: Wallet, aurora: Service) -> None:
    start(alice, aurora.provider)
    ProviderSession.objects.update(expires_at=timezone.now() + timedelta(seconds=59))
    assert sessions.api_key_for(alice, "devnet", aurora.provider) is None


def test_a_session_of_an_earlier_generation_is_not_used(
    chain: FakeChain, alice: Wallet, aurora: Service
) -> None:
    cast.fund(chain, cast.ALICE, aurora.provider)
    start(alice, aurora.provider)
    SubAccount.objects.update(generation=1)
    assert sessions.api_key_for(alice, "devnet", aurora.provider) is None


def test_sessions_are_apart_by_network_and_wallet(
    alice: Wallet, mallory: Wallet, aurora: Service
) -> None:
    start(alice, aurora.provider)
    assert sessions.api_key_for(alice, "testnet", aurora.provider) is None
    assert sessions.api_key_for(mallory, "devnet", aurora.provider) is None
    sessions.forget(alice, "testnet", aurora.provider)
    assert sessions.api_key_for(alice, "devnet", aurora.provider)
    sessions.forget(alice, "devnet", aurora.provider)
    assert sessions.api_key_for(alice, "devnet", aurora.provider) is None


def test_the_page_shows_the_bytes_and_what_they_stand_for(
    signed_in: Client, aurora: Service
) -> None:
    path = f"/devnet/account/sessions/{aurora.provider}/"
    reply = signed_in.post(f"{path}prepare/", HTTP_HX_REQUEST="true")
    text = reply.content.decode()
    prepared = signed_in.session[f"provider-session:devnet:{aurora.provider}"]
    request = sessions.SessionRequest(**prepared)
    assert f'data-wallet-sign="0x{request.digest.hex()}"' in text
    assert request.nonce in text
    signature = cast.ALICE.sign_message(request.digest)
    done = signed_in.post(path, {"signature": signature}, HTTP_HX_REQUEST="true")
    assert done.status_code == 200
    assert "readiness-changed" in done["HX-Trigger-After-Settle"]
    assert b"app-sk" not in done.content


def test_a_wrong_signature_gets_a_new_request_and_the_reason(
    signed_in: Client, aurora: Service
) -> None:
    path = f"/devnet/account/sessions/{aurora.provider}/"
    signed_in.post(f"{path}prepare/", HTTP_HX_REQUEST="true")
    reply = signed_in.post(
        path, {"signature": cast.MALLORY.sign_message(b"x")}, HTTP_HX_REQUEST="true"
    )
    assert reply.status_code == 422
    assert b"was made by" in reply.content
    assert not ProviderSession.objects.exists()
