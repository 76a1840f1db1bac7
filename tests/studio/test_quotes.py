"""What an order will cost is known before it is sent, and what cannot be paid is not sent."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import SubAccount, Wallet
from marketplace.model_rows import keep
from marketplace.models import Service
from marketplace.offers import models_of
from studio.models import File, Work
from tests.studio import sounds, stage
from zgcompute.amounts import parse
from zgcompute.model_cards import ModelCard

pytestmark = pytest.mark.django_db
IMAGES, SPEECH = f"/{stage.NETWORK}/images/", f"/{stage.NETWORK}/speech/"
MINUTE = timedelta(minutes=1)
HTMX = {"HX-Request": "true"}


def _send(client: Client, service: Service, kind: str, *, htmx: bool = False, **more: Any) -> Any:
    sent = {"provider": service.provider, **stage.fields(kind), **more}
    headers = HTMX if htmx else {}
    return client.post(f"{SPEECH if kind == 'speech' else IMAGES}orders/", sent, headers=headers)


def _priced(service: Service, per_second: str) -> Service:
    service.input_price = parse(per_second)
    service.save()
    return service


def _estimate(client: Client, service: Service, seconds: object) -> Any:
    return client.get(f"{SPEECH}estimate/{service.provider}/?seconds={seconds}")


def _two_hours() -> dict[str, Any]:
    return stage.upload("speech", sounds.mp3(sounds.TWO_HOURS), "long.mp3")


def test_two_hours_are_taken_and_their_length_is_shown(
    signed_in: Client, listener: Service, started: list[object]
) -> None:
    assert _send(signed_in, listener, "speech", **_two_hours()).status_code == 302
    assert File.objects.get().seconds == sounds.TWO_HOURS
    assert len(started) == 1
    assert "2 h 0 min" in signed_in.get(SPEECH).content.decode()


def test_two_hours_that_cannot_be_paid_are_refused_with_the_step_that_helps(
    signed_in: Client, listener: Service, started: list[object]
) -> None:
    _priced(listener, "0.001")
    reply = _send(signed_in, listener, "speech", **_two_hours())
    page = reply.content.decode()
    assert (reply.status_code, started) == (422, [])
    assert "It would cost about 7.2 0G, and 3 0G are left with this provider" in page
    assert "Transfer at least 4.2 0G more" in page
    assert "Review transfer" in page
    assert not Work.objects.exists()


def test_two_hours_in_too_many_bytes_are_refused_in_words(
    signed_in: Client, listener: Service, started: list[object]
) -> None:
    whole = sounds.wav(sounds.TWO_HOURS, rate=8000)
    reply = _send(signed_in, listener, "speech", **stage.upload("speech", whole, "long.wav"))
    assert (reply.status_code, started) == (422, [])
    assert "The file is 54 MB; at most 31 MB are taken." in reply.content.decode()


def test_a_recording_without_a_stated_length_is_taken(
    signed_in: Client, listener: Service, started: list[object]
) -> None:
    _priced(listener, "0.001")
    mine = stage.upload("speech", sounds.webm())
    assert _send(signed_in, listener, "speech", **mine).status_code == 302
    assert File.objects.get().seconds is None


def test_pictures_that_cannot_be_paid_are_refused(
    signed_in: Client, painter: Service, started: list[object]
) -> None:
    painter.output_price = parse("2")
    painter.save()
    reply = _send(signed_in, painter, "image", n=2)
    assert (reply.status_code, started) == (422, [])
    assert "It would cost about 4 0G" in reply.content.decode()


def test_fees_that_are_not_settled_yet_count(
    signed_in: Client, alice: Wallet, painter: Service, started: list[object]
) -> None:
    painter.output_price = parse("1")
    painter.save()
    rows = SubAccount.objects.filter(wallet=alice)
    rows.update(unsettled=parse("1.5"), unsettled_at=timezone.now())
    assert _send(signed_in, painter, "image", n=2).status_code == 422
    assert _send(signed_in, painter, "image", n=1).status_code == 302


@pytest.mark.parametrize(
    ("price", "words"),
    [
        ("0.0001", "2 h 0 min: about"),
        ("0.0003", "This uses up what you have with this provider"),
        ("0.001", "It cannot be paid yet"),
    ],
)
def test_the_page_may_ask_what_a_length_costs(
    signed_in: Client, listener: Service, price: str, words: str
) -> None:
    page = _estimate(signed_in, _priced(listener, price), sounds.TWO_HOURS).content.decode()
    assert words in page
    assert f'value="{parse(price) * sounds.TWO_HOURS}"' in page


def test_a_visitor_may_ask_too(client: Client, listener: Service) -> None:
    assert "3 min 20 s" in _estimate(client, listener, 200).content.decode()


@pytest.mark.parametrize("seconds", ["", "-1", "1e9", "nan", "12345678"])
def test_what_is_no_length_has_no_price(client: Client, listener: Service, seconds: str) -> None:
    assert _estimate(client, listener, seconds).status_code == 404


def test_an_upload_with_script_is_led_to_its_work_or_gets_the_form_again(
    signed_in: Client, listener: Service, started: list[object]
) -> None:
    sent = _send(signed_in, listener, "speech", htmx=True, **_two_hours())
    assert sent["HX-Redirect"] == f"{SPEECH}?again={started[0]}#work-{started[0]}"
    refused = _send(signed_in, listener, "speech", htmx=True, **stage.upload("speech", b"text"))
    assert (refused.status_code, refused["HX-Retarget"]) == (422, "#ready")
    page = refused.content.decode()
    assert page.lstrip().startswith('<div id="ready"')
    assert "The file is not a recording" in page


@pytest.fixture
def several(painter: Service) -> Service:
    """The painter with two models of pictures and one of another kind."""
    painter.additional_info = json.dumps({"MultiModel": True})
    painter.save()
    cards = [
        ModelCard(id="quick", service_type="text-to-image", image_price=1_000_000),
        ModelCard(id="test-image", service_type="text-to-image", image_price=3_000_000),
        ModelCard(id="talker", service_type="chatbot", prompt_price=1, completion_price=1),
    ]
    keep({painter.pk: cards}, timezone.now())
    return painter


def test_each_model_of_the_kind_can_be_chosen_beside_its_price(
    signed_in: Client, several: Service
) -> None:
    page = signed_in.get(f"{IMAGES}?provider={several.provider}").content.decode()
    chosen = page.partition('name="model"')[2].partition("</select>")[0]
    assert chosen.count("<option") == 2
    assert chosen.index("test-image · 0.000000000003 0G per image") < chosen.index(
        "quick · 0.000000000001 0G per image"
    )


def test_the_chosen_model_is_asked_billed_and_shown(
    signed_in: Client, several: Service, started: list[object]
) -> None:
    _send(signed_in, several, "image", model="quick", n=2)
    work = Work.objects.get()
    provider = stage.fake(several)
    work = stage.done(work, provider)
    assert json.loads(provider.bodies[0])["model"] == "quick"
    assert (work.model, work.fee, work.fee_is_upper_bound) == ("quick", 2_000_000, False)
    assert work.usage is not None
    assert work.usage.model == "quick"


def test_the_only_model_of_the_kind_is_asked_also_where_the_chain_names_another(
    signed_in: Client, several: Service, started: list[object]
) -> None:
    several.model_rows.filter(model_id=several.model).delete()
    page = signed_in.get(f"{IMAGES}?{models_of(several)[0].query}").content.decode()
    assert "0.000000000001" in page.partition("order__price")[2].partition("</p>")[0]
    _send(signed_in, several, "image")
    assert Work.objects.get().model == "quick"


def test_a_model_of_another_kind_is_refused(
    signed_in: Client, several: Service, started: list[object]
) -> None:
    assert _send(signed_in, several, "image", model="talker").status_code == 422
    assert started == []


def test_a_long_work_says_how_long_earlier_ones_took(
    signed_in: Client, alice: Wallet, listener: Service, started: list[object]
) -> None:
    earlier = stage.done(stage.order(alice, listener), stage.fake(listener))
    began = timezone.now() - timedelta(minutes=5)
    Work.objects.filter(pk=earlier.pk).update(started_at=began, ended_at=began + 2 * MINUTE)
    earlier.files.update(seconds=3600)
    _send(signed_in, listener, "speech", **_two_hours())
    running = Work.objects.exclude(pk=earlier.pk)
    running.update(state="running", started_at=timezone.now() - MINUTE)
    page = signed_in.get(running.get().get_absolute_url()).content.decode()
    assert "about 4 min 0 s, as your earlier recordings suggest" in page
    assert '<progress max="240" value="60"' in page
    running.update(started_at=timezone.now() - 5 * MINUTE)
    page = signed_in.get(running.get().get_absolute_url()).content.decode()
    assert "longer than your earlier recordings suggest" in page
    assert '<progress max="240" value="228"' in page
