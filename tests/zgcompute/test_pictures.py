from __future__ import annotations

import base64
import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest

from zgcompute import pictures
from zgcompute._fake_media import tiny_png
from zgcompute.errors import DestinationRefused, MalformedReply, ReplyTooLarge
from zgcompute.pictures import ImageReply, parse_images
from zgcompute.testing import fake_service

ONE, TWO = tiny_png("one"), tiny_png("two")
SERVICE = fake_service(url="https://aurora.example/")


def nothing_is_fetched(path: str) -> bytes:
    raise AssertionError(path)


def reply(*entries: Any, fetch: Callable[[str], bytes] = nothing_is_fetched) -> ImageReply:
    return parse_images(
        SERVICE, b"ask", json.dumps({"data": entries}).encode(), key="Key", fetch=fetch
    )


def inline(content: bytes) -> dict[str, str]:
    return {"b64_json": base64.b64encode(content).decode()}


def test_pictures_in_the_reply_are_decoded_and_hashed() -> None:
    found = reply(inline(ONE), {**inline(TWO), "revised_prompt": "A \0 sea"})
    assert [picture.content for picture in found.pictures] == [ONE, TWO]
    assert (found.pictures[0].media_type, found.pictures[0].ending) == ("image/png", "png")
    assert found.pictures[1].revised_prompt == "A \ufffd sea"
    assert found.pictures_sha256 == f"{sha256(ONE).hexdigest()},{sha256(TWO).hexdigest()}"
    assert (found.response_id, found.holds_pictures) == ("Key", True)
    assert found.request_sha256 == sha256(b"ask").hexdigest()


@pytest.mark.parametrize("base", ["https://aurora.example", ""])
def test_a_stored_picture_is_fetched_from_its_provider(base: str) -> None:
    fetched: list[str] = []

    def fetch(path: str) -> bytes:
        fetched.append(path)
        return ONE

    found = reply({"url": f"{base}/v1/proxy/images/ab-12/0"}, fetch=fetch)
    assert fetched == ["/v1/proxy/images/ab-12/0"]
    assert found.pictures[0].content == ONE
    assert not found.holds_pictures


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example/v1/proxy/images/ab/0",
        "https://aurora.example.evil.example/v1/proxy/images/ab/0",
        "https://aurora.example@evil.example/v1/proxy/images/ab/0",
        "http://aurora.example/v1/proxy/images/ab/0",
        "https://aurora.example/v1/proxy/images/../0",
        "https://aurora.example/v1/quote",
        "https://aurora.example/v1/proxy/images/ab/0?x=1",
        "//evil.example/v1/proxy/images/ab/0",
        "http://[half",
        "file:///etc/passwd",
        "",
    ],
)
def test_no_other_address_is_ever_asked(url: str) -> None:
    with pytest.raises(DestinationRefused) as refused:
        reply({"url": url})
    assert "b64_json" in refused.value.advice


@pytest.mark.parametrize(
    "entry",
    [
        {},
        "text",
        {"url": 5},
        {"b64_json": 5},
        {"b64_json": "not base64!"},
        {"b64_json": "ünicode"},
        inline(b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        inline(b"GIF89a"),
    ],
)
def test_what_is_no_picture_is_a_malformed_reply(entry: Any) -> None:
    with pytest.raises(MalformedReply):
        reply(entry)


def test_a_page_instead_of_a_stored_picture_is_a_malformed_reply() -> None:
    with pytest.raises(MalformedReply):
        reply({"url": "/v1/proxy/images/ab/0"}, fetch=lambda path: b"<html>")


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"data":{}}', b'{"data":[]}', b"\xff"])
def test_a_reply_without_pictures_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedReply):
        parse_images(SERVICE, b"", body, key="", fetch=nothing_is_fetched)


def test_a_flood_of_pictures_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MalformedReply):
        reply(*[inline(ONE)] * 65)
    monkeypatch.setattr(pictures, "MAX_BYTES", 2 * len(ONE))
    assert reply(inline(ONE), inline(ONE))
    with pytest.raises(ReplyTooLarge):
        reply(inline(ONE), inline(ONE), inline(ONE))
