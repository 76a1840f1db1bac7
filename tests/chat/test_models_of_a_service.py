"""Several models at one provider: chosen, changed, named beside each answer, billed as they are."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils.html import strip_tags

from accounts.models import Usage, Wallet
from chat import turns
from chat.assignments import assignment
from chat.models import Conversation
from marketplace.models import Service
from tests.chat import stage
from tests.chat.stage import NETWORK
from zgcompute.model_cards import ModelCard
from zgcompute.testing_providers import FakeProvider

pytestmark = pytest.mark.django_db
HOME = f"/{NETWORK}/chat/"
SMALL, LARGE = 10**9, 10**12  # neuron per token


@pytest.fixture
def aurora() -> Service:
    """A provider of three models; the chain names the highest prices."""
    info = json.dumps({"MultiModel": True})
    service = stage.make_service(
        model="small", additional_info=info, input_price=LARGE, output_price=LARGE
    )
    stage.make_models(
        service,
        ModelCard(id="large", prompt_price=LARGE, completion_price=LARGE),
        ModelCard(id="small", prompt_price=SMALL, completion_price=SMALL),
        stage.seeing(
            "thinker & seer",
            prompt_price=LARGE,
            completion_price=SMALL,
            supported_parameters=("reasoning_effort",),
        ),
        ModelCard(id="painter", service_type="text-to-image"),
    )
    return service


def _page(client: Client, conversation: Conversation) -> str:
    return client.get(f"{HOME}{conversation.pk}/").content.decode()


def _use(client: Client, conversation: Conversation, model: str, **headers: str) -> Any:
    return client.post(f"{HOME}{conversation.pk}/model/", {"model": model}, headers=headers)


def test_the_picker_offers_each_chat_model_with_its_own_price(
    signed_in: Client, aurora: Service
) -> None:
    page = signed_in.get(HOME).content.decode()
    for model in ("small", "large", "thinker+%26+seer"):
        assert f"?provider={aurora.provider}&amp;model={model}" in page
    assert "painter" not in page
    assert "at most" not in page


def test_a_conversation_starts_with_the_model_that_was_chosen(
    signed_in: Client, alice: Wallet, aurora: Service, started: list[object]
) -> None:
    stage.make_ready(alice, aurora)
    page = signed_in.get(HOME, {"provider": aurora.provider, "model": "large"}).content.decode()
    assert '<input type="hidden" name="model" value="large">' in page
    sent = {"provider": aurora.provider, "text": "Hello", "turn_key": uuid4()}
    signed_in.post(f"{HOME}new/", {**sent, "model": "large"})
    assert Conversation.objects.get().model == "large"
    refused = signed_in.post(f"{HOME}new/", {**sent, "turn_key": uuid4(), "model": "nobody"})
    assert refused.status_code == 422
    assert "does not list that model" in refused.content.decode()


def test_the_model_can_be_changed_within_the_conversation(
    signed_in: Client, conversation: Conversation
) -> None:
    assert _use(signed_in, conversation, "large").status_code == 302
    conversation.refresh_from_db()
    assert conversation.model == "large"
    assert _use(signed_in, conversation, "painter").status_code == 422
    fragment = _use(signed_in, conversation, "thinker & seer", **{"HX-Request": "true"})
    page = fragment.content.decode()
    assert "Reasoning effort" in page
    assert '<option value="thinker &amp; seer" selected>' in page
    head = " ".join(strip_tags(page.partition("</header>")[0]).split())
    assert "Input 1 0G per 1M tokensOutput 0.001 0G per 1M tokens" in head


def test_a_stranger_cannot_change_it(conversation: Conversation, mallory: Wallet) -> None:
    client = Client()
    client.force_login(mallory, backend="accounts.backends.SignedMessage")
    assert _use(client, conversation, "large").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_each_answer_names_its_model_and_costs_what_that_one_costs(
    signed_in: Client, conversation: Conversation
) -> None:
    fees = []
    for model in ("small", "large"):
        _use(signed_in, conversation, model)
        conversation.refresh_from_db()
        pending = stage.ask(conversation, f"Hello {model}")
        answer = stage.get_answer(pending.pk, FakeProvider(answer="Hello."))
        receipt = answer.receipt
        assert not receipt.fee_is_upper_bound
        assert answer.model == model
        assert receipt.tokens is not None
        fees.append(int(receipt.fee) // receipt.tokens)
    assert fees == [SMALL, LARGE]
    assert sorted(Usage.objects.values_list("model", flat=True)) == ["large", "small"]
    page = _page(signed_in, conversation)
    for model in ("small", "large"):
        assert f'<span class="visually-hidden">Answer of </span>{model}</h2>' in page


@pytest.mark.django_db(transaction=True)
def test_another_answer_is_asked_of_the_model_chosen_now(
    signed_in: Client, conversation: Conversation
) -> None:
    first = stage.get_answer(stage.ask(conversation).pk, FakeProvider())
    _use(signed_in, conversation, "large")
    conversation.refresh_from_db()
    first.conversation = conversation
    assert first.parent is not None
    first.parent.conversation = conversation
    again = turns.ask_again(first, key=uuid4()).answer
    assert json.loads(assignment(again.pk).body)["model"] == "large"
    assert (first.asked_model, again.asked_model) == ("small", "large")


def test_an_effort_goes_only_to_models_that_take_one(
    signed_in: Client, conversation: Conversation
) -> None:
    conversation.parameters = {"reasoning_effort": "high", "seed": 1}
    conversation.save()
    sent = {}
    for model in ("small", "thinker & seer"):
        _use(signed_in, conversation, model)
        conversation.refresh_from_db()
        answer = stage.ask(conversation, model)
        sent[model] = json.loads(assignment(answer.pk).body)
        type(answer).objects.filter(pk=answer.pk).update(state="complete", text="x")
    assert [one.get("reasoning_effort") for one in sent.values()] == [None, "high"]
    assert all(one["seed"] == 1 for one in sent.values())


@pytest.mark.django_db(transaction=True)
def test_a_price_above_the_chains_highest_is_not_believed(
    conversation: Conversation, aurora: Service
) -> None:
    stage.make_models(aurora, ModelCard(id="small", prompt_price=LARGE * 9, completion_price=SMALL))
    answer = stage.get_answer(stage.ask(conversation).pk, FakeProvider())
    assert answer.receipt.fee_is_upper_bound
    assert int(answer.receipt.fee) == LARGE * answer.receipt.tokens


def test_a_model_that_is_no_longer_listed_is_said_and_can_be_replaced(
    signed_in: Client, conversation: Conversation, aurora: Service
) -> None:
    stage.make_models(aurora, ModelCard(id="new", prompt_price=SMALL, completion_price=SMALL))
    page = _page(signed_in, conversation)
    assert "small (not listed now)" in page
    assert '<option value="new" >' in page
    _use(signed_in, conversation, "new")
    assert "not listed now" not in _page(signed_in, conversation)


def test_a_single_model_is_no_choice(alice: Wallet, signed_in: Client) -> None:
    Service.objects.all().delete()
    single = stage.make_service()
    stage.make_ready(alice, single)
    talk = stage.make_conversation(alice, single)
    assert "chat-model" not in _page(signed_in, talk)
    Service.objects.update(model="renamed")
    assert f"{single.model} (not listed now)" in _page(signed_in, talk)
