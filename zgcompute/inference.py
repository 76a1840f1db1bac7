"""Asking a provider: every answer with its exact fee and what its signature proves.

Either the broker's signer signs a session for it, or the caller brings a ready API key as
`api_key` and no signer is needed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zgcompute.addresses import checksum
from zgcompute.bodies import chat_body, image_body
from zgcompute.checks import check_response
from zgcompute.errors import (
    InvalidBody,
    InvalidToken,
    ModelNotServed,
    SessionExpired,
    SessionInvalid,
    SessionRevoked,
    SubAccountMissing,
)
from zgcompute.pictures import MAX_PICTURES
from zgcompute.priced_answers import (
    Answer,
    AnswerStream,
    ImageAnswer,
    Transcript,
    priced_answer,
    priced_images,
    priced_transcript,
)
from zgcompute.session import MAX_EPHEMERAL, SessionRequest, SessionToken
from zgcompute.transcripts import require_format
from zgcompute.types import EPHEMERAL_TOKEN_ID, Address, Receipt, Service
from zgcompute.uploads import Upload, form
from zgcompute.verification import Verdict

if TYPE_CHECKING:
    from zgcompute.broker import Broker

RENEW_BEFORE_MS = 3_600_000  # a session with less than an hour left is replaced
Source = bytes | str | Path  # a file's content, or where it is


class Inference:
    """Sessions, questions to providers, and the verification of their answers."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._sessions: dict[Address, SessionToken] = {}

    def session(self, provider: str) -> SessionToken:
        """Return a session of up to 24 hours, reused while an hour of it is left.

        Signs with the broker's signer; moves no money.
        """
        address = checksum(provider)
        token = self._sessions.get(address)
        if token is None or token.expires_at_ms - _now_ms() < RENEW_BEFORE_MS:
            token = self._signed(address, EPHEMERAL_TOKEN_ID, MAX_EPHEMERAL)
            self._sessions[address] = token
        return token

    def api_key(
        self, provider: str, token_id: int, lifetime: timedelta | None = None
    ) -> SessionToken:
        """Return a new API key with the id `token_id` (0..254); None lives for ever.

        Keep note of the ids you use: two keys of one id are revoked together.
        """
        return self._signed(checksum(provider), token_id, lifetime)

    def revoke_all(self, provider: str) -> Receipt:
        """Revoke every key and session with `provider`, by one transaction."""
        chain = self._broker.chain
        call = self._broker.calls.revoke_all_tokens(provider)
        receipt = chain.wait(chain.send(call, self._broker.required_signer()))
        self._sessions.pop(checksum(provider), None)
        return receipt

    def chat(
        self,
        provider: str,
        messages: Sequence[Mapping[str, Any]],
        *,
        model: str = "",
        api_key: str = "",
        **parameters: Any,
    ) -> Answer:
        """Ask `provider` and return the answer with its fee and verdict.

        `parameters` are OpenAI's (temperature, max_tokens, ...). The provider bills the answer to
        the sub-account. Raises ProviderError subclasses, ServiceMissing, ModelNotServed.
        """
        client = self._broker.provider(provider)
        chosen = _served_model(client.service, "chatbot", model)
        body = chat_body(chosen, messages, stream=False, **parameters)
        with self._key(client.service.provider, api_key) as key:
            reply = client.chat(key, body)
        return priced_answer(client, chosen, reply, streamed=False)

    def stream(
        self,
        provider: str,
        messages: Sequence[Mapping[str, Any]],
        *,
        model: str = "",
        api_key: str = "",
        **parameters: Any,
    ) -> AnswerStream:
        """Ask `provider` and give the answer's text as it arrives; else as `chat`."""
        client = self._broker.provider(provider)
        chosen = _served_model(client.service, "chatbot", model)
        body = chat_body(chosen, messages, stream=True, **parameters)
        stack = ExitStack()
        with self._key(client.service.provider, api_key) as key:
            reading = stack.enter_context(client.stream(key, body))
        return AnswerStream(
            reading, lambda reply: priced_answer(client, chosen, reply, streamed=True), stack
        )

    def images(
        self,
        provider: str,
        prompt: str,
        *,
        n: int = 1,
        size: str = "",
        response_format: str = "b64_json",
        model: str = "",
        api_key: str = "",
        **parameters: Any,
    ) -> ImageAnswer:
        """Have `n` pictures made of `prompt`; `size` is written like "512x512".

        With `response_format` "url" the pictures are fetched from the provider, and only from it.
        `parameters` are OpenAI's. Each picture is billed. Raises like `chat`, and MalformedReply
        where what came is no picture.
        """
        client = self._broker.provider(provider)
        chosen = _served_model(client.service, "text-to-image", model)
        choices = {"n": _whole(n), "size": size, "response_format": response_format}
        body = image_body(chosen, prompt, **choices, **parameters)
        with self._key(client.service.provider, api_key) as key:
            reply = client.images(key, body)
        return priced_images(client, chosen, reply, billed=n)

    def edit_image(
        self,
        provider: str,
        image: Source,
        prompt: str,
        *,
        size: str = "",
        response_format: str = "b64_json",
        model: str = "",
        api_key: str = "",
        **parameters: str,
    ) -> ImageAnswer:
        """Have the picture `image` (bytes or a path) changed as `prompt` says; else as `images`.

        Raises InvalidBody for what is not a PNG, JPEG or WebP, or is too large to send.
        """
        client = self._broker.provider(provider)
        chosen = _served_model(client.service, "image-editing", model)
        fields = {"model": chosen, "prompt": prompt, "size": size}
        fields |= {"response_format": response_format, **parameters}
        order = form(fields, "image", Upload.picture(image))
        with self._key(client.service.provider, api_key) as key:
            reply = client.edit_image(key, order)
        return priced_images(client, chosen, reply, billed=1)  # a form cannot order more (§5.1)

    def transcribe(
        self,
        provider: str,
        recording: Source,
        *,
        response_format: str = "json",
        language: str = "",
        model: str = "",
        api_key: str = "",
        **parameters: str,
    ) -> Transcript:
        """Have `recording` (bytes or a path) written down, in a form of `transcripts.FORMATS`.

        `language` is a code such as "en". Billed by length or tokens; "text" states neither, and
        is billed as one second. Raises like `chat`, and InvalidBody for what is no sound file.
        """
        client = self._broker.provider(provider)
        chosen = _served_model(client.service, "speech-to-text", model)
        wanted = require_format(response_format)
        fields = {"model": chosen, "response_format": wanted, "language": language, **parameters}
        order = form(fields, "file", Upload.recording(recording))
        with self._key(client.service.provider, api_key) as key:
            reply = client.transcribe(key, order, wanted)
        return priced_transcript(client, chosen, reply)

    def verify_response(
        self,
        provider: str,
        response_id: str,
        *,
        request_sha256: str,
        response_sha256: str,
        model: str = "",
    ) -> Verdict:
        """Fetch the signature of an answer and judge it against the bytes that were received.

        The hashes are hex sha256 of the request body sent and of the raw response body.
        """
        return check_response(
            self._broker.provider(provider),
            response_id,
            request_sha256=request_sha256,
            response_sha256=response_sha256,
            model=model,
        )

    def unsettled_fee(self, provider: str) -> int:
        """Neuron that the provider says the wallet owes and has not settled yet."""
        client = self._broker.provider(provider)
        return client.unsettled_fee(self._broker.address(), self.session(provider).api_key)

    @contextmanager
    def _key(self, provider: Address, api_key: str) -> Iterator[str]:
        """The key to send: the given one, or a session's, which is forgotten once refused."""
        if api_key:
            yield _key_for(provider, api_key)
            return
        try:
            yield self.session(provider).api_key
        except (SessionExpired, SessionRevoked, SessionInvalid):
            self._sessions.pop(provider, None)  # the next call signs a new one
            raise

    def _signed(self, provider: Address, token_id: int, lifetime: timedelta | None) -> SessionToken:
        signer = self._broker.required_signer()
        request = SessionRequest.new(
            signer.address,
            provider,
            generation=self._generation(provider),
            token_id=token_id,
            lifetime=lifetime,
        )
        return request.signed_by(signer)

    def _generation(self, provider: Address) -> int:
        try:
            return self._broker.ledger.sub_account(provider).generation
        except SubAccountMissing:
            return 0


def _key_for(provider: Address, api_key: str) -> str:
    """Check that the key is for `provider`: any other could spend with it where it is for."""
    token = SessionToken.parse(api_key)
    if token.provider != provider:
        raise InvalidToken(
            f"The API key is for the provider {token.provider}, not for {provider}.",
            advice="Use a key that was made for this provider.",
        )
    return api_key


def _served_model(service: Service, service_type: str, model: str) -> str:
    """Check the model here: five wrong names within five minutes block a user for an hour."""
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


def _whole(n: int) -> int:
    if isinstance(n, bool) or not 1 <= n <= MAX_PICTURES:
        raise InvalidBody(f"One order is for 1 to {MAX_PICTURES} pictures.")
    return n


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
