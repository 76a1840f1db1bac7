"""Side by side: each provider is asked once, and none stands in another's way."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.cache import cache
from django.test import Client

from accounts.models import ProviderSession, Wallet
from chat import comparisons
from chat.models import Comparison, Conversation, Message
from marketplace.models import Service
from tests.chat import stage
from tests.chat.stage import NETWORK

pytestmark = pytest.mark.django_db

BESIDE = f"/{NETWORK}/chat/beside/"
HTMX = {"HX-Request": "true"}
OTHERS = tuple(f"0x{number:040x}" for number in range(1, 5))


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    cache.clear()


@pytest.fixture
def cumulus() -> Service:
    return stage.make_service(provider=OTHERS[0], model="cumulus-model")


@pytest.fixture
def ready(alice: Wallet, aurora: Service, cumulus: Service) -> list[Service]:
    """Two services that Alice can ask."""
    stage.make_ready(alice, aurora)
    stage.make_provider_ready(alice, cumulus)
    return [aurora, cumulus]


@pytest.fixture
def shown(alice: Wallet, ready: list[Service]) -> Comparison:
    return comparisons.start(alice, ready, key=uuid4(), system_prompt="", parameters={})


def _form(
    services: list[Service], text: str = "Hello", key: UUID | None = None, **more: Any
) -> dict[str, Any]:
    providers = [service.provider for service in services]
    return {"text": text, "turn_key": str(key or uuid4()), "provider": providers, **more}


def _asked(started: list[object]) -> list[str]:
    """The providers that the engine was told to ask, in order."""
    rows = Message.objects.select_related("conversation").in_bulk(started)
    return [rows[pk].conversation.provider for pk in started]


def _end_all() -> None:
    Message.objects.answers().update(state="complete", text="Hi")


def test_the_first_form_asks_each_provider_once_however_often_it_comes(
    signed_in: Client, ready: list[Service], started: list[object]
) -> None:
    form = _form(ready)
    replies = [signed_in.post(BESIDE, form) for _ in range(2)]
    _end_all()
    replies.append(signed_in.post(BESIDE, form))
    (made,) = Comparison.objects.all()
    assert {reply["Location"] for reply in replies} == {f"{BESIDE}{made.pk}/"}
    assert _asked(started) == [service.provider for service in ready]
    assert Conversation.objects.count() == 2


def test_each_column_has_its_own_answer_to_the_question(
    signed_in: Client, ready: list[Service], started: list[object]
) -> None:
    reply = signed_in.post(BESIDE, _form(ready, "Is 1 < 2?"), follow=True)
    page = reply.content.decode()
    assert page.count("Is 1 &lt; 2?</p>") == 2
    for pk in started:
        assert f"/answers/{pk}/stream/?after=0" in page
    assert page.count("data-turns") == 2
    assert page.count("data-stop action=") == 2


def test_the_next_question_goes_to_all_once_and_the_form_gets_a_new_key(
    signed_in: Client, shown: Comparison, ready: list[Service], started: list[object]
) -> None:
    url, form = f"{BESIDE}{shown.pk}/turns/", _form([])
    for _ in range(2):
        reply = signed_in.post(url, form, headers=HTMX)
    assert reply.status_code == 200
    assert b'id="beside"' in reply.content
    assert b'id="turn-key"' in reply.content
    assert form["turn_key"].encode() not in reply.content
    assert _asked(started) == [service.provider for service in ready]
    _end_all()
    signed_in.post(url, _form([]), headers=HTMX)
    assert len(started) == 4


def test_who_is_not_ready_shows_its_step_and_is_asked_later_alone(
    signed_in: Client, shown: Comparison, ready: list[Service], started: list[object]
) -> None:
    aurora, cumulus = ready
    sessions = ProviderSession.objects.filter(provider=cumulus.provider)
    sessions.delete()
    url = f"{BESIDE}{shown.pk}/turns/"
    reply = signed_in.post(url, _form([], "Hello all"), headers=HTMX)
    page = reply.content.decode()
    assert _asked(started) == [aurora.provider]
    assert "Start a session" in page
    assert "has not been sent to this provider: “Hello all”" in page
    stage.make_session(shown.wallet, cumulus)
    shown.refresh_from_db()
    late = Conversation.objects.get(provider=cumulus.provider)
    again = _form([], "Hello all", shown.asked_key, conversation=str(late.pk))
    for _ in range(2):
        page = signed_in.post(url, again, headers=HTMX).content.decode()
    assert _asked(started) == [aurora.provider, cumulus.provider]
    assert "has not been sent" not in page


def test_one_that_is_still_answering_does_not_keep_the_others_waiting(
    signed_in: Client, shown: Comparison, ready: list[Service], started: list[object]
) -> None:
    aurora, cumulus = ready
    url = f"{BESIDE}{shown.pk}/turns/"
    signed_in.post(url, _form([], "one"), headers=HTMX)
    Message.objects.filter(pk=started[0]).update(state="failed", problem="It is down.")
    reply = signed_in.post(url, _form([], "two"), headers=HTMX)
    assert reply.status_code == 200
    assert _asked(started) == [aurora.provider, cumulus.provider, aurora.provider]
    page = reply.content.decode()
    assert "Not sent to this one. The previous answer is still being written." in page
    assert "It is down." in page


def test_nobody_asked_is_a_refusal(
    signed_in: Client, shown: Comparison, ready: list[Service], started: list[object]
) -> None:
    ProviderSession.objects.all().delete()
    for url in (BESIDE, f"{BESIDE}{shown.pk}/turns/"):
        reply = signed_in.post(url, _form(ready), headers=HTMX)
        assert reply.status_code == 422
        assert b"One step is missing" in reply.content
    assert Comparison.objects.count() == 1
    assert started == []


@pytest.mark.parametrize("count", [1, 5])
def test_one_is_too_few_and_five_are_too_many(
    signed_in: Client, aurora: Service, started: list[object], count: int
) -> None:
    many = [aurora, *(stage.make_service(provider=one) for one in OTHERS)][:count]
    words = {1: "Choose at least two", 5: "These are 5 providers; four can be asked"}[count]
    form = _form(many)
    assert words in signed_in.get(BESIDE, {"provider": form["provider"]}).content.decode()
    reply = signed_in.post(BESIDE, form)
    assert reply.status_code == 422
    assert words in reply.content.decode()
    assert not Comparison.objects.exists()


def test_the_same_provider_twice_is_one(signed_in: Client, aurora: Service) -> None:
    twice = [aurora.provider, aurora.provider.lower()]
    assert b"Choose at least two" in signed_in.get(BESIDE, {"provider": twice}).content


def test_picking_one_ends_the_comparison_and_keeps_the_others(
    signed_in: Client, shown: Comparison, ready: list[Service], started: list[object]
) -> None:
    url = f"{BESIDE}{shown.pk}/"
    signed_in.post(f"{url}turns/", _form([]), headers=HTMX)
    _end_all()
    winner = Conversation.objects.get(provider=ready[1].provider)
    page = f"/{NETWORK}/chat/{winner.pk}/"
    assert signed_in.post(f"{url}pick/", {"conversation": winner.pk})["Location"] == page
    reply = signed_in.post(f"{url}turns/", _form([]), headers=HTMX)
    assert reply.status_code == 422
    assert b"gone on with one of these" in reply.content
    page_beside = signed_in.get(url).content.decode()
    assert "You went on with this one" in page_beside
    assert "data-composer" not in page_beside
    assert signed_in.get(page).content.decode().count("Side by side · ") == 2
    assert signed_in.post(f"{url}pick/", {"conversation": uuid4()}).status_code == 404


def test_a_column_keeps_the_page_where_it_is(
    signed_in: Client, shown: Comparison, started: list[object]
) -> None:
    url = f"{BESIDE}{shown.pk}/"
    signed_in.post(f"{url}turns/", _form([]), headers=HTMX)
    _end_all()
    current = HTMX | {"HX-Current-URL": f"http://testserver{url}"}
    again = f"/{NETWORK}/chat/answers/{started[0]}/again/"
    reply = signed_in.post(again, {"turn_key": uuid4()}, headers=current)
    assert reply.status_code == 200
    assert "HX-Replace-Url" not in reply.headers


def test_without_a_script_each_form_leads_back_to_the_columns(
    signed_in: Client, shown: Comparison, started: list[object]
) -> None:
    url = f"{BESIDE}{shown.pk}/"
    assert signed_in.post(f"{url}turns/", _form([]))["Location"] == url
    referer = {"Referer": f"http://testserver{url}"}
    answers = f"/{NETWORK}/chat/answers"
    assert signed_in.post(f"{answers}/{started[0]}/stop/", headers=referer)["Location"] == url
    _end_all()
    again = signed_in.post(f"{answers}/{started[1]}/again/", _form([]), headers=referer)
    assert again["Location"] == url
    alone = Message.objects.get(pk=started[1]).conversation_id
    elsewhere = signed_in.post(f"{answers}/{started[1]}/stop/")
    assert elsewhere["Location"] == f"/{NETWORK}/chat/{alone}/"


def test_without_a_script_the_page_says_who_was_not_asked_and_why(
    signed_in: Client, shown: Comparison, ready: list[Service], started: list[object]
) -> None:
    url = f"{BESIDE}{shown.pk}/turns/"
    signed_in.post(url, _form([], "one"))
    Message.objects.filter(pk=started[0]).update(state="complete", text="Hi")
    page = signed_in.post(url, _form([], "two")).content.decode()
    assert page.startswith("<!doctype html>")
    assert "Not sent to this one. The previous answer is still being written." in page


def test_the_standings_are_refreshed_alone(
    signed_in: Client, shown: Comparison, started: list[object]
) -> None:
    url = f"{BESIDE}{shown.pk}/"
    signed_in.post(f"{url}turns/", _form([]), headers=HTMX)
    Message.objects.filter(pk=started[0]).update(state="failed", problem="It is down.")
    part = signed_in.get(f"{url}standings/", headers=HTMX).content.decode()
    assert part.strip().startswith('<nav id="standings"')
    assert part.count("Failed") == 1
    assert part.count("Waiting") == 1


def test_strangers_find_nothing(
    client: Client, mallory: Wallet, shown: Comparison, started: list[object]
) -> None:
    url = f"{BESIDE}{shown.pk}/"
    for _ in ("signed out", "as Mallory"):
        assert client.get(url).status_code == 404
        for action in ("turns", "pick"):
            assert client.post(f"{url}{action}/", _form([])).status_code == 404
        client.force_login(mallory, backend="accounts.backends.SignedMessage")
    assert started == []


def test_a_visitor_is_asked_to_sign_in_once(client: Client, ready: list[Service]) -> None:
    wanted = [service.provider for service in ready]
    page = client.get(BESIDE, {"provider": wanted}).content.decode()
    assert page.count('aria-current="step"') == 1
    assert "data-composer" not in page


def test_what_comes_before_the_first_message_is_refreshed_in_parts(
    signed_in: Client, ready: list[Service]
) -> None:
    ProviderSession.objects.filter(provider=ready[1].provider).delete()
    wanted = {"provider": [service.provider for service in ready]}
    dock = signed_in.get(BESIDE, wanted, headers=HTMX).content.decode()
    assert dock.startswith('<div id="ready"')
    assert dock.count('name="provider"') == 2
    steps = [
        signed_in.get(f"{BESIDE}steps/{service.provider}/", headers=HTMX).content.decode()
        for service in ready
    ]
    assert "Ready to be asked" in steps[0]
    assert "Start a session" in steps[1]


def test_what_is_deleted_leaves_its_column(
    signed_in: Client, shown: Comparison, ready: list[Service]
) -> None:
    for left, conversation in ((1, ready[0]), (0, ready[1])):
        one = Conversation.objects.get(provider=conversation.provider)
        signed_in.post(f"/{NETWORK}/chat/{one.pk}/deletion/")
        reply = signed_in.get(f"{BESIDE}{shown.pk}/")
        assert reply.status_code == (200 if left else 404)
        assert reply.content.decode().count("beside__column") == left
