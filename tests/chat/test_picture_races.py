"""Pictures keep their bytes, and only they, whoever else stores or deletes the same meanwhile."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from accounts.models import Wallet
from accounts.pictures import clean
from accounts.stored import NewFile
from chat import exporting, importing, shelf, turns
from chat.models import Conversation, Picture
from marketplace.models import Service
from tests.chat import stage
from tests.chat.stage import NETWORK, drawn
from tests.halting import halted_at, names_in, use_halting_storage

pytestmark = pytest.mark.django_db(transaction=True)
KEY = UUID(int=7)


@pytest.fixture(autouse=True)
def halting(settings: object, tmp_path: Path) -> None:
    use_halting_storage(settings, tmp_path)


def _ask(conversation: Conversation, key: UUID = KEY) -> None:
    shown = [NewFile.picture(clean(drawn()))]
    turns.ask(conversation, key=key, text="What is it?", shown=shown)


def _purge(conversation: Conversation) -> None:
    conversation.messages.update(closed_at=timezone.now())
    assert shelf.delete(conversation)
    long_ago = timezone.now() - shelf.DELETED_KEPT * 2
    Conversation.objects.deleted_of(conversation.wallet, NETWORK).update(deleted_at=long_ago)
    assert shelf.purge(NETWORK) == 1


@pytest.fixture
def other(alice: Wallet, conversation: Conversation, aurora: Service) -> Conversation:
    return stage.make_conversation(alice, aurora)


def test_the_same_form_sent_twice_at_once_leaves_one_picture(conversation: Conversation) -> None:
    halted_at("saved", lambda: _ask(conversation), meanwhile=lambda: _ask(conversation))
    assert conversation.messages.questions().count() == 1
    assert Picture.objects.get().read() == drawn()
    assert len(names_in("chat")) == 1


def test_what_is_being_stored_outlives_the_deletion_of_the_same_bytes(
    conversation: Conversation, other: Conversation
) -> None:
    _ask(conversation)
    halted_at("saved", lambda: _ask(other), meanwhile=lambda: _purge(conversation))
    assert Picture.objects.get().read() == drawn()
    assert len(names_in("chat")) == 1


def test_a_deletion_spares_the_same_bytes_that_are_stored_meanwhile(
    conversation: Conversation, other: Conversation
) -> None:
    _ask(conversation)
    halted_at("delete", lambda: _purge(conversation), meanwhile=lambda: _ask(other))
    assert Picture.objects.get().read() == drawn()
    assert len(names_in("chat")) == 1


def test_the_same_picture_kept_in_other_words_is_a_file_of_its_own(
    conversation: Conversation,
) -> None:
    _ask(conversation)
    kept = Picture.objects.get()
    conversation.messages.answers().update(state="complete", text="An", closed_at=timezone.now())
    turns.edit(kept.message, key=uuid4(), text="And now?", shown=[kept.copy()])
    assert len({one.name for one in Picture.objects.all()}) == 2
    assert len(names_in("chat")) == 2


def test_an_import_of_what_is_known_leaves_no_file_behind(
    conversation: Conversation, mallory: Wallet
) -> None:
    _ask(conversation)
    file = exporting.to_json(NETWORK, [conversation]).encode()
    for known in (0, 1):
        assert importing.import_file(mallory, NETWORK, file).known == known
        assert len(names_in("chat")) == Picture.objects.count() == 2
