"""The chat pages: what each visitor sees, and what nobody else may."""

from __future__ import annotations

import json

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import ProviderSession, Wallet
from chat import passages
from chat.models import Conversation, Message
from marketplace.models import NetworkState, Service
from tests.chat.stage import NETWORK, ask, get_answer
from zgcompute.testing_providers import FakeProvider, Fault, fake_service

pytestmark = pytest.mark.django_db

HOME = f"/{NETWORK}/chat/"
_OF_A_CONVERSATION = (*("turns", "asking", "pin", "unpinning", "title", "deletion", "restoration"),)


def _page(client: Client, conversation: Conversation) -> str:
    return client.get(f"{HOME}{conversation.pk}/").content.decode()


def test_a_visitor_sees_what_chat_is_and_the_way_in(client: Client, aurora: Service) -> None:
    page = client.get(HOME).content.decode()
    assert aurora.model in page
    assert "Connect wallet" in page
    assert "data-composer" not in page


def test_a_network_without_providers_says_so(client: Client) -> None:
    NetworkState.objects.create(network=NETWORK, services_at=timezone.now())
    assert "No chat provider on this network" in client.get(HOME).content.decode()


def test_a_network_that_was_never_read_is_not_called_empty(client: Client) -> None:
    page = client.get(HOME).content.decode()
    assert "not been read yet" in page


def test_provider_preselects_in_any_spelling(signed_in: Client, conversation: Conversation) -> None:
    page = signed_in.get(HOME, {"provider": conversation.provider.lower()}).content.decode()
    assert f'name="provider" value="{conversation.provider}"' in page
    assert "data-composer" in page


def test_one_button_for_the_step_that_is_missing(
    signed_in: Client, conversation: Conversation
) -> None:
    ProviderSession.objects.all().delete()
    page = _page(signed_in, conversation)
    assert page.count('aria-current="step"') == 1
    assert "Start a session" in page
    assert "data-composer" not in page


def test_code_that_is_still_being_written_looks_like_code(
    signed_in: Client, conversation: Conversation
) -> None:
    answer = ask(conversation)
    Message.objects.filter(pk=answer.pk).update(state="streaming", text="So:\n```py\nx = <1>")
    page = _page(signed_in, conversation)
    assert "answer__tail--code" in page
    assert "x = &lt;1&gt;</div>" in page


def test_after_each_step_the_header_tells_what_is_available(
    signed_in: Client, conversation: Conversation
) -> None:
    for url in (f"{conversation.pk}/ready/", f"ready/{conversation.provider}/"):
        part = signed_in.get(HOME + url, headers={"HX-Request": "true"}).content.decode()
        chip = part.split('id="wallet-chip-amount"')[1]
        assert 'hx-swap-oob="true"' in chip
        assert ", available" in chip
    assert 'hx-swap-oob="true"' not in _page(signed_in, conversation)


def test_a_running_answer_is_followed_from_where_the_page_was_made(
    signed_in: Client, conversation: Conversation
) -> None:
    answer = ask(conversation)
    Message.objects.filter(pk=answer.pk).update(
        state="streaming", text="**One**\n\nTwo <b>", stream_id=7
    )
    page = _page(signed_in, conversation)
    assert f"/answers/{answer.pk}/stream/?after=7" in page
    assert "<strong>One</strong>" in page
    assert "data-tail>Two &lt;b&gt;</div>" in page
    assert 'data-stop action="' in page


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (None, ["Verified", "Signed by the provider", "Evidence (JSON)", "What", "Fee"]),
        (Fault.TAMPERED_ANSWER, ["Failed", "other bytes", "anybody could have written"]),
        (Fault.WRONG_SIGNER, ["Failed", "another key"]),
        (Fault.NO_SIGNATURE, ["Not checked", "Check again", "Nothing is proved either way"]),
        (Fault.DISCONNECT, ["Not checked", "Fee not known", "Send again"]),
        (Fault.RATE_LIMITED, ["Send again", 'data-wait="5"', "Choose another provider"]),
        (Fault.EXPIRED_SESSION, ["data-refresh", "Start a session"]),
        (Fault.RESERVE, ["data-refresh", "transfer"]),
    ],
)
def test_each_end_is_told_in_words(
    signed_in: Client, conversation: Conversation, fault: Fault | None, words: list[str]
) -> None:
    provider = FakeProvider(answer="What a **day**, six words here", fault=fault)
    get_answer(ask(conversation).pk, provider)
    page = _page(signed_in, conversation)
    for word in words:
        assert word in page
    assert ('data-outcome="verified"' in page) is (fault is None)
    assert "Checking…" not in page


@pytest.mark.django_db(transaction=True)
def test_an_answer_that_cannot_be_verified_is_neither_good_nor_bad(
    signed_in: Client, conversation: Conversation
) -> None:
    Service.objects.update(verifiability="TeeTLS")
    get_answer(ask(conversation).pk, FakeProvider(fake_service(verifiability="TeeTLS")))
    page = _page(signed_in, conversation)
    assert 'data-outcome="not verifiable"' in page
    assert "state--good" not in page.split("data-turns")[1]


@pytest.mark.django_db(transaction=True)
def test_the_evidence_is_a_file(signed_in: Client, conversation: Conversation) -> None:
    answer = get_answer(ask(conversation).pk, FakeProvider())
    reply = signed_in.get(f"{HOME}answers/{answer.pk}/evidence.json")
    assert "attachment" in reply["Content-Disposition"]
    assert json.loads(reply.content)["outcome"] == "verified"


def test_how_the_model_is_asked_is_remembered(
    signed_in: Client, conversation: Conversation
) -> None:
    form = {"system_prompt": "Be brief.", "temperature": "0.2", "max_tokens": "50"}
    signed_in.post(f"{HOME}{conversation.pk}/asking/", form)
    conversation.refresh_from_db()
    assert conversation.system_prompt == "Be brief."
    assert conversation.parameters == {"temperature": 0.2, "max_tokens": 50}
    assert "Be brief." in _page(signed_in, conversation)


def test_a_wrong_parameter_is_refused_beside_its_field(
    signed_in: Client, conversation: Conversation
) -> None:
    reply = signed_in.post(
        f"{HOME}{conversation.pk}/asking/", {"top_p": "2"}, headers={"HX-Request": "true"}
    )
    assert reply.status_code == 422
    assert b"less than or equal to 1" in reply.content


def test_a_page_shows_what_fits_and_says_what_it_leaves_out(
    signed_in: Client, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passages, "SHOWN_CHARACTERS", 25)
    for number in "123":
        answer = ask(conversation, f"question {number}")
        Message.objects.filter(pk=answer.pk).update(state="complete", text="ten signs.")
    page = _page(signed_in, conversation)
    assert page.count("ten signs.</p>") == 2
    assert "The 1 oldest question of this conversation is not shown here" in page
    monkeypatch.setattr(passages, "SHOWN_CHARACTERS", 5)
    assert _page(signed_in, conversation).count("ten signs.</p>") == 1


def test_strangers_find_nothing(
    client: Client, mallory: Wallet, conversation: Conversation, started: list[object]
) -> None:
    answer = ask(conversation)
    pages = [f"{conversation.pk}/", f"{conversation.pk}/ready/"]
    pages += [f"{conversation.pk}/export.{ending}" for ending in ("json", "md")]
    pages += [f"answers/{answer.pk}/evidence.json", f"messages/{answer.pk}/"]
    actions = [f"{conversation.pk}/{name}/" for name in _OF_A_CONVERSATION]
    actions += [
        f"answers/{answer.pk}/{name}/" for name in ("again", "continuation", "stop", "check")
    ]
    actions += [f"messages/{answer.pk}/choice/", f"questions/{answer.parent_id}/edit/"]
    for _ in ("signed out", "as Mallory"):
        for url in pages:
            assert client.get(HOME + url).status_code == 404, url
        for url in actions:
            assert client.post(HOME + url).status_code == 404, url
        client.force_login(mallory, backend="accounts.backends.SignedMessage")
    answer.refresh_from_db()
    assert (answer.state, started) == ("pending", [])


def test_conversations_of_another_network_are_not_here(
    signed_in: Client, conversation: Conversation
) -> None:
    assert signed_in.get(f"/testnet/chat/{conversation.pk}/").status_code == 404
    assert signed_in.get(f"/nowhere/chat/{conversation.pk}/").status_code == 404


def test_hostile_names_are_shown_as_text(
    signed_in: Client, conversation: Conversation, aurora: Service
) -> None:
    hostile = '<script>alert(1)</script>"\u202e'
    Service.objects.update(model=hostile)
    Conversation.objects.update(model=hostile, title=hostile)
    for page in (_page(signed_in, conversation), signed_in.get(HOME).content.decode()):
        assert "<script>alert" not in page
        assert "\u202e" not in page


@pytest.mark.django_db(transaction=True)
def test_a_long_conversation_takes_no_more_queries(
    signed_in: Client, conversation: Conversation
) -> None:
    counts = []
    for number in (1, 3):
        for _ in range(number):
            get_answer(ask(conversation).pk, FakeProvider())
        _page(signed_in, conversation)
        with CaptureQueriesContext(connection) as queries:
            _page(signed_in, conversation)
        counts.append(len(queries))
    assert counts[0] == counts[1]
