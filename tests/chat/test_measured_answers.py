"""Whole answers that pass through chat are what a provider's speed is measured by."""

from __future__ import annotations

import time
from functools import partial

import pytest

from chat import receipts
from chat.engine import Engine
from chat.models import Conversation, Message
from chat.streams import MemoryStreams
from marketplace.models import AnswerSample
from tests.chat.stage import ask
from zgcompute.testing_providers import FakeProvider

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_whole_answer_leaves_its_times(conversation: Conversation) -> None:
    provider = FakeProvider(delay=0.01)
    check = partial(receipts.check, connect=lambda *_: provider, budget=0)
    engine = Engine(MemoryStreams(), lambda *_: provider, check)
    answer = ask(conversation)
    engine.start(answer.pk)
    deadline = time.monotonic() + 5
    while not AnswerSample.objects.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    engine.close()
    sample = AnswerSample.objects.get()
    receipt = Message.objects.with_proof().get(pk=answer.pk).receipt
    assert sample.service.provider == conversation.provider
    assert (sample.first_token_ms, sample.tokens) == (receipt.first_token_ms, receipt.output_tokens)
    assert 0 < sample.duration_ms == receipt.duration_ms
