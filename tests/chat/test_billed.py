from __future__ import annotations

import pytest

from accounts import subjects
from accounts.models import Usage
from chat.models import Receipt
from tests.accounts import cast
from tests.chat import stage

pytestmark = pytest.mark.django_db


def billed(outcome: str) -> tuple[Usage, Receipt]:
    wallet, service = stage.make_wallet(cast.ALICE.address), stage.make_service()
    used = cast.use(cast.ALICE, service.provider, "0.01")
    answer = stage.ask(stage.make_conversation(wallet, service), "What is a TEE?")
    receipt = Receipt.objects.create(message=answer, usage=used, fee=used.fee, outcome=outcome)
    return used, receipt


@pytest.mark.parametrize(
    ("outcome", "style"),
    [("verified", "good"), ("failed", "bad"), ("not verifiable", ""), ("not checked", "warn")],
)
def test_an_answer_is_found_with_its_conversation_and_outcome(outcome: str, style: str) -> None:
    used, receipt = billed(outcome)
    found = subjects.of([used])[used.pk]
    assert (found.outcome, found.style) == (outcome, style)
    message = receipt.message
    assert found.url == f"/devnet/chat/{message.conversation_id}/#message-{message.pk}"
    assert found.title == str(message.conversation)


def test_a_request_that_nobody_knows_has_no_subject() -> None:
    used, receipt = billed("verified")
    receipt.delete()
    assert subjects.of([used]) == {}
    assert subjects.of([]) == {}
