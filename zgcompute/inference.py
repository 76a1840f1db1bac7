"""Asking a provider: every answer with its exact fee and what its signature proves.

Either the broker's signer signs a session for it, or the caller brings a ready API key as
`api_key` and no signer is needed. A provider is named by its address, or given as the Service that
was read before, which saves reading it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from zgcompute import _orders
from zgcompute._clients import ProviderClient
from zgcompute._orders import Source, require_key_for
from zgcompute._sessions import Sessions
from zgcompute.addresses import checksum
from zgcompute.amounts import Neuron
from zgcompute.answer_streams import AnswerStream
from zgcompute.answers import ChatReply
from zgcompute.checks import check_response
from zgcompute.errors import SessionExpired, SessionInvalid, SessionRevoked, SubAccountMissing
from zgcompute.priced_answers import Answer, ImageAnswer, Origin, Transcript, check
from zgcompute.session import MAX_EPHEMERAL, SessionRequest, SessionToken
from zgcompute.types import EPHEMERAL_TOKEN_ID, Address, Receipt, Service
from zgcompute.verification import Verdict

if TYPE_CHECKING:
    from zgcompute.broker import Broker

REFUSED_SESSION = (SessionExpired, SessionRevoked, SessionInvalid)


class Inference:
    """Sessions, questions to providers, and the verification of their answers."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.sessions = Sessions()

    def session(self, provider: str | Service) -> SessionToken:
        """Return a session of up to 24 hours, reused while an hour of it is left.

        Signs with the broker's signer; moves no money.
        """
        address = address_of(provider)
        with self.sessions.signing(address):
            return self.sessions.usable(address) or self.sessions.keep(
                self._signed(address, EPHEMERAL_TOKEN_ID, MAX_EPHEMERAL)
            )

    def api_key(
        self, provider: str | Service, token_id: int, lifetime: timedelta | None = None
    ) -> SessionToken:
        """Return a new API key with the id `token_id` (0..254); None lives for ever.

        Keep note of the ids you use: two keys of one id are revoked together.
        """
        return self._signed(address_of(provider), token_id, lifetime)

    def revoke(self, provider: str | Service, *token_ids: int) -> Receipt:
        """Revoke the API keys with these ids, by one transaction (revokeToken, revokeTokens)."""
        return self._broker.send(
            self._broker.calls.revoke_tokens(address_of(provider), token_ids)
            if len(token_ids) != 1
            else self._broker.calls.revoke_token(address_of(provider), token_ids[0])
        )

    def revoke_all(self, provider: str | Service) -> Receipt:
        """Revoke every key and session with `provider`, by one transaction (revokeAllTokens)."""
        receipt = self._broker.send(self._broker.calls.revoke_all_tokens(address_of(provider)))
        self.sessions.forget(address_of(provider))
        return receipt

    def chat(
        self,
        provider: str | Service,
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
        order = _orders.chat(
            client.service, messages, model=model, stream=False, parameters=parameters
        )
        with self._key(client.service.provider, api_key) as key:
            reply = client.chat(key, order.body)
        return self._answer(client, order.model, reply, streamed=False)

    def stream(
        self,
        provider: str | Service,
        messages: Sequence[Mapping[str, Any]],
        *,
        model: str = "",
        api_key: str = "",
        **parameters: Any,
    ) -> AnswerStream:
        """Ask `provider` and give the answer's text as it arrives; else as `chat`."""
        client = self._broker.provider(provider)
        order = _orders.chat(
            client.service, messages, model=model, stream=True, parameters=parameters
        )
        stack = ExitStack()
        with self._key(client.service.provider, api_key) as key:
            reading = stack.enter_context(client.stream(key, order.body))
        return AnswerStream(
            reading, lambda reply: self._answer(client, order.model, reply, streamed=True), stack
        )

    def images(
        self,
        provider: str | Service,
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
        choices = {"size": size, "response_format": response_format, **parameters}
        order = _orders.images(client.service, prompt, n=n, model=model, parameters=choices)
        with self._key(client.service.provider, api_key) as key:
            reply = client.images(key, order.body)
        verdict, origin = check(client, reply, order.model), self._origin(client, order.model)
        return ImageAnswer.of(reply, verdict, origin, billed=order.billed)

    def edit(
        self,
        provider: str | Service,
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
        choices = {"size": size, "response_format": response_format, **parameters}
        order = _orders.edit(client.service, image, prompt, model=model, parameters=choices)
        with self._key(client.service.provider, api_key) as key:
            reply = client.edit_image(key, order.form)
        verdict, origin = check(client, reply, order.model), self._origin(client, order.model)
        return ImageAnswer.of(reply, verdict, origin, billed=order.billed)

    def transcribe(
        self,
        provider: str | Service,
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
        choices = {"response_format": response_format, "language": language, **parameters}
        order = _orders.transcription(client.service, recording, model=model, parameters=choices)
        with self._key(client.service.provider, api_key) as key:
            reply = client.transcribe(key, order.form, response_format)
        verdict, origin = check(client, reply, order.model), self._origin(client, order.model)
        return Transcript.of(reply, verdict, origin)

    def verify_response(
        self,
        provider: str | Service,
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

    def unsettled_fee(self, provider: str | Service) -> Neuron:
        """Neuron that the provider says the wallet owes and has not settled yet."""
        client = self._broker.provider(provider)
        return client.unsettled_fee(self._broker.address(), self.session(provider).api_key)

    @contextmanager
    def _key(self, provider: Address, api_key: str) -> Iterator[str]:
        """The key to send: the given one, or a session's, which is forgotten once refused."""
        if api_key:
            yield require_key_for(provider, api_key)
            return
        key = self.session(provider).api_key
        try:
            yield key
        except REFUSED_SESSION:
            self.sessions.forget(provider, key)  # the next call signs a new one
            raise

    def _answer(
        self, client: ProviderClient, model: str, reply: ChatReply, *, streamed: bool
    ) -> Answer:
        verdict = check(client, reply.outcome, model)
        return Answer.of(reply, verdict, self._origin(client, model), streamed=streamed)

    def _origin(self, client: ProviderClient, model: str) -> Origin:
        return Origin.of(self._broker.network, client, model)

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


def address_of(provider: str | Service) -> Address:
    """The address that names `provider`, checksummed."""
    return provider.provider if isinstance(provider, Service) else checksum(provider)
