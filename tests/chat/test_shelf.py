"""The list of conversations: by day, pinned, renamed, deleted and taken back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Usage, Wallet
from chat import shelf
from chat.models import Conversation, Message, Receipt
from marketplace.models import Service
from tests.chat.stage import NETWORK, ask, get_answer, make_conversation
from zgcompute.testing_providers import FakeProvider

pytestmark = pytest.mark.django_db
HOME = f"/{NETWORK}/chat/"
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def _used(wallet: Wallet, service: Service, title: str, when: datetime) -> Conversation:
    made = make_conversation(wallet, service)
    Conversation.objects.filter(pk=made.pk).update(title=title, updated_at=when)
    return made


def _days(listed: shelf.Shelf) -> list[tuple[str, list[str]]]:
    return [(day.title, [one.title for one in day.conversations]) for day in listed.days]


def test_conversations_are_listed_by_day(
    alice: Wallet, aurora: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timezone, "now", lambda: NOON)
    for title, hours in (("a", 1), ("b", 11), ("c", 13), ("d", 40), ("e", 24 * 80)):
        _used(alice, aurora, title, NOON - timedelta(hours=hours))
    assert _days(shelf.shelf(alice, NETWORK)) == [
        ("Today", ["a", "b"]),
        ("Yesterday", ["c"]),
        ("8 March", ["d"]),
        ("20 December 2025", ["e"]),
    ]
    assert _days(shelf.shelf(alice, NETWORK, minutes_east=120))[0] == ("Today", ["a", "b", "c"])


def test_older_ones_are_a_click_away(
    signed_in: Client, alice: Wallet, aurora: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "PAGE", 2)
    for number in range(5):
        _used(alice, aurora, f"talk {number}", NOON - timedelta(hours=number))
    page = signed_in.get(f"{HOME}history/?show=2").content.decode()
    assert "talk 1" in page
    assert "talk 2" not in page
    assert f"{HOME}history/?show=4" in page
    rest = signed_in.get(f"{HOME}history/?show=6", headers={"HX-Request": "true"}).content.decode()
    assert "talk 4" in rest
    assert "Show older" not in rest


@pytest.mark.parametrize("show", ["-1", "x", "9" * 30, "²"])
def test_a_nonsense_count_is_none(signed_in: Client, alice: Wallet, show: str) -> None:
    assert signed_in.get(f"{HOME}history/", {"show": show}).status_code == 200


def test_pinned_ones_stay_on_top(signed_in: Client, conversation: Conversation) -> None:
    assert signed_in.post(f"{HOME}{conversation.pk}/pin/").status_code == 302
    assert "<h2>Pinned</h2>" in signed_in.get(HOME).content.decode()
    signed_in.post(f"{HOME}{conversation.pk}/unpinning/")
    page = signed_in.get(HOME).content.decode()
    assert "<h2>Pinned</h2>" not in page
    assert "<h2>Today</h2>" in page


def test_a_conversation_is_called_by_another_name(
    signed_in: Client, conversation: Conversation
) -> None:
    signed_in.post(f"{HOME}{conversation.pk}/title/", {"title": "<b>Birds</b>"})
    page = signed_in.get(f"{HOME}{conversation.pk}/").content.decode()
    assert "<h1>&lt;b&gt;Birds&lt;/b&gt;</h1>" in page
    for title in ("", "x" * 121):
        reply = signed_in.post(f"{HOME}{conversation.pk}/title/", {"title": title})
        assert reply.status_code == 422


@pytest.mark.django_db(transaction=True)
def test_a_deleted_conversation_can_be_taken_back(
    signed_in: Client, conversation: Conversation
) -> None:
    answer = get_answer(ask(conversation, "Hello there").pk, FakeProvider())
    reply = signed_in.post(f"{HOME}{conversation.pk}/deletion/")
    assert reply["Location"] == f"{HOME}?deleted={conversation.pk}"
    assert "Undo" in signed_in.get(reply["Location"]).content.decode()
    assert "Hello there" not in signed_in.get(HOME).content.decode()
    for gone in (f"{conversation.pk}/", f"messages/{answer.pk}/", f"answers/{answer.pk}/stream/"):
        assert signed_in.get(HOME + gone).status_code == 404
    assert "Take back" in signed_in.get(f"{HOME}history/").content.decode()
    back = signed_in.post(f"{HOME}{conversation.pk}/restoration/")
    assert "Hello there" in signed_in.get(back["Location"]).content.decode()
    assert signed_in.post(f"{HOME}{conversation.pk}/restoration/").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_after_a_while_it_is_gone_for_good_and_its_usage_stays(conversation: Conversation) -> None:
    get_answer(ask(conversation).pk, FakeProvider())
    shelf.delete(conversation)
    assert shelf.purge(NETWORK) == 0
    Conversation.objects.update(deleted_at=timezone.now() - shelf.DELETED_KEPT)
    assert shelf.purge("testnet") == 0
    assert shelf.purge(NETWORK) == 1
    assert not Conversation.objects.exists()
    assert not Message.objects.exists()
    assert not Receipt.objects.exists()
    assert Usage.objects.count() == 1


def test_a_conversation_with_a_running_answer_is_not_deleted(
    signed_in: Client, conversation: Conversation
) -> None:
    ask(conversation)
    assert signed_in.post(f"{HOME}{conversation.pk}/deletion/").status_code == 409
    assert shelf.shelf(conversation.wallet, NETWORK).days
