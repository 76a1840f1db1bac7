"""One request to a provider for a work, and what came of it (blocking; knows no database rows)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from zgcompute import types
from zgcompute.bodies import image_body
from zgcompute.checks import SignatureSource
from zgcompute.fees import Fee, image_fee, speech_fee
from zgcompute.jobs import Job
from zgcompute.model_cards import ModelCard
from zgcompute.pictures import ImageReply, Picture
from zgcompute.transcripts import SpeechReply
from zgcompute.uploads import Form, Upload, form


class MediaProvider(SignatureSource, Protocol):
    """What a work needs of `providers.Provider` or `testing_providers.FakeProvider`."""

    def images(self, api_key: str, body: bytes) -> ImageReply: ...

    def edit_image(self, api_key: str, form: Form) -> ImageReply: ...

    def transcribe(self, api_key: str, form: Form, response_format: str) -> SpeechReply: ...


class JobProvider(MediaProvider, Protocol):
    """The same, where pictures may also be ordered as jobs."""

    def order_images(self, api_key: str, body: bytes) -> Job: ...

    def order_edit(self, api_key: str, form: Form) -> Job: ...

    def job(self, api_key: str, job_id: str) -> Job: ...

    def job_pictures(self, job: Job, request_sha256: str) -> ImageReply: ...


@dataclass(frozen=True, slots=True)
class Order:
    """What to ask for; `source` is the picture to edit or the recording.

    `model` is one of the service's; `card` names its price where there are several.
    """

    kind: str
    service: types.Service
    model: str
    prompt: str
    settings: dict[str, Any]
    source: bytes = b""
    card: ModelCard | None = None

    @property
    def count(self) -> int:
        """How many pictures; a form cannot order more than one (PROTOCOL §5.1)."""
        return int(self.settings.get("n", 1))


@dataclass(frozen=True, slots=True)
class Result:
    """What came: pictures, or a transcript in `text` and `content`; `body_sha256` of the reply."""

    fee: Fee
    response_id: str
    request_sha256: str
    body_sha256: str
    pictures: tuple[Picture, ...] = ()
    holds_pictures: bool = False
    text: str = ""
    content: str = ""
    language: str = ""
    usage: types.Usage | None = field(default=None)


def ask(client: MediaProvider, api_key: str, order: Order) -> Result:
    """Send the one request that `order` needs; it is billed. Raises the SDK's errors."""
    return _ASKERS[order.kind](client, api_key, order)


def image_request(order: Order) -> bytes:
    """The body that orders new pictures; only a JSON number counts as `n` (PROTOCOL §5.1)."""
    choices = {"n": order.count, "size": order.settings.get("size", "")}
    return image_body(order.model, order.prompt, **choices, response_format="b64_json")


def edit_form(order: Order) -> Form:
    """The form that orders the edit of a picture."""
    fields = {"model": order.model, "prompt": order.prompt}
    fields |= {"size": order.settings.get("size", ""), "response_format": "b64_json"}
    return form(fields, "image", Upload.picture(order.source))


def pictures_result(order: Order, reply: ImageReply) -> Result:
    """The result that `reply` is; the number that was ordered is billed."""
    return Result(
        fee=image_fee(order.service, order.count, order.card),
        response_id=reply.response_id,
        request_sha256=reply.request_sha256,
        body_sha256=reply.body_sha256,
        pictures=reply.pictures,
        holds_pictures=reply.holds_pictures,
    )


def _images(client: MediaProvider, api_key: str, order: Order) -> Result:
    return pictures_result(order, client.images(api_key, image_request(order)))


def _edit(client: MediaProvider, api_key: str, order: Order) -> Result:
    return pictures_result(order, client.edit_image(api_key, edit_form(order)))


def _transcript(client: MediaProvider, api_key: str, order: Order) -> Result:
    wanted = order.settings["response_format"]
    fields = {"model": order.model, "response_format": wanted}
    fields["language"] = order.settings.get("language", "")
    sent = form(fields, "file", Upload.recording(order.source))
    reply = client.transcribe(api_key, sent, wanted)
    return Result(
        fee=speech_fee(
            order.service, seconds=reply.seconds or 0, usage=reply.usage, card=order.card
        ),
        response_id=reply.response_id,
        request_sha256=reply.request_sha256,
        body_sha256=reply.response_sha256,
        text=reply.text,
        content=reply.content,
        language=reply.language,
        usage=reply.usage,
    )


_ASKERS = {"image": _images, "edit": _edit, "speech": _transcript}
