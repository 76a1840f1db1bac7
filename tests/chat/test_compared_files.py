"""Comparisons in files: all columns with what proves them go out, and come back as they were."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client

from accounts.models import Wallet
from chat import comparisons
from chat.models import Comparison, Conversation, Message
from marketplace.models import Service
from tests.chat import stage
from tests.chat.stage import NETWORK, get_answer
from zgcompute.evidence import verify_evidence
from zgcompute.testing_providers import FakeProvider, fake_service

pytestmark = pytest.mark.django_db(transaction=True)

HOME = f"/{NETWORK}/chat/"
OTHER = "0x" + "1" * 40


@pytest.fixture
def compared(alice: Wallet, aurora: Service) -> Comparison:
    """Two answers to one question, the second one cheaper, and gone on with."""
    cumulus = stage.make_service(provider=OTHER, model="pipes | and\nlines")
    stage.make_ready(alice, aurora)
    stage.make_provider_ready(alice, cumulus)
    made = comparisons.start(
        alice, [aurora, cumulus], key=uuid4(), system_prompt="Be kind.", parameters={}
    )
    key = uuid4()
    for one, words in zip(comparisons.conversations(made), (40, 4), strict=True):
        answer = comparisons.ask(one, key=key, text="Which is it?").answer
        provider = FakeProvider(fake_service(provider=one.provider), answer="word " * words)
        get_answer(answer.pk, provider)
    comparisons.pick(comparisons.conversations(made)[1])
    made.refresh_from_db()
    return made


@pytest.fixture
def exported(signed_in: Client, compared: Comparison) -> dict[str, Any]:
    reply = signed_in.get(f"{HOME}beside/{compared.pk}/export.json")
    assert "attachment" in reply["Content-Disposition"]
    content: dict[str, Any] = json.loads(reply.content)
    return content


def _import(wallet: Wallet, content: dict[str, Any]) -> HttpResponse:
    client = Client()
    client.force_login(wallet, backend="accounts.backends.SignedMessage")
    file = SimpleUploadedFile("chat.json", json.dumps(content).encode())
    return client.post(f"{HOME}imports/", {"file": file})  # type: ignore[return-value]


def _columns(comparison: Comparison) -> list[Any]:
    listed = comparisons.conversations(comparison)
    return [
        (comparison.picked, comparison.asked_text, comparison.created_at),
        *((one.place, one.model, one.provider, one.title, one.system_prompt) for one in listed),
        *(
            (answer.text, answer.receipt.fee, answer.receipt.lines, answer.receipt.evidence)
            for one in listed
            for answer in Message.objects.answers().with_proof().filter(conversation=one)
        ),
    ]


def test_a_comparison_comes_back_with_its_columns_costs_and_winner(
    exported: dict[str, Any], compared: Comparison, mallory: Wallet
) -> None:
    assert _import(mallory, exported)["Location"].endswith("imported=2&known=0")
    copy = Comparison.objects.get(wallet=mallory)
    assert _columns(copy) == _columns(compared)


def test_the_evidence_of_each_column_verifies(exported: dict[str, Any]) -> None:
    answers = [one["messages"][1] for one in exported["conversations"]]
    outcomes = [verify_evidence(one["receipt"]["evidence"]).outcome for one in answers]
    assert outcomes == ["verified", "verified"]


def test_the_same_file_twice_is_one_comparison(exported: dict[str, Any], mallory: Wallet) -> None:
    for _ in range(2):
        _import(mallory, exported)
    assert Comparison.objects.filter(wallet=mallory).count() == 1
    assert Conversation.objects.filter(wallet=mallory).count() == 2


def test_the_export_of_everything_holds_comparisons(
    signed_in: Client, exported: dict[str, Any]
) -> None:
    everything = json.loads(signed_in.get(f"{HOME}export.json").content)
    assert everything["comparisons"] == exported["comparisons"]


def test_a_conversation_alone_takes_no_comparison_along(
    signed_in: Client, compared: Comparison
) -> None:
    one = comparisons.conversations(compared)[0]
    assert json.loads(signed_in.get(f"{HOME}{one.pk}/export.json").content)["comparisons"] == []


def test_a_file_of_before_comparisons_is_imported(
    exported: dict[str, Any], mallory: Wallet
) -> None:
    del exported["comparisons"]
    assert _import(mallory, exported)["Location"].endswith("imported=2&known=0")
    assert not Comparison.objects.filter(wallet=mallory).exists()


@pytest.mark.parametrize(
    "change",
    [
        {"conversations": []},
        {"conversations": ["nobody", "else"]},
        {"conversations": [7, 8]},
        {"picked": "nobody"},
        {"picked": []},
        {"created_at": "yesterday"},
        {"asked_text": None},
    ],
)
def test_a_comparison_that_is_not_as_it_should_be_brings_nothing(
    exported: dict[str, Any], mallory: Wallet, change: dict[str, Any]
) -> None:
    exported["comparisons"][0] |= change
    assert _import(mallory, exported).status_code == 422
    assert not Conversation.objects.filter(wallet=mallory).exists()


def test_no_conversation_is_compared_twice(exported: dict[str, Any], mallory: Wallet) -> None:
    exported["comparisons"] *= 2
    assert b"compared twice" in _import(mallory, exported).content
    assert not Comparison.objects.filter(wallet=mallory).exists()


def test_as_markdown_it_shows_how_the_columns_compare(
    signed_in: Client, compared: Comparison
) -> None:
    text = signed_in.get(f"{HOME}beside/{compared.pk}/export.md").content.decode()
    (row,) = [line for line in text.splitlines() if line.startswith("| pipes")]
    assert row.startswith(f"| pipes \\| and lines | `{OTHER}` | answered | verified | ")
    assert " 0G (cheapest) |" in row
    assert row.endswith("| gone on with |")
    assert text.count("## You\n\nWhich is it?") == 2
    assert "word word word word \n\n*verified, " in text


def test_strangers_get_no_file(client: Client, mallory: Wallet, compared: Comparison) -> None:
    client.force_login(mallory, backend="accounts.backends.SignedMessage")
    for ending in ("json", "md"):
        assert client.get(f"{HOME}beside/{compared.pk}/export.{ending}").status_code == 404
