"""Conversations as files: what goes out comes back, and what comes in is believed little."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client

from accounts.models import Usage, Wallet
from chat import branches, forms, imported_proof, importing, turns
from chat.importing import import_file
from chat.models import Conversation, Message, Receipt, SearchText
from chat.passages import passage
from chat.reading import ImportRefused
from marketplace.models import Service
from tests.chat.stage import NETWORK, ask, get_answer
from zgcompute.evidence import verify_evidence
from zgcompute.testing_providers import FakeProvider, Fault

pytestmark = pytest.mark.django_db(transaction=True)

HOME = f"/{NETWORK}/chat/"
STRANGER = "0x00000000000000000000000000000000000000AA"


@pytest.fixture
def talk(conversation: Conversation) -> Conversation:
    """Two answers to one question, a question in other words, a failure, a broken answer."""
    conversation.system_prompt, conversation.parameters = "Be kind.", {"temperature": 0.5}
    conversation.save()
    first = get_answer(ask(conversation, "One?").pk, FakeProvider(answer="**1**", reasoning="Hm."))
    again = turns.ask_again(first, key=uuid4()).answer
    get_answer(again.pk, FakeProvider(answer="Eins", fault=Fault.TAMPERED_ANSWER))
    get_answer(ask(conversation, "Two?").pk, FakeProvider(fault=Fault.RATE_LIMITED))
    assert first.parent is not None
    edited = turns.edit(first.parent, key=uuid4(), text="1?").answer
    get_answer(edited.pk, FakeProvider(answer="x " * 40, fault=Fault.DISCONNECT))
    branches.choose(first)
    conversation.refresh_from_db()
    return conversation


@pytest.fixture
def exported(signed_in: Client, talk: Conversation) -> dict[str, Any]:
    reply = signed_in.get(f"{HOME}export.json")
    assert "attachment" in reply["Content-Disposition"]
    content: dict[str, Any] = json.loads(reply.content)
    return content


def _import(client: Client, content: Any) -> HttpResponse:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return client.post(f"{HOME}imports/", {"file": SimpleUploadedFile("chat.json", data)})  # type: ignore[return-value]


def _as(wallet: Wallet) -> Client:
    client = Client()
    client.force_login(wallet, backend="accounts.backends.SignedMessage")
    return client


def _content(conversation: Conversation) -> list[Any]:
    """What a file can bring back, without keys and times of storing."""
    messages = list(conversation.messages.with_proof().order_by("created_at"))
    places = {message.pk: place for place, message in enumerate(messages)}
    return [
        (conversation.title, conversation.model, conversation.provider),
        (conversation.system_prompt, conversation.parameters, conversation.updated_at),
        [turn.answer.text for turn in passage(conversation).turns],
        *(
            (places.get(one.parent_id), one.role, one.state, one.text, one.reasoning, one.problem)
            for one in messages
        ),
        *((one.created_at, one.chosen_at) for one in messages),
        *(
            (receipt.fee, receipt.lines, receipt.tokens, receipt.outcome, receipt.evidence)
            for one in messages
            if (receipt := getattr(one, "receipt", None))
        ),
    ]


def test_export_then_import_into_an_empty_account_gives_the_same(
    exported: dict[str, Any], talk: Conversation, mallory: Wallet
) -> None:
    assert _import(_as(mallory), exported)["Location"] == f"{HOME}history/?imported=1&known=0"
    copy = Conversation.objects.get(wallet=mallory)
    assert _content(copy) == _content(talk)
    assert Usage.objects.filter(wallet=mallory).count() == 0
    texts = [SearchText.objects.filter(conversation=one).count() for one in (copy, talk)]
    assert texts == [7, 7]


def test_the_evidence_in_the_export_verifies(exported: dict[str, Any]) -> None:
    receipts = [one["receipt"] for one in exported["conversations"][0]["messages"]]
    outcomes = [
        verify_evidence(receipt["evidence"]).outcome.value
        for receipt in receipts
        if receipt and receipt["evidence"]
    ]
    assert sorted(outcomes) == ["failed", "verified"]


def test_the_same_file_twice_is_one_import(exported: dict[str, Any], mallory: Wallet) -> None:
    client = _as(mallory)
    _import(client, exported)
    assert _import(client, exported)["Location"].endswith("imported=0&known=1")
    assert Conversation.objects.filter(wallet=mallory).count() == 1
    page = client.get(f"{HOME}history/?imported=0&known=1").content.decode()
    assert "1 of the file was here already" in page


def test_an_imported_answer_always_says_so(exported: dict[str, Any], mallory: Wallet) -> None:
    client = _as(mallory)
    _import(client, exported)
    copy = Conversation.objects.get(wallet=mallory)
    page = client.get(f"{HOME}{copy.pk}/").content.decode()
    assert "Imported, evidence verified" in page
    assert "Nothing ties the text" in page
    assert "<span>Verified</span>" not in page
    assert "Imported from a file on" in page


def _receipt_of(content: dict[str, Any]) -> dict[str, Any]:
    found = [one["receipt"] for one in content["conversations"][0]["messages"] if one["receipt"]]
    return next(one for one in found if one["outcome"] == "verified")  # type: ignore[no-any-return]


def _claim(receipt: dict[str, Any]) -> None:
    receipt["evidence"] = None


def _other_bytes(receipt: dict[str, Any]) -> None:
    receipt["evidence"]["response_sha256"] = "0" * 64


def _other_network(receipt: dict[str, Any]) -> None:
    receipt["evidence"]["network"] = "mainnet"


def _nonsense(receipt: dict[str, Any]) -> None:
    receipt["evidence"] = {"format": ["x"], "signer": "<script>"}


def _surrogates(receipt: dict[str, Any]) -> None:
    receipt["evidence"]["service"]["url"] = "\0\ud800"


@pytest.mark.parametrize(
    ("forge", "outcome", "words"),
    [
        (_claim, "not checked", "no evidence"),
        (_other_bytes, "failed", "does not hold"),
        (_other_network, "not checked", "another provider or network"),
        (_nonsense, "failed", "does not hold"),
        (_surrogates, "verified", "exactly the bytes"),
    ],
)
def test_a_claim_without_evidence_that_holds_is_not_believed(
    exported: dict[str, Any],
    mallory: Wallet,
    forge: Callable[[dict[str, Any]], None],
    outcome: str,
    words: str,
) -> None:
    forge(_receipt_of(exported))
    _import(_as(mallory), exported)
    receipts = Receipt.objects.filter(message__conversation__wallet=mallory)
    found = receipts.get(message__text="**1**")
    assert (found.outcome, words in found.reason) == (outcome, True)


def test_evidence_of_a_signer_that_the_chain_does_not_name_proves_nothing(
    exported: dict[str, Any], mallory: Wallet
) -> None:
    """Anybody can sign hashes with a key of their own and call it the provider's."""
    Service.objects.update(tee_signer=STRANGER)
    _import(_as(mallory), exported)
    receipts = Receipt.objects.filter(message__conversation__wallet=mallory)
    assert not receipts.filter(outcome="verified").exists()
    assert "anybody could have made it" in receipts.get(message__text="**1**").reason


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c, m: c.update(title=5), "title is missing or misformed"),
        (lambda c, m: c.update(title="x" * 121), "longer than 120"),
        (lambda c, m: c.update(provider="0x1"), "not an address"),
        (lambda c, m: c.update(parameters={"temperature": 9}), "parameters is out of its range"),
        (lambda c, m: c.update(messages="x"), "missing or misformed"),
        (lambda c, m: c.update(created_at="2026-01-01"), "not a time"),
        (lambda c, m: m[0].update(role="system"), "none of the known words"),
        (lambda c, m: m[0].update(parent=str(uuid4())), "does not come before it"),
        (lambda c, m: m[0].update(parent=m[1]["id"]), "does not come before it"),
        (lambda c, m: m[1].update(parent=None), "needs the question"),
        (lambda c, m: m[1].update(id=m[0]["id"]), "twice"),
        (lambda c, m: m[1].update(text="x" * 500_001), "longer than 500,000"),
        (lambda c, m: m[1].update(receipt=7), "not an object"),
        (lambda c, m: m[1]["receipt"].update(fee=5), "fee is missing or misformed"),
        (lambda c, m: m[1]["receipt"].update(fee="-5"), "not a whole number"),
        (lambda c, m: m[1]["receipt"].update(fee="9" * 78), "not a whole number"),
        (lambda c, m: m[1]["receipt"].update(input_tokens=True), "out of its range"),
        (lambda c, m: m[1]["receipt"].update(input_tokens=2**63), "out of its range"),
    ],
)
def test_a_file_that_is_not_as_it_should_be_brings_nothing(
    exported: dict[str, Any], mallory: Wallet, change: Any, words: str
) -> None:
    (one,) = exported["conversations"]
    change(one, one["messages"])
    with pytest.raises(ImportRefused, match=words):
        import_file(mallory, NETWORK, json.dumps(exported).encode())
    assert not Conversation.objects.filter(wallet=mallory).exists()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not JSON"),
        (b"\x89PNG\r\n", "not JSON"),
        (b"[1]", "not an object"),
        (b"{}", "not an export"),
        (b'{"format": "0g-compute-chat/3"}', "not an export"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"format":"0g-compute-chat/1","network":"mainnet"}', "of the network mainnet"),
        (b'{"format":"0g-compute-chat/1","a":' + b"[" * 300 + b"]" * 300 + b"}", "too deeply"),
        (b"1" * 5_000, "not JSON"),
    ],
)
def test_what_is_no_export_is_refused_in_words(mallory: Wallet, data: bytes, words: str) -> None:
    with pytest.raises(ImportRefused, match=words):
        import_file(mallory, NETWORK, data)


def test_a_refused_file_comes_back_as_the_form(
    signed_in: Client, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = _import(signed_in, b"<script>")
    assert reply.status_code == 422
    assert "Nothing was imported. The file is not JSON, or" in reply.content.decode()
    assert signed_in.post(f"{HOME}imports/").status_code == 422
    monkeypatch.setattr(forms, "MAX_IMPORT", 5)
    assert b"larger than" in _import(signed_in, b"123456").content
    monkeypatch.setattr(importing, "MAX_MESSAGES", 0)
    assert _import(Client(), b"{}").status_code == 404


def test_a_large_import_does_not_wait_for_every_judgement(
    exported: dict[str, Any], mallory: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imported_proof, "AT_ONCE", 0)
    _receipt_of(exported)["evidence"]["strange"] = ["\0\ud800", float("nan")]
    _import(_as(mallory), exported)
    mine = Receipt.objects.filter(message__conversation__wallet=mallory)
    waiting = mine.get(message__text="**1**")
    assert (waiting.outcome, waiting.evidence) == ("not checked", None)
    assert waiting.badge == "Imported, not checked"
    assert imported_proof.judge_waiting("testnet") == 0
    assert imported_proof.judge_waiting(NETWORK) == 2
    assert imported_proof.judge_waiting(NETWORK) == 0
    waiting.refresh_from_db()
    assert (waiting.outcome, waiting.claim) == ("verified", "")
    assert sorted(mine.values_list("outcome", flat=True)) == ["failed", "not checked", "verified"]


@pytest.mark.parametrize("when", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_impossible_times_are_brought_to_possible_ones(
    exported: dict[str, Any], mallory: Wallet, when: str
) -> None:
    (one,) = exported["conversations"]
    one["updated_at"] = one["messages"][0]["created_at"] = when
    client = _as(mallory)
    client.cookies["minutes_east"] = "-720"
    _import(client, exported)
    copy = Conversation.objects.get(wallet=mallory)
    assert 2020 <= copy.updated_at.year <= 2100
    assert client.get(f"{HOME}history/").status_code == 200


def test_hostile_texts_stay_texts(exported: dict[str, Any], mallory: Wallet) -> None:
    (one,) = exported["conversations"]
    hostile = "<script>alert(1)</script> [x](javascript:alert(1)) ![p](https://a.invalid/p.png)"
    one["title"] = one["messages"][0]["text"] = one["messages"][0]["reasoning"] = hostile
    one["messages"][1]["text"] = hostile + "\0\ud800"
    one["messages"][1]["receipt"]["reason"] = hostile
    client = _as(mallory)
    _import(client, exported)
    copy = Conversation.objects.get(wallet=mallory)
    page = client.get(f"{HOME}{copy.pk}/").content.decode()
    assert "<script>alert" not in page
    assert 'href="javascript' not in page
    assert "<img" not in page.split("data-turns")[1].split("dock")[0]


def test_a_running_answer_is_exported_as_it_is_and_imported_as_broken_off(
    signed_in: Client, conversation: Conversation, mallory: Wallet
) -> None:
    answer = ask(conversation)
    Message.objects.filter(pk=answer.pk).update(state="streaming", text="So far")
    content = json.loads(signed_in.get(f"{HOME}{conversation.pk}/export.json").content)
    import_file(mallory, NETWORK, json.dumps(content).encode())
    copy = Message.objects.answers().get(conversation__wallet=mallory)
    assert (copy.state, copy.text, copy.is_open) == ("interrupted", "So far", False)


def test_the_visible_branch_can_be_read_as_markdown(signed_in: Client, talk: Conversation) -> None:
    reply = signed_in.get(f"{HOME}{talk.pk}/export.md")
    text = reply.content.decode()
    assert reply["Content-Type"].startswith("text/markdown")
    assert 'filename="one.md"' in reply["Content-Disposition"]
    assert text.startswith("# One?\n")
    assert "## System prompt\n\nBe kind." in text
    assert f"## You\n\nOne?\n\n## {talk.model}\n\n**1**" in text
    assert "Eins" not in text
    assert "verified" in text


def test_an_answer_can_be_taken_as_its_model_wrote_it(
    signed_in: Client, talk: Conversation
) -> None:
    answer = Message.objects.answers().filter(conversation=talk).exclude(text="").first()
    assert answer
    reply = signed_in.get(f"/{NETWORK}/chat/answers/{answer.pk}/answer.md")
    assert reply.content.decode() == answer.text
    assert reply["Content-Type"] == "text/markdown; charset=utf-8"
