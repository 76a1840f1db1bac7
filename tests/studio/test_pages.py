"""What each visitor sees, what is refused in words, and what nobody else may see."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from accounts.models import ProviderSession, Wallet
from marketplace.models import Service
from studio import forms
from studio.models import File, Work
from tests.studio import stage
from zgcompute.uploads import Upload

pytestmark = pytest.mark.django_db
IMAGES, SPEECH = f"/{stage.NETWORK}/images/", f"/{stage.NETWORK}/speech/"


def _send(client: Client, service: Service, **changes: Any) -> Any:
    kind = {one: kind for kind, one in stage.TYPES.items()}[service.service_type]
    place = SPEECH if kind == "speech" else IMAGES
    sent = {"provider": service.provider, **stage.fields(kind), **stage.upload(kind), **changes}
    return client.post(f"{place}orders/", {name: v for name, v in sent.items() if v is not None})


def test_a_visitor_sees_the_providers_and_the_way_in(client: Client, painter: Service) -> None:
    page = client.get(IMAGES).content.decode()
    assert painter.model in page
    assert "Connect wallet" in page
    assert "data-order" not in page


@pytest.mark.parametrize("place", [IMAGES, SPEECH])
def test_the_navigation_says_that_this_is_a_part_of_chat(client: Client, place: str) -> None:
    page = client.get(place).content.decode()
    assert f'<a href="/{stage.NETWORK}/chat/" aria-current="true">Chat</a>' in page


def test_one_button_for_the_step_that_is_missing(signed_in: Client, painter: Service) -> None:
    ProviderSession.objects.all().delete()
    page = signed_in.get(IMAGES).content.decode()
    assert page.count('aria-current="step"') == 1
    assert "Start a session" in page
    assert "data-order" not in page


def test_the_form_fits_the_chosen_service(
    signed_in: Client, painter: Service, editor: Service, listener_of_alice: Service
) -> None:
    assert (
        "Generate"
        in signed_in.get(f"{IMAGES}?provider={painter.provider.lower()}").content.decode()
    )
    assert (
        "What to change" in signed_in.get(f"{IMAGES}?provider={editor.provider}").content.decode()
    )
    assert "data-recorder" in signed_in.get(SPEECH).content.decode()


@pytest.fixture
def listener_of_alice(alice: Wallet, editor: Service) -> Service:
    alice.ledgers.all().delete()
    return stage.make_ready(alice, stage.make_service("speech"))


def test_an_order_is_taken_and_shown(
    signed_in: Client, painter: Service, started: list[object]
) -> None:
    reply = _send(signed_in, painter)
    work = Work.objects.get()
    assert reply.status_code == 302
    assert started == [work.pk]
    page = signed_in.get(reply.url.partition("#")[0]).content.decode()
    assert "Waiting for its turn" in page
    assert 'hx-trigger="every 1s"' in page
    assert "A lighthouse</textarea>" in page  # ready for the next attempt


def test_sending_twice_is_one_work(
    signed_in: Client, painter: Service, started: list[object]
) -> None:
    key = uuid4()
    for _ in range(3):
        _send(signed_in, painter, key=key)
    assert Work.objects.count() == len(started) == 1
    _send(signed_in, painter, key=key, prompt="Something else")  # by the back button
    assert Work.objects.count() == len(started) == 2


def test_too_many_at_once_are_refused(
    signed_in: Client, painter: Service, started: list[object]
) -> None:
    replies = [_send(signed_in, painter) for _ in range(5)]
    assert [reply.status_code for reply in replies] == [302] * 4 + [422]
    assert "Wait for one to end" in replies[-1].content.decode()


def test_whoever_keeps_too_much_is_asked_to_delete(
    signed_in: Client, alice: Wallet, painter: Service, started: list[object]
) -> None:
    stage.done(stage.order(alice, painter), stage.fake(painter))
    File.objects.update(size=1 << 30)
    reply = _send(signed_in, painter)
    assert (reply.status_code, started) == (422, [])
    assert "Delete some of them first" in reply.content.decode()


_SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
UPLOADS = {  # what is uploaded as: its content, and the words that refuse it
    "0 bytes.png": (b"", "The file is empty"),
    "an SVG with a script.png": (_SVG, "The file is not a picture"),
    "a recording.png": (stage.wav(), "The file is not a picture"),
    "a bomb.png": (stage.bomb(), "60000 × 60000 pixels"),
    "half a picture.png": (stage.png(400, 400)[:60], "cannot be read"),
    "100 MB.png": (b"\x89PNG\r\n\x1a\n" + b"\0" * (100 << 20), "The file is 100 MB"),
    "0 bytes.wav": (b"", "The file is empty"),
    "a picture.wav": (stage.png(), "The file is not a recording"),
    "100 MB.wav": (b"RIFF" + b"\0" * (100 << 20), "The file is 100 MB"),
}


@pytest.mark.parametrize("name", UPLOADS)
def test_uploads_that_cannot_be_used_are_refused_in_words(
    name: str,
    signed_in: Client,
    editor: Service,
    listener_of_alice: Service,
    started: list[object],
) -> None:
    content, words = UPLOADS[name]
    kind, service = ("edit", editor) if name.endswith("png") else ("speech", listener_of_alice)
    reply = _send(signed_in, service, **stage.upload(kind, content, name))
    page = reply.content.decode()
    assert (reply.status_code, started) == (422, [])
    assert words in page
    assert "data-order" in page  # the form is there to correct it
    assert not Work.objects.exists()


def test_a_wrong_ending_does_not_matter(
    signed_in: Client, editor: Service, started: list[object]
) -> None:
    _send(signed_in, editor, **stage.upload("edit", stage.png(), "picture.exe"))
    assert File.objects.get().media_type == "image/png"
    assert len(started) == 1


def test_metadata_never_leaves(signed_in: Client, editor: Service, started: list[object]) -> None:
    from PIL import Image, PngImagePlugin

    secret, exif = PngImagePlugin.PngInfo(), Image.Exif()
    secret.add_text("Comment", "Alice lives here")
    exif[0x010F] = "Camera of Alice"
    sent = stage.png(pnginfo=secret, exif=exif)
    assert b"Alice lives here" in sent
    _send(signed_in, editor, **stage.upload("edit", sent))
    assert b"Alice" not in File.objects.get().read()


def test_an_edit_may_start_from_a_picture_made_here(
    signed_in: Client, alice: Wallet, painter: Service, editor: Service, started: list[object]
) -> None:
    made = stage.done(stage.order(alice, painter), stage.fake(painter)).results[0]
    page = signed_in.get(f"{IMAGES}?source={made.pk}").content.decode()
    assert f'value="{made.pk}"' in page
    _send(signed_in, editor, image=None, source=made.pk)
    assert Work.objects.get(kind="edit").source.sha256 == made.sha256  # type: ignore[union-attr]


def test_nobody_starts_from_a_strangers_file(
    client: Client, alice: Wallet, mallory: Wallet, painter: Service, editor: Service
) -> None:
    made = stage.done(stage.order(alice, painter), stage.fake(painter)).results[0]
    form = forms.EditForm(
        stage.fields("edit", source=made.pk), {}, wallet=mallory, network=stage.NETWORK
    )
    assert not form.is_valid()
    client.force_login(mallory, backend="accounts.backends.SignedMessage")
    assert client.get(made.get_absolute_url()).status_code == 404
    assert client.get(made.work.get_absolute_url()).status_code == 404


def test_a_picture_is_shown_as_nothing_but_a_picture(
    signed_in: Client, alice: Wallet, painter: Service
) -> None:
    made = stage.done(stage.order(alice, painter), stage.fake(painter)).results[0]
    reply = signed_in.get(made.get_absolute_url())
    assert reply.content == made.read()
    assert reply["Content-Type"] == "image/png"
    assert reply["Content-Disposition"].startswith("inline")
    assert reply["X-Content-Type-Options"] == "nosniff"
    assert reply["Content-Security-Policy"] == "default-src 'none'; sandbox"
    kept = signed_in.get(f"{made.get_absolute_url()}?download=1")
    assert kept["Content-Disposition"].startswith("attachment")


@pytest.mark.parametrize(("ending", "media_type"), [("jpg", "image/jpeg"), ("webp", "image/webp")])
def test_a_picture_may_be_kept_in_another_format(
    signed_in: Client, alice: Wallet, painter: Service, ending: str, media_type: str
) -> None:
    work = stage.done(stage.order(alice, painter), stage.fake(painter))
    made = work.results[0]
    url = f"{made.get_absolute_url()}{ending}/"
    assert url in signed_in.get(work.get_absolute_url()).content.decode()
    kept = signed_in.get(url)
    assert Upload.picture(kept.content).media_type == kept["Content-Type"] == media_type
    assert kept["Content-Disposition"].endswith(f'.{ending}"')
    assert signed_in.get(f"{made.get_absolute_url()}svg/").status_code == 404


def test_a_bomb_is_converted_to_nothing(
    signed_in: Client, alice: Wallet, painter: Service, mallory: Wallet
) -> None:
    made = stage.done(stage.order(alice, painter), stage.fake(painter)).results[0]
    File.objects.filter(pk=made.pk).update(width=60_000, height=60_000)
    assert signed_in.get(f"{made.get_absolute_url()}jpg/").status_code == 404
    signed_in.force_login(mallory, backend="accounts.backends.SignedMessage")
    assert signed_in.get(f"{made.get_absolute_url()}webp/").status_code == 404


def test_a_player_gets_the_part_that_it_asks_for(
    signed_in: Client, alice: Wallet, listener: Service
) -> None:
    recording = stage.done(stage.order(alice, listener), stage.fake(listener)).source
    assert recording is not None
    url, size = recording.get_absolute_url(), recording.size
    part = signed_in.get(url, headers={"Range": "bytes=4-7"})
    assert (part.status_code, part.content) == (206, recording.read()[4:8])
    assert part["Content-Range"] == f"bytes 4-7/{size}"
    assert part["Content-Disposition"].startswith("attachment")
    assert signed_in.get(url, headers={"Range": f"bytes={size}-"}).status_code == 416


def test_the_result_stands_beside_its_cost_and_proof(
    signed_in: Client, alice: Wallet, painter: Service
) -> None:
    work = stage.done(stage.order(alice, painter), stage.fake(painter))
    page = signed_in.get(work.get_absolute_url()).content.decode()
    assert 'data-outcome="verified"' in page
    assert "2 images × " in page
    assert "every 1s" not in page  # nothing more will come
    evidence = signed_in.get(f"{work.get_absolute_url()}evidence.json").json()
    assert evidence["outcome"] == "verified"


@pytest.mark.parametrize("wanted", ["json", "text", "srt", "vtt", "verbose_json"])
def test_a_transcript_can_be_taken_away_as_it_came(
    signed_in: Client, alice: Wallet, listener: Service, wanted: str
) -> None:
    pending = stage.order(alice, listener, response_format=wanted)
    work = stage.done(pending, stage.fake(listener, answer="<b>Good</b> morning"))
    page = signed_in.get(work.get_absolute_url()).content.decode()
    assert "&lt;b&gt;Good&lt;/b&gt; morning" in page
    reply = signed_in.get(f"{work.get_absolute_url()}transcript/")
    assert reply.content.decode() == work.content
    assert reply["Content-Disposition"].startswith("attachment")


def test_a_failure_says_what_helps(signed_in: Client, alice: Wallet, painter: Service) -> None:
    door = stage.FixedDoor(200, b"<html>")
    work = stage.done(stage.order(alice, painter), stage.behind(door, painter))
    page = signed_in.get(work.get_absolute_url()).content.decode()
    assert "may have billed it all the same" in page
    assert f"?again={work.pk}" in page


def test_a_reserve_that_is_too_low_leads_to_a_transfer(
    signed_in: Client, alice: Wallet, painter: Service
) -> None:
    words = (
        "insufficient balance: your locked balance is 1.0 0G, but the required minimum is 1.5 0G"
    )
    door = stage.FixedDoor(400, f'{{"error":"validate request: {words}"}}'.encode())
    work = stage.done(stage.order(alice, painter), stage.behind(door, painter))
    gallery = signed_in.get(IMAGES).content.decode()
    assert f'href="{work.get_absolute_url()}">Transfer funds' in gallery
    page = signed_in.get(work.get_absolute_url()).content.decode()
    assert "Review transfer" in page


def test_a_refused_session_leads_to_a_new_one(
    signed_in: Client, alice: Wallet, painter: Service
) -> None:
    door = stage.FixedDoor(400, b'{"error":"validate session: session token expired"}')
    work = stage.done(stage.order(alice, painter), stage.behind(door, painter))
    page = signed_in.get(work.get_absolute_url()).content.decode()
    assert f'href="{IMAGES}?again={work.pk}#ready">Start a session' in page


def test_a_deleted_work_is_gone(signed_in: Client, alice: Wallet, painter: Service) -> None:
    work = stage.done(stage.order(alice, painter), stage.fake(painter))
    assert signed_in.post(f"{work.get_absolute_url()}deletion/").status_code == 302
    assert not Work.objects.exists()
    assert alice.usage.count() == 1
