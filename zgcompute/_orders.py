"""What is sent to a provider for a question, checked before it leaves (pure).

Five wrong models within five minutes block a user for an hour, so the model is judged here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zgcompute.bodies import chat_body, image_body
from zgcompute.errors import InvalidBody, InvalidToken, ModelNotServed
from zgcompute.pictures import MAX_PICTURES
from zgcompute.session import SessionToken
from zgcompute.transcripts import require_format
from zgcompute.types import Address, Service
from zgcompute.uploads import Form, Upload, form

Source = bytes | str | Path  # a file's content, or where it is
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Order:
    """A request's body, the model it asks, and what of it is billed (pictures)."""

    model: str
    form: Form
    billed: int = 1

    @property
    def body(self) -> bytes:
        return self.form.body


def chat(
    service: Service,
    messages: Sequence[Mapping[str, Any]],
    *,
    model: str,
    stream: bool,
    parameters: Mapping[str, Any],
) -> Order:
    """A chat completion; raises ModelNotServed, InvalidBody."""
    chosen = _served_model(service, "chatbot", model)
    return Order(chosen, Form(JSON, chat_body(chosen, messages, stream=stream, **parameters)))


def images(
    service: Service, prompt: str, *, n: int, model: str, parameters: Mapping[str, Any]
) -> Order:
    """An image generation; raises ModelNotServed, InvalidBody."""
    chosen = _served_model(service, "text-to-image", model)
    if isinstance(n, bool) or not 1 <= n <= MAX_PICTURES:
        raise InvalidBody(f"One order is for 1 to {MAX_PICTURES} pictures.")
    body = image_body(chosen, prompt, n=n, **parameters)
    return Order(chosen, Form(JSON, body), billed=n)


def edit(
    service: Service, image: Source, prompt: str, *, model: str, parameters: Mapping[str, str]
) -> Order:
    """An image edit; a form cannot order more than one (§5.1). Raises as `images`."""
    chosen = _served_model(service, "image-editing", model)
    fields = {"model": chosen, "prompt": prompt, **parameters}
    return Order(chosen, form(fields, "image", Upload.picture(image)))


def transcription(
    service: Service, recording: Source, *, model: str, parameters: Mapping[str, str]
) -> Order:
    """A transcription; raises ModelNotServed, InvalidBody."""
    chosen = _served_model(service, "speech-to-text", model)
    require_format(parameters["response_format"])
    return Order(chosen, form({"model": chosen, **parameters}, "file", Upload.recording(recording)))


def require_key_for(provider: Address, api_key: str) -> str:
    """Return `api_key` if it is for `provider`: any other could spend with it where it is for."""
    token = SessionToken.parse(api_key)
    if token.provider != provider:
        raise InvalidToken(
            f"The API key is for the provider {token.provider}, not for {provider}.",
            advice="Use a key that was made for this provider.",
        )
    return api_key


def _served_model(service: Service, service_type: str, model: str) -> str:
    if service.info.multi_model:
        return model or service.model
    if service.service_type != service_type:
        raise ModelNotServed(
            f"This provider's service is {service.service_type!r}, not {service_type!r}.",
            advice=f"Choose a provider of {service_type}.",
        )
    if model and model != service.model:
        raise ModelNotServed(f"This provider serves {service.model!r}, not {model!r}.")
    return service.model
