"""Pictures in questions: taken with care, shown to their owner, sent to models that see."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from accounts.models import Wallet
from accounts.pictures import clean
from accounts.stored import NewFile
from chat import attaching, history, shelf, turns
from chat.history import Context
from chat.models import Conversation, Message, Picture
from devnet.providers import reencoding
from marketplace.models import Service
from tests.accounts.test_uploaded_pictures import SVG, bomb
from tests.chat import stage
from tests.chat.stage import NETWORK, drawn

pytestmark = pytest.mark.django_db
HOME = f"/{NETWORK}/chat/"
SEES = Context(sees=True)
LONG_AGO = timezone.now() - shelf.DELETED_KEPT * 2


@pytest.fixture
def sighted(aurora: Service) -> Service:
    """Aurora, whose card says that its model takes pictures."""
    stage.make_models(aurora, stage.seeing(aurora.model))
    return aurora


def _files(*contents: bytes) -> list[SimpleUploadedFile]:
    return [SimpleUploadedFile(f"{at}.png", one) for at, one in enumerate(contents, start=1)]


def _send(client: Client, conversation: Conversation, *contents: bytes, **changes: Any) -> Any:
    fields = {"turn_key": uuid4(), "text": "What is it?", "pictures": _files(*contents), **changes}
    return client.post(f"{HOME}{conversation.pk}/turns/", fields, headers={"HX-Request": "true"})


def _answered(conversation: Conversation) -> Message:
    """The newest answer, as if the provider had given it."""
    answers = conversation.messages.answers()
    answers.update(state="complete", text="I see.", closed_at=timezone.now())
    return answers.order_by("-created_at").first()  # type: ignore[return-value]


def _messages(answer: Message, context: Context = SEES) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = json.loads(history.request_for(answer, context).body)["messages"]
    return sent


def _text(response: HttpResponse) -> str:
    return response.content.decode()


class TestTaking:
    @pytest.fixture(autouse=True)
    def _ready(self, sighted: Service, started: list[object]) -> None: ...

    def test_a_picture_is_kept_shown_and_sent_as_a_data_url(
        self, signed_in: Client, conversation: Conversation
    ) -> None:
        page = _text(_send(signed_in, conversation, drawn((40, 30))))
        kept = Picture.objects.get()
        assert 'alt="Picture 1: PNG, 40 × 30 pixels"' in page
        assert f"{HOME}pictures/{kept.pk}/" in page
        said = _messages(_answered(conversation))[-1]
        words, shown = said["content"]
        assert words == {"type": "text", "text": "What is it?"}
        assert shown["type"] == "image_url"
        head, _, content = shown["image_url"]["url"].partition(",")
        assert head == "data:image/png;base64"
        assert b64decode(content) == kept.read()

    def test_the_body_with_a_picture_needs_no_rewriting(
        self, signed_in: Client, conversation: Conversation
    ) -> None:
        _send(signed_in, conversation, drawn(), text="<b>Größe?</b> & \u2028")
        body = history.request_for(_answered(conversation), SEES).body
        assert reencoding.prepare(body, default_model="x")[0] == body
        assert reencoding.encode(json.loads(body)) == body

    def test_a_large_picture_is_scaled_down(
        self, signed_in: Client, conversation: Conversation
    ) -> None:
        _send(signed_in, conversation, drawn((4000, 2000)))
        kept = Picture.objects.get()
        assert (kept.width, kept.height) == (1536, 768)

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (SVG, "not a picture"),
            (b"%PDF-1.7", "not a picture"),
            (b"\x89PNG\r\n\x1a\nnonsense", "broken"),
            (bomb(), "at most 25,000,000"),
            (b"", "is empty"),
        ],
    )
    def test_what_is_no_picture_is_refused_in_words_and_nothing_is_kept(
        self, signed_in: Client, conversation: Conversation, content: bytes, words: str
    ) -> None:
        reply = _send(signed_in, conversation, drawn(), content)
        assert reply.status_code == 422
        assert words in _text(reply)
        assert not conversation.messages.exists()

    def test_the_type_is_told_by_the_content_and_not_by_the_name(
        self, signed_in: Client, conversation: Conversation
    ) -> None:
        named = SimpleUploadedFile("page.html", drawn(kind="JPEG"), "text/html")
        _send(signed_in, conversation, pictures=[named])
        assert Picture.objects.get().media_type == "image/jpeg"

    def test_a_refused_file_is_named_and_its_name_is_only_text(
        self, signed_in: Client, conversation: Conversation
    ) -> None:
        named = SimpleUploadedFile("<img src=x onerror=alert(1)>.png", SVG)
        page = _text(_send(signed_in, conversation, pictures=[named]))
        assert "&lt;img src=x" in page
        assert "<img src=x" not in page

    def test_too_many_or_too_large_pictures_are_refused(
        self, signed_in: Client, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert "At most 4 pictures" in _text(_send(signed_in, conversation, *[drawn()] * 5))
        monkeypatch.setattr(attaching, "MAX_UPLOAD", 10)
        assert "are taken" in _text(_send(signed_in, conversation, drawn()))
        monkeypatch.setattr(attaching, "MOST_TOGETHER", 0)
        assert "most that one can hold" in _text(_send(signed_in, conversation, drawn()))
        monkeypatch.setattr(attaching, "MOST_KEPT", 0)
        assert "Your pictures here take" in _text(_send(signed_in, conversation, drawn()))
        assert not conversation.messages.exists()

    def test_the_same_form_twice_is_one_turn_and_another_picture_is_another(
        self, signed_in: Client, conversation: Conversation
    ) -> None:
        key = uuid4()
        for _ in range(2):
            _send(signed_in, conversation, drawn(), turn_key=key)
        assert Picture.objects.count() == conversation.messages.questions().count() == 1
        _answered(conversation)
        _send(signed_in, conversation, drawn(colour="blue"), turn_key=key)
        assert conversation.messages.questions().count() == 2

    def test_a_first_question_brings_its_pictures(self, signed_in: Client, alice: Wallet) -> None:
        service = Service.objects.get()
        stage.make_ready(alice, service)
        sent = {"provider": service.provider, "turn_key": uuid4(), "text": "What?"}
        signed_in.post(f"{HOME}new/", {**sent, "pictures": _files(drawn(), drawn())})
        assert [one.index for one in Picture.objects.all()] == [0, 1]
        sent["turn_key"] = uuid4()
        page = signed_in.post(f"{HOME}new/", sent, headers={"HX-Request": "true"})
        assert page["HX-Redirect"].startswith(HOME)


class TestOwning:
    @pytest.fixture(autouse=True)
    def _asked(
        self, sighted: Service, started: list[object], signed_in: Client, conversation: Conversation
    ) -> None:
        _send(signed_in, conversation, drawn())
        _answered(conversation)

    def test_only_its_owner_gets_it_and_no_browser_takes_it_for_more_than_a_picture(
        self, client: Client, signed_in: Client, mallory: Wallet
    ) -> None:
        address = f"{HOME}pictures/{Picture.objects.get().pk}/"
        reply = signed_in.get(address)
        assert reply.content == Picture.objects.get().read()
        assert reply["Content-Type"] == "image/png"
        assert reply["X-Content-Type-Options"] == "nosniff"
        assert reply["Content-Security-Policy"] == "default-src 'none'; sandbox"
        stranger = Client()
        assert stranger.get(address).status_code == 404
        stranger.force_login(mallory, backend="accounts.backends.SignedMessage")
        assert stranger.get(address).status_code == 404

    def test_it_goes_with_its_conversation_for_good_and_not_before(
        self, signed_in: Client, conversation: Conversation
    ) -> None:
        kept = Picture.objects.get()
        assert shelf.delete(conversation)
        assert signed_in.get(f"{HOME}pictures/{kept.pk}/").status_code == 404
        assert shelf.purge(NETWORK) == 0
        assert default_storage.exists(kept.name)
        Conversation.objects.update(deleted_at=LONG_AGO)
        assert shelf.purge(NETWORK) == 1
        assert not default_storage.exists(kept.name)
        assert not Picture.objects.exists()

    def test_another_conversations_equal_picture_stays(
        self, signed_in: Client, alice: Wallet, conversation: Conversation
    ) -> None:
        other = stage.make_conversation(alice, Service.objects.get())
        _send(signed_in, other, drawn())
        assert shelf.delete(conversation)
        Conversation.objects.deleted_of(alice, NETWORK).update(deleted_at=LONG_AGO)
        assert shelf.purge(NETWORK) == 1
        assert Picture.objects.get(message__conversation=other).read() == drawn()

    def test_another_answer_is_asked_with_the_same_pictures(
        self, conversation: Conversation
    ) -> None:
        again = turns.ask_again(conversation.messages.answers().get(), key=uuid4()).answer
        assert len(_messages(again)[-1]["content"]) == 2
        assert Picture.objects.count() == 1

    def test_other_words_keep_the_pictures_that_stay_ticked_and_add_new_ones(
        self, signed_in: Client, conversation: Conversation
    ) -> None:
        question, kept = conversation.messages.questions().get(), Picture.objects.get()
        address = f"{HOME}questions/{question.pk}/edit/"
        form = _text(signed_in.get(address, headers={"HX-Request": "true"}))
        assert f'name="kept" value="{kept.pk}" checked' in form
        new = _files(drawn(colour="blue"))
        sent = {"turn_key": uuid4(), "text": "And now?", "kept": [kept.pk], "pictures": new}
        signed_in.post(address, sent)
        both = conversation.messages.questions().exclude(pk=question.pk).get().pictures.all()
        assert [one.sha256 == kept.sha256 for one in both] == [True, False]
        _answered(conversation)
        signed_in.post(address, {"turn_key": uuid4(), "text": "Without?"})
        assert conversation.messages.questions().get(text="Without?").pictures.count() == 0
        assert question.pictures.count() == 1

    def test_a_strangers_picture_cannot_be_kept(
        self, signed_in: Client, mallory: Wallet, conversation: Conversation
    ) -> None:
        theirs = stage.make_conversation(mallory, Service.objects.get())
        turns.ask(theirs, key=uuid4(), text="Mine", shown=[NewFile.picture(clean(drawn()))])
        stolen = Picture.objects.get(message__conversation=theirs)
        question = conversation.messages.questions().get()
        sent = {"turn_key": uuid4(), "text": "Mine now", "kept": [stolen.pk]}
        signed_in.post(f"{HOME}questions/{question.pk}/edit/", sent)
        assert conversation.messages.questions().get(text="Mine now").pictures.count() == 0

    def test_a_lost_picture_cannot_be_sent_again_and_the_person_hears_why(
        self, signed_in: Client, conversation: Conversation
    ) -> None:
        lost = Picture.objects.get()
        default_storage.delete(lost.name)
        sent = {"turn_key": uuid4(), "text": "Once more", "kept": [lost.pk]}
        reply = signed_in.post(f"{HOME}questions/{lost.message_id}/edit/", sent)
        assert reply.status_code == 422
        assert "Untick it" in _text(reply)

    @pytest.mark.django_db(transaction=True)
    def test_a_lost_picture_is_said_and_breaks_no_page(
        self, signed_in: Client, conversation: Conversation
    ) -> None:
        default_storage.delete(Picture.objects.get().name)
        answer = stage.get_answer(
            stage.ask(conversation).pk, stage.FakeProvider(answer="never asked")
        )
        assert answer.state == "failed"
        assert "missing in this site's storage" in answer.problem
        assert "missing in this" in _text(signed_in.get(f"{HOME}{conversation.pk}/export.md"))
        assert signed_in.get(f"{HOME}pictures/{Picture.objects.get().pk}/").status_code == 404


class TestSending:
    @pytest.fixture
    def talk(self, conversation: Conversation) -> Conversation:
        """Two questions with a picture each, and their answers."""
        for colour in ("orange", "blue"):
            shown = [NewFile.picture(clean(drawn(colour=colour)))]
            turns.ask(conversation, key=uuid4(), text=colour, shown=shown)
            _answered(conversation)
        return conversation

    def test_earlier_pictures_are_sent_with_their_questions(self, talk: Conversation) -> None:
        request = history.request_for(stage.ask(talk, "And now?"), SEES)
        contents = [one["content"] for one in json.loads(request.body)["messages"]]
        assert [len(one) if isinstance(one, list) else one for one in contents] == [
            *(2, "I see.", 2, "I see.", "And now?")
        ]
        assert (request.pictures, request.pictures_cut) == (2, 0)
        assert request.text_bytes < 600 < len(request.body)

    @pytest.mark.django_db(transaction=True)
    def test_a_model_that_sees_none_gets_the_words_and_the_page_says_so(
        self, signed_in: Client, talk: Conversation
    ) -> None:
        provider = stage.FakeProvider(answer="Words only.")
        answer = stage.get_answer(stage.ask(talk, "And now?").pk, provider)
        assert answer.pictures_cut == 2
        page = _text(signed_in.get(f"{HOME}{talk.pk}/"))
        assert f"2 pictures of this branch were not sent: {talk.model} takes none." in page
        assert f"{talk.model} takes no pictures: of this conversation only the words" in page

    def test_pictures_that_are_too_heavy_together_leave_with_their_turns(
        self, talk: Conversation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        size = Picture.objects.first().size  # type: ignore[union-attr]
        monkeypatch.setattr(history, "MAX_PICTURES", size + size // 2)
        request = history.request_for(stage.ask(talk, "And now?"), Context(100_000, sees=True))
        assert (request.pictures, request.left_out, request.cut_to) == (1, 2, None)

    def test_pictures_count_against_the_models_context(self, talk: Conversation) -> None:
        Picture.objects.filter(message__text="orange").update(width=1400, height=1400)
        request = history.request_for(stage.ask(talk, "?"), Context(2600, 100, sees=True))
        assert (request.left_out, request.cut_to) == (2, 2600)

    def test_new_pictures_for_a_model_that_takes_none_are_refused(
        self, signed_in: Client, conversation: Conversation, started: list[object]
    ) -> None:
        reply = _send(signed_in, conversation, drawn())
        assert reply.status_code == 422
        assert f"{conversation.model} takes no pictures" in _text(reply)
        assert "data-attach" not in _text(signed_in.get(f"{HOME}{conversation.pk}/"))


class TestFiles:
    @pytest.fixture
    def exported(
        self, sighted: Service, signed_in: Client, conversation: Conversation, started: list[object]
    ) -> dict[str, Any]:
        _send(signed_in, conversation, drawn(kind="JPEG"), drawn((9, 9), "blue"))
        _answered(conversation)
        content: dict[str, Any] = json.loads(signed_in.get(f"{HOME}export.json").content)
        return content

    def _import(self, wallet: Wallet, content: dict[str, Any]) -> Any:
        client = Client()
        client.force_login(wallet, backend="accounts.backends.SignedMessage")
        file = SimpleUploadedFile("chat.json", json.dumps(content).encode())
        return client.post(f"{HOME}imports/", {"file": file})

    def _shown(self, content: dict[str, Any]) -> list[dict[str, Any]]:
        shown: list[dict[str, Any]] = content["conversations"][0]["messages"][0]["pictures"]
        return shown

    def test_another_account_gets_the_same_pictures_byte_for_byte(
        self, exported: dict[str, Any], mallory: Wallet
    ) -> None:
        assert self._import(mallory, exported)["Location"].endswith("imported=1&known=0")
        own, theirs = (
            [one.read() for one in Picture.objects.filter(message__conversation__wallet=wallet)]
            for wallet in (mallory, Conversation.objects.exclude(wallet=mallory).get().wallet)
        )
        assert own == theirs
        assert len(own) == 2

    def test_markdown_holds_the_pictures_themselves(
        self, exported: dict[str, Any], signed_in: Client, conversation: Conversation
    ) -> None:
        text = _text(signed_in.get(f"{HOME}{conversation.pk}/export.md"))
        content = self._shown(exported)[1]["content"]
        assert f"![Picture 2: PNG, 9 × 9 pixels](data:image/png;base64,{content})" in text

    def test_what_hides_in_an_imported_picture_is_taken_out(
        self, exported: dict[str, Any], mallory: Wallet
    ) -> None:
        content = drawn() + b"<script>alert(1)</script>"
        self._shown(exported)[0]["content"] = b64encode(content).decode()
        self._import(mallory, exported)
        kept = Picture.objects.filter(message__conversation__wallet=mallory).first()
        assert kept is not None
        assert b"script" not in kept.read()

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b64encode(SVG).decode(), "not a picture"),
            (b64encode(bomb()).decode(), "larger than 1536 pixels"),
            (b64encode(drawn((1537, 2))).decode(), "larger than 1536 pixels"),
            (b64encode(drawn()[:50]).decode(), "broken"),
            ("", "empty"),
            ("@@", "not base64"),
            (7, "misformed"),
        ],
    )
    def test_a_hostile_picture_is_refused_with_the_whole_file(
        self, exported: dict[str, Any], mallory: Wallet, content: object, words: str
    ) -> None:
        self._shown(exported)[0]["content"] = content
        reply = self._import(mallory, exported)
        assert reply.status_code == 422
        assert words in _text(reply)
        assert not Conversation.objects.filter(wallet=mallory).exists()

    def test_answers_have_no_pictures_and_questions_no_more_than_four(
        self, exported: dict[str, Any], mallory: Wallet
    ) -> None:
        question, answer = exported["conversations"][0]["messages"]
        answer["pictures"] = question["pictures"]
        assert "only questions have pictures" in _text(self._import(mallory, exported))
        answer["pictures"], question["pictures"] = [], question["pictures"] * 3
        assert "longer than 4" in _text(self._import(mallory, exported))

    def test_a_file_of_the_first_form_is_still_read(
        self, exported: dict[str, Any], mallory: Wallet
    ) -> None:
        exported["format"] = "0g-compute-chat/1"
        for message in exported["conversations"][0]["messages"]:
            for name in ("pictures", "pictures_cut", "model"):
                del message[name]
        assert self._import(mallory, exported)["Location"].endswith("imported=1&known=0")
