"""What a client asked for, and the very bytes that a provider gets for it (pure).

A body is written so that no provider needs to rewrite it (PROTOCOL §4.1), or passed on as it came
where it is a form: only then can the signed request hash be compared.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from zgcompute import _reading as read
from zgcompute._limits import CHAT, IMAGES, METADATA, SPEECH, Limits
from zgcompute.bodies import go_json
from zgcompute.errors import InvalidBody
from zgcompute.pictures import MAX_PICTURES
from zgcompute.serving.problems import bad_request

ANY_MODEL = ("", "auto")  # what a client asks with that leaves the choice to this server
_BOUNDARY = re.compile(r'boundary=(?:"([^"\r\n]{1,200})"|([^\s;,"]{1,200}))', re.I)
_NAME = re.compile(rb'\bname="?([A-Za-z0-9_\[\]-]{1,80})"?', re.I)


@dataclass(frozen=True, slots=True)
class Kind:
    """One of the calls: its path at a provider, the services that take it, and its limits."""

    path: str
    service_type: str
    limits: Limits
    is_job: bool = False

    @property
    def accepted(self) -> int:
        """The status of a reply that is no refusal."""
        return 202 if self.is_job else 200


CHAT_CALL = Kind("/v1/proxy/chat/completions", "chatbot", CHAT)
IMAGES_CALL = Kind("/v1/proxy/images/generations", "text-to-image", IMAGES)
EDITS_CALL = Kind("/v1/proxy/images/edits", "image-editing", IMAGES)
SPEECH_CALL = Kind("/v1/proxy/audio/transcriptions", "speech-to-text", SPEECH)
IMAGES_JOB = Kind("/v1/async/images/generations", "text-to-image", METADATA, is_job=True)
EDITS_JOB = Kind("/v1/async/images/edits", "image-editing", METADATA, is_job=True)


@dataclass(frozen=True, slots=True)
class Sent:
    """A body as it goes to a provider."""

    content_type: str
    content: bytes


@dataclass(slots=True)
class Call:
    """A request that was understood. `model` is "" where any will do."""

    kind: Kind
    model: str
    fields: Mapping[str, Any] = field(default_factory=dict)  # of JSON, else of the form's texts
    form: Sent | None = None
    _written: tuple[str, Sent] | None = None

    @property
    def is_stream(self) -> bool:
        """Tell whether an event stream was asked for."""
        return self.form is None and self.fields.get("stream") is True

    @property
    def wants_usage(self) -> bool:
        """Tell whether the client asked for the event that states the usage."""
        return read.mapping(self.fields.get("stream_options")).get("include_usage") is True

    @property
    def pictures(self) -> int:
        """How many pictures are billed: `n` counts only as a JSON number (PROTOCOL §5.1)."""
        return (read.count(self.fields.get("n")) or 1) if self.form is None else 1

    def body_for(self, model: str) -> Sent:
        """The body for a provider that serves `model`; raises InvalidBody for what is no JSON."""
        if self._written is None or self._written[0] != model:
            self._written = (model, self._write(model))
        return self._written[1]

    def _write(self, model: str) -> Sent:
        if self.form is not None:
            return self.form if self.model else _with_model(self.form, model)
        fields = {**self.fields, "model": model}
        if self.is_stream:
            options = read.mapping(self.fields.get("stream_options"))
            fields["stream_options"] = {**options, "include_usage": True}
        return Sent("application/json", go_json(fields))


def understand(kind: Kind, content_type: str, body: bytes) -> Call:
    """Read a client's request; raises Problem for what no provider could take."""
    is_form = content_type.lower().startswith("multipart/form-data")
    if is_form and kind in (SPEECH_CALL, EDITS_CALL, EDITS_JOB):
        return _form_call(kind, content_type, body)
    if kind is SPEECH_CALL:
        raise bad_request("A recording is sent as multipart/form-data.", param="file")
    fields = read.json_object(body)
    if fields is None:
        raise bad_request("The body is not a JSON object.")
    _require_fields(kind, fields)
    model = fields.get("model")
    if model is not None and not isinstance(model, str):
        raise bad_request("'model' must be text.", param="model")
    call = Call(kind, _named(model or ""), fields)
    try:
        call.body_for(call.model)  # what cannot be written is the client's fault
    except InvalidBody as error:
        raise bad_request(f"{error} {error.advice}") from error
    return call


def _require_fields(kind: Kind, fields: Mapping[str, Any]) -> None:
    if kind is CHAT_CALL:
        messages = fields.get("messages")
        if not isinstance(messages, list) or not messages:
            raise bad_request("'messages' must be a list that is not empty.", param="messages")
        return
    prompt, number = fields.get("prompt"), fields.get("n")
    if not isinstance(prompt, str) or not prompt.strip():
        raise bad_request("'prompt' must be text.", param="prompt")
    if number is not None and not 1 <= (read.count(number) or 0) <= MAX_PICTURES:
        raise bad_request(f"'n' must be a whole number from 1 to {MAX_PICTURES}.", param="n")


def _form_call(kind: Kind, content_type: str, body: bytes) -> Call:
    boundary = _boundary(content_type)
    if boundary is None or not body.rstrip().endswith(b"--" + boundary + b"--"):
        raise bad_request("The form has no boundary, or does not end with it.")
    texts = dict(_texts(body, boundary))
    model = _named(texts.pop("model", ""))
    form = Sent(content_type, body)
    if not model:
        form = Sent(content_type, _without_model(body, boundary))
    return Call(kind, model, texts, form)


def _named(model: str) -> str:
    return "" if model in ANY_MODEL else model


def _boundary(content_type: str) -> bytes | None:
    found = _BOUNDARY.search(content_type)
    return (found[1] or found[2]).encode("latin-1", "replace") if found else None


def _texts(body: bytes, boundary: bytes) -> list[tuple[str, str]]:
    """The short fields of a form that are no files."""
    found = []
    for part in body.split(b"--" + boundary):
        head, separator, content = part.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if separator and name and b"filename" not in head.lower() and len(content) < 65_536:
            text = content.removesuffix(b"\r\n").decode("utf-8", "replace")
            found.append((name[1].decode("ascii"), text))
    return found


def _without_model(body: bytes, boundary: bytes) -> bytes:
    """The form without the field that names no model in particular."""
    mark = b"--" + boundary
    parts = body.split(mark)
    kept = [part for part in parts if not _is_model(part)]
    return mark.join(kept) if len(kept) < len(parts) else body


def _is_model(part: bytes) -> bool:
    head = part.partition(b"\r\n\r\n")[0] if len(part) < 4096 else b""
    name = _NAME.search(head)
    return name is not None and name[1] == b"model"


def _with_model(form: Sent, model: str) -> Sent:
    boundary = _boundary(form.content_type)
    assert boundary is not None
    head = b'\r\nContent-Disposition: form-data; name="model"\r\n\r\n'
    part = b"--" + boundary + head + model.encode() + b"\r\n"
    return Sent(form.content_type, part + form.content.lstrip(b"\r\n"))
