from __future__ import annotations

import html
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts import key_list, keys, sessions, transactions
from accounts.models import ApiKey, ProviderSession, SubAccount, Transaction, Wallet
from marketplace.models import Service
from tests.accounts import cast
from tests.accounts.test_sessions import start
from zgcompute.errors import InvalidToken, SignatureMismatch
from zgcompute.session import SessionRequest, SessionToken
from zgcompute.testing import FakeChain

WEEK = timedelta(days=7)
HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def funded(chain: FakeChain, alice: Wallet, aurora: Service) -> Service:
    """Aurora, with whom Alice has locked 2 0G."""
    cast.fund(chain, cast.ALICE, aurora.provider)
    return aurora


def account_of(wallet: Wallet) -> SubAccount:
    return SubAccount.objects.get(wallet=wallet)


def prepared(wallet: Wallet, service: Service, label: str = "bot") -> ApiKey:
    return keys.prepare(wallet, "devnet", service.provider, label, WEEK)


def made(wallet: Wallet, service: Service, label: str = "bot") -> tuple[ApiKey, SessionToken]:
    key = prepared(wallet, service, label)
    token = keys.seal(key, cast.ALICE.sign_message(keys.request_of(key).digest))
    key.refresh_from_db()
    return key, token


def foreign(service: Service, slot: int, *, generation: int = 0, signer=cast.ALICE) -> SessionToken:
    """A key that another tool made."""
    request = SessionRequest.new(
        signer.address, service.provider, generation=generation, token_id=slot, lifetime=None
    )
    return request.signed_by(signer)


def word(key: ApiKey) -> str:
    key.refresh_from_db()
    return key_list.state(key, key.sub_account()).word


def test_a_signed_key_opens_the_slot_it_reserved(alice: Wallet, funded: Service) -> None:
    key, token = made(alice, funded)
    parsed = SessionToken.parse(token.api_key)
    assert (parsed.user, parsed.provider) == (alice.address, funded.provider)
    assert (parsed.token_id, parsed.generation) == (key.slot, key.generation) == (0, 0)
    assert parsed.expires_at_ms - parsed.issued_at_ms == 7 * 24 * 3600 * 1000
    assert word(key) == "active"


def test_of_a_key_only_its_fingerprint_stays(alice: Wallet, funded: Service) -> None:
    key, token = made(alice, funded)
    stored = " ".join(str(value) for value in ApiKey.objects.filter(pk=key.pk).values()[0].values())
    assert keys.fingerprint(token) in stored
    assert token.nonce not in stored
    assert token.signature not in stored
    assert "app-sk" not in stored


def test_a_key_that_never_expires_says_so(alice: Wallet, funded: Service) -> None:
    key = keys.prepare(alice, "devnet", funded.provider, "for ever", None)
    token = keys.seal(key, cast.ALICE.sign_message(keys.request_of(key).digest))
    assert (token.expires_at_ms, key.expires_at) == (0, None)


def test_two_keys_in_a_row_have_different_slots_signed_or_not(
    alice: Wallet, funded: Service
) -> None:
    first, second = prepared(alice, funded), prepared(alice, funded)
    third, _ = made(alice, funded)
    assert [first.slot, second.slot, third.slot] == [0, 1, 2]


def test_who_is_faster_gets_the_slot_and_the_other_one_the_next(
    alice: Wallet, funded: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both saw slot 0 free; the database lets only one of them have it."""
    everything = list(range(keys.SLOTS))
    monkeypatch.setattr(keys, "free_slots", lambda account: everything)
    assert [prepared(alice, funded).slot, prepared(alice, funded).slot] == [0, 1]


@pytest.mark.django_db(transaction=True)
def test_keys_made_at_the_same_time_never_share_a_slot(alice: Wallet, funded: Service) -> None:
    def make(number: int) -> int:
        try:
            return prepared(alice, funded, f"bot {number}").slot
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=4) as pool:
        slots = list(pool.map(make, range(8)))
    assert sorted(slots) == list(range(8))


def test_slots_revoked_on_chain_are_not_used(
    chain: FakeChain, alice: Wallet, funded: Service
) -> None:
    chain.apply(chain.calls.revoke_tokens(funded.provider, [0, 1, 3]), alice.address)
    cast.mirror(chain, cast.ALICE)
    assert [prepared(alice, funded).slot, prepared(alice, funded).slot] == [2, 4]


def test_slots_used_elsewhere_are_not_used(alice: Wallet, funded: Service) -> None:
    pasted = keys.note_pasted(alice, "devnet", funded.provider, foreign(funded, 0).api_key)
    marked = keys.mark(alice, "devnet", funded.provider, 1)
    assert prepared(alice, funded).slot == 2
    assert word(pasted) == word(marked) == "used elsewhere"
    assert pasted.expires_at is None
    assert not pasted.nonce


def test_a_pasted_key_that_shares_a_slot_is_told_of(alice: Wallet, funded: Service) -> None:
    made(alice, funded, "my bot")
    with pytest.raises(keys.KeyRefused, match="Slot 0 holds another key too, “my bot”"):
        keys.note_pasted(alice, "devnet", funded.provider, foreign(funded, 0).api_key)


def test_a_pasted_key_takes_the_place_of_its_mark_and_is_noted_once(
    alice: Wallet, funded: Service
) -> None:
    keys.mark(alice, "devnet", funded.provider, 5)
    key = foreign(funded, 5).api_key
    keys.note_pasted(alice, "devnet", funded.provider, f"  {key}\n")
    with pytest.raises(keys.KeyRefused, match="noted already"):
        keys.note_pasted(alice, "devnet", funded.provider, key)
    assert [row.slot for row in ApiKey.objects.all()] == [5]


def test_a_pasted_key_with_an_absurd_time_is_noted_all_the_same(
    alice: Wallet, funded: Service
) -> None:
    request = SessionRequest(
        cast.ALICE.address, funded.provider, 1, 2**63 - 1, "n", 0, 7
    )  # expires in 292 million years
    token = request.signed_by(cast.ALICE)
    key = keys.note_pasted(alice, "devnet", funded.provider, token.api_key)
    key.refresh_from_db()
    assert key.expires_at is not None
    assert key.expires_at.year == 9999


def test_what_takes_no_slot_is_not_noted(alice: Wallet, funded: Service, chain: FakeChain) -> None:
    session = SessionRequest.new(alice.address, funded.provider, generation=0)
    cases = {
        "another wallet": foreign(funded, 1, signer=cast.BOB),
        "a session": session.signed_by(cast.ALICE),
        "revoked": foreign(funded, 1, generation=3),
    }
    for words, token in cases.items():
        with pytest.raises(keys.KeyRefused, match=words):
            keys.note_pasted(alice, "devnet", funded.provider, token.api_key)
    for damaged in ("", "sk-123", "app-sk-AAAA", foreign(funded, 1).api_key[:-8]):
        with pytest.raises((InvalidToken, SignatureMismatch)):
            keys.note_pasted(alice, "devnet", funded.provider, damaged)
    assert not ApiKey.objects.exists()


def test_marking_is_for_free_slots_only(alice: Wallet, funded: Service) -> None:
    made(alice, funded)
    for slot in (-1, 255, 0):
        with pytest.raises(keys.KeyRefused):
            keys.mark(alice, "devnet", funded.provider, slot)


def test_when_all_slots_are_taken_the_remedy_is_said(alice: Wallet, funded: Service) -> None:
    SubAccount.objects.update(revoked_bitmap=2**255 - 1)
    with pytest.raises(keys.KeyRefused, match="All 255 slots") as refusal:
        prepared(alice, funded)
    assert "Revoke all" in refusal.value.advice


def test_slots_of_keys_long_expired_are_used_when_no_other_is_left(
    alice: Wallet, funded: Service
) -> None:
    key, _ = made(alice, funded)
    SubAccount.objects.update(revoked_bitmap=2**255 - 2)  # all but slot 0
    with pytest.raises(keys.KeyRefused):
        prepared(alice, funded)
    ApiKey.objects.filter(pk=key.pk).update(expires_at=timezone.now() - timedelta(hours=25))
    assert prepared(alice, funded).slot == 0


def test_a_key_that_was_not_signed_in_time_gives_its_slot_back(
    alice: Wallet, funded: Service
) -> None:
    key = prepared(alice, funded)
    ApiKey.objects.update(issued_at=timezone.now() - timedelta(minutes=16))
    key.refresh_from_db()
    with pytest.raises(InvalidToken):
        keys.seal(key, cast.ALICE.sign_message(keys.request_of(key).digest))
    assert key_list.of(alice, "devnet", funded.provider).rows == []
    assert prepared(alice, funded).slot == 0


def test_a_key_is_sealed_once_and_by_its_owner_only(alice: Wallet, funded: Service) -> None:
    key = prepared(alice, funded)
    digest = keys.request_of(key).digest
    with pytest.raises(SignatureMismatch):
        keys.seal(key, cast.MALLORY.sign_message(digest))
    keys.seal(key, cast.ALICE.sign_message(digest))
    with pytest.raises(InvalidToken):
        keys.seal(key, cast.ALICE.sign_message(digest))
    key.refresh_from_db()
    with pytest.raises(InvalidToken):
        keys.seal(key, cast.ALICE.sign_message(digest))


def test_a_key_whose_generation_ended_meanwhile_is_not_sealed(
    alice: Wallet, funded: Service
) -> None:
    key = prepared(alice, funded)
    SubAccount.objects.update(generation=1)
    with pytest.raises(InvalidToken, match="revoked while"):
        keys.seal(key, cast.ALICE.sign_message(keys.request_of(key).digest))
    assert not ApiKey.objects.exists()


def test_without_a_sub_account_there_is_no_key(alice: Wallet, aurora: Service) -> None:
    with pytest.raises(keys.KeyRefused) as refusal:
        prepared(alice, aurora)
    assert "Transfer funds" in refusal.value.advice


def test_each_state_has_its_word(chain: FakeChain, alice: Wallet, funded: Service) -> None:
    waiting, (revoked, _), (expired, _) = (
        prepared(alice, funded),
        made(alice, funded),
        made(alice, funded),
    )
    ApiKey.objects.filter(pk=expired.pk).update(expires_at=timezone.now())
    chain.apply(chain.calls.revoke_token(funded.provider, revoked.slot), alice.address)
    cast.mirror(chain, cast.ALICE)
    assert [word(waiting), word(revoked), word(expired)] == ["not signed", "revoked", "expired"]
    chain.apply(chain.calls.revoke_all_tokens(funded.provider), alice.address)
    cast.mirror(chain, cast.ALICE)
    assert word(revoked) == word(expired) == "of an older generation"


def test_after_revoking_all_every_slot_is_free_and_our_session_is_gone(
    chain: FakeChain, alice: Wallet, funded: Service
) -> None:
    made(alice, funded)
    start(alice, funded.provider)
    prepared_call = transactions.prepare_revocation_of_all(alice, cast.NETWORK, funded.provider)
    assert prepared_call.function == "revokeAllTokens"
    chain.apply(chain.calls.revoke_all_tokens(funded.provider), alice.address)
    cast.mirror(chain, cast.ALICE)
    assert not ProviderSession.objects.exists()
    assert sessions.api_key_for(alice, "devnet", funded.provider) is None
    assert len(keys.free_slots(account_of(alice))) == 255
    key, token = made(alice, funded)
    assert (key.slot, token.generation) == (0, 1)


def test_a_key_is_shown_once_on_the_page(signed_in: Client, funded: Service) -> None:
    path = f"/devnet/account/keys/of/{funded.provider}/prepare/"
    asked = signed_in.post(path, {"label": "<b>bot</b>", "lifetime": "1d"}, **HTMX)
    text = asked.content.decode()
    key = ApiKey.objects.get()
    digest = keys.request_of(key).digest
    assert f'data-wallet-sign="0x{digest.hex()}"' in text
    assert "<b>bot" not in text
    done = signed_in.post(
        f"/devnet/account/keys/{key.pk}/", {"signature": cast.ALICE.sign_message(digest)}, **HTMX
    )
    (shown,) = re.findall(r'id="new-key">(app-sk-[^<]+)<', done.content.decode())
    assert SessionToken.parse(html.unescape(shown)).token_id == key.slot
    assert "no-store" in done["Cache-Control"]
    assert "keys-changed" in done["HX-Trigger-After-Settle"]
    for address in ("", f"?provider={funded.provider}", f"of/{funded.provider}/"):
        again = signed_in.get(f"/devnet/account/keys/{address}")
        assert again.status_code == 200
        assert "app-sk-ey" not in again.content.decode()
        assert "1 day" in again.content.decode() or "active" in again.content.decode()


def test_a_wrong_signature_can_be_tried_again(signed_in: Client, funded: Service) -> None:
    path = f"/devnet/account/keys/of/{funded.provider}/prepare/"
    signed_in.post(path, {"label": "bot", "lifetime": "never"}, **HTMX)
    key = ApiKey.objects.get()
    wrong = cast.MALLORY.sign_message(keys.request_of(key).digest)
    reply = signed_in.post(f"/devnet/account/keys/{key.pk}/", {"signature": wrong}, **HTMX)
    assert reply.status_code == 422
    assert b"was made by" in reply.content
    assert b"data-wallet-sign" in reply.content
    assert b"app-sk" not in reply.content


@pytest.mark.parametrize("fields", [{"label": " ", "lifetime": "1h"}, {"label": "x"}])
def test_a_form_that_lacks_something_says_so(
    signed_in: Client, funded: Service, fields: dict[str, str]
) -> None:
    path = f"/devnet/account/keys/of/{funded.provider}/prepare/"
    reply = signed_in.post(path, fields, **HTMX)
    assert reply.status_code == 422
    assert b'role="alert"' in reply.content
    assert not ApiKey.objects.exists()


def test_slots_used_elsewhere_are_noted_on_the_page(signed_in: Client, funded: Service) -> None:
    path = f"/devnet/account/keys/of/{funded.provider}/elsewhere/"
    secret = foreign(funded, 4).api_key
    for fields in ({"key": secret}, {"slot": "9"}):
        reply = signed_in.post(path, fields, **HTMX)
        assert reply.status_code == 200
        assert secret.encode() not in reply.content
    assert sorted(ApiKey.objects.values_list("slot", flat=True)) == [4, 9]
    for fields in ({"key": "nonsense"}, {"slot": "9"}, {"slot": "x"}, {}):
        assert signed_in.post(path, fields, **HTMX).status_code == 422
    marked = ApiKey.objects.get(slot=9)
    signed_in.post(f"/devnet/account/keys/{marked.pk}/removal/", **HTMX)
    pasted = ApiKey.objects.get()
    signed_in.post(f"/devnet/account/keys/{pasted.pk}/removal/", **HTMX)
    assert ApiKey.objects.get() == pasted


def test_revoking_is_explained_before_the_wallet_opens(
    signed_in: Client, alice: Wallet, funded: Service
) -> None:
    made(alice, funded)
    key, _ = made(alice, funded)
    reply = signed_in.post(f"/devnet/account/keys/{key.pk}/revocation/", follow=True, **HTMX)
    text = reply.content.decode()
    assert "call revokeToken" in text
    assert "slot 1" in text
    assert "10 minutes" in text
    assert Transaction.objects.get().data.endswith("01")
    whole = signed_in.post(
        f"/devnet/account/keys/of/{funded.provider}/revocation/", follow=True, **HTMX
    )
    assert "every running session" in whole.content.decode()


def test_what_is_revoked_is_not_revoked_again(
    signed_in: Client, alice: Wallet, funded: Service
) -> None:
    key, _ = made(alice, funded)
    path = f"/devnet/account/keys/{key.pk}/revocation/"
    for change in ({"revoked_bitmap": 1}, {"revoked_bitmap": 0, "generation": 1}):
        SubAccount.objects.update(**change)
        assert signed_in.post(path, **HTMX).status_code == 409
    assert not Transaction.objects.exists()


def test_strangers_see_and_do_nothing(
    client: Client, mallory: Wallet, alice: Wallet, funded: Service
) -> None:
    key, _ = made(alice, funded, "secret label")
    assert b"secret label" not in client.get("/devnet/account/keys/").content
    paths = [f"{key.pk}/", f"{key.pk}/revocation/", f"{key.pk}/removal/"]
    for path in [*paths, f"of/{funded.provider}/prepare/"]:
        assert client.post(f"/devnet/account/keys/{path}").status_code == 401
    client.force_login(mallory, backend="accounts.backends.SignedMessage")
    for path in paths:
        assert client.post(f"/devnet/account/keys/{path}").status_code == 404
    page = client.get(f"/devnet/account/keys/?provider={funded.provider}")
    assert b"secret label" not in page.content
    assert b"Transfer funds" in page.content
    assert ApiKey.objects.filter(pk=key.pk).exists()
