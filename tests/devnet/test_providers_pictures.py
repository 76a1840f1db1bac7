"""Models that take pictures, models that do not, and several models at one provider."""

from __future__ import annotations

import base64
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from devnet.providers.signatures import response_text
from tests.devnet.bench import Bench, Reply, bench
from zgcompute.bodies import chat_body as sdk_body
from zgcompute.model_cards import parse_cards

CHAT = "/v1/proxy/chat/completions"


def picture(kind: str = "PNG", size: tuple[int, int] = (64, 40), colour: str = "orange") -> bytes:
    out = BytesIO()
    Image.new("RGB", size, colour).save(out, kind)
    return out.getvalue()


def parts(words: str, *pictures: bytes) -> list[dict[str, Any]]:
    urls = (f"data:image/png;base64,{base64.b64encode(one).decode()}" for one in pictures)
    shown = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return [{"type": "text", "text": words}, *shown]


def ask(provider: Bench, model: str, *contents: Any) -> Reply:
    messages = [{"role": "user", "content": content} for content in contents]
    return provider.ask(CHAT, {"model": model, "messages": messages})


def said(reply: Reply) -> str:
    assert reply.status == 200, reply.body
    return str(reply.json["choices"][0]["message"]["content"])


@pytest.fixture
def iris() -> Bench:
    return bench("iris")


@pytest.fixture
def nova() -> Bench:
    return bench("nova")


@pytest.mark.parametrize(
    ("kind", "size", "colour", "named"),
    [
        ("PNG", (64, 40), "orange", "orange"),
        ("JPEG", (33, 90), "#1030c0", "blue"),
        ("WEBP", (8, 8), "white", "white"),
    ],
)
def test_the_answer_says_what_is_in_the_bytes(
    iris: Bench, kind: str, size: tuple[int, int], colour: str, named: str
) -> None:
    answer = said(ask(iris, "devnet-vision", parts("What?", picture(kind, size, colour))))
    assert f"a **{kind}** of **{size[0]} × {size[1]}** pixels, mostly **{named}**" in answer
    assert "> What?" in answer


def test_earlier_pictures_are_still_known(iris: Bench) -> None:
    answer = said(ask(iris, "devnet-vision", parts("One", picture()), "And now?"))
    assert "Pictures sent before" in answer
    assert "64 × 40" in answer


def test_a_picture_costs_a_token_for_each_patch(iris: Bench) -> None:
    with_picture = ask(iris, "devnet-vision", parts("Hi", picture(size=(57, 28)))).json["usage"]
    without = ask(iris, "devnet-vision", parts("Hi")).json["usage"]
    assert with_picture["prompt_tokens"] - without["prompt_tokens"] == 3


def test_the_signature_binds_a_request_with_a_picture_as_it_was_sent(iris: Bench) -> None:
    messages = [{"role": "user", "content": parts("<&> Grüße", picture())}]
    sent = sdk_body("devnet-vision", messages, stream=True)
    reply = iris.ask(CHAT, sent)
    record = iris.ask(f"/v1/proxy/signature/{reply.headers['zg-res-key']}?model=x", token=None)
    assert record.json["text"] == response_text(sent, reply.body)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://example.org/cat.png", "only data URLs"),
        ("data:image/png;base64,@@@", "base64 of the picture is broken"),
        ("data:image/svg+xml;base64,PHN2Zy8+", "cannot identify image file"),
        (None, "only data URLs"),
    ],
)
def test_what_is_no_readable_picture_is_refused(iris: Bench, url: object, words: str) -> None:
    reply = ask(iris, "devnet-vision", [{"type": "image_url", "image_url": {"url": url}}])
    assert reply.status == 400
    assert words in reply.json["error"]["message"]


def test_a_bomb_is_refused_before_it_is_decoded(iris: Bench) -> None:
    out = BytesIO()
    Image.new("1", (20_000, 20_000)).save(out, "PNG")
    reply = ask(iris, "devnet-vision", parts("Boom", out.getvalue()))
    assert "20000x20000 is too large" in reply.json["error"]["message"]


@pytest.mark.parametrize(("name", "model"), [("aurora", "devnet-chat"), ("nova", "devnet-small")])
def test_a_model_that_takes_no_pictures_refuses_them(name: str, model: str) -> None:
    reply = ask(bench(name), model, parts("What?", picture()))
    assert reply.status == 400
    assert reply.json["error"]["message"] == f"{model} is not a multimodal model"


def test_the_cards_say_which_model_takes_pictures_and_what_each_costs(
    iris: Bench, nova: Bench
) -> None:
    (vision,) = parse_cards(iris.ask("/v1/models").body)
    assert vision.input_modalities == ("text", "image")
    cards = parse_cards(nova.ask("/v1/models").body)
    assert [(one.id, one.prompt_price, "image" in one.input_modalities) for one in cards] == [
        ("devnet-small", 150_000_000_000, False),
        ("devnet-thinker", 1_200_000_000_000, False),
        ("devnet-seer", 700_000_000_000, True),
    ]
    assert ["reasoning_effort" in one.supported_parameters for one in cards] == [False, True, False]


def test_the_chain_names_the_highest_prices_of_several_models(nova: Bench) -> None:
    listed = nova.chain.registered
    assert listed is not None
    assert listed.info.multi_model
    assert (listed.input_price, listed.output_price) == (1_200_000_000_000, 4_000_000_000_000)


@pytest.mark.parametrize(
    ("model", "input_price", "output_price"),
    [
        ("devnet-small", 150_000_000_000, 500_000_000_000),
        ("devnet-thinker", 1_200_000_000_000, 4_000_000_000_000),
    ],
)
def test_each_model_is_billed_at_its_own_price(
    nova: Bench, model: str, input_price: int, output_price: int
) -> None:
    usage = ask(nova, model, "Hello").json["usage"]
    (requests,) = nova.provider.book.by_user().values()
    (billed,) = requests
    expected = usage["prompt_tokens"] * input_price + usage["completion_tokens"] * output_price
    assert billed.fee == expected


def test_only_the_thinking_model_thinks(nova: Bench) -> None:
    thought = [
        "reasoning_content" in ask(nova, model, "Hello").json["choices"][0]["message"]
        for model in ("devnet-small", "devnet-thinker")
    ]
    assert thought == [False, True]


def test_a_model_that_is_not_among_them_is_refused(nova: Bench) -> None:
    reply = ask(nova, "devnet-chat", "Hello")
    assert reply.status == 400
    assert reply.json["error"] == (
        "validate model allowlist: "
        "model not supported: 'devnet-chat' is not available for this service"
    )
