"""The whole SDK behind one object, for scripts and notebooks.

    broker = Broker(network="testnet", signer=LocalSigner.from_environment())
    broker.ledger.deposit(amounts.parse("3"))
    broker.ledger.transfer(provider, amounts.parse("1.5"))
    answer = broker.inference.chat(provider, [{"role": "user", "content": "Hello"}])
    print(answer.text, answer.fee.total, answer.verdict.outcome)

Moving money needs a signer and is done only by the methods that say so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from zgcompute import networks
from zgcompute._chain import RpcChain
from zgcompute.addresses import checksum
from zgcompute.answers import ChatOutcome, ChatReply
from zgcompute.bodies import chat_body
from zgcompute.calls import Calls
from zgcompute.chain import Chain
from zgcompute.checks import SignatureSource, check_response
from zgcompute.errors import (
    ConfigurationError,
    ModelNotServed,
    SessionExpired,
    SessionInvalid,
    SessionRevoked,
    SubAccountMissing,
)
from zgcompute.fees import Fee, chat_fee
from zgcompute.networks import Network
from zgcompute.providers import Provider, door
from zgcompute.session import MAX_EPHEMERAL, SessionRequest, SessionToken
from zgcompute.signers import Signer
from zgcompute.types import (
    EPHEMERAL_TOKEN_ID,
    Address,
    Ledger,
    Receipt,
    Service,
    SubAccount,
    UnsignedCall,
)
from zgcompute.verification import Verdict

RENEW_BEFORE_MS = 3_600_000  # a session with less than an hour left is replaced


class ProviderClient(SignatureSource, Protocol):
    """What the broker needs of a provider: `providers.Provider` or `testing.FakeProvider`."""

    def chat(self, api_key: str, body: bytes) -> ChatReply: ...

    def unsettled_fee(self, user: str, api_key: str) -> int: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer with its exact fee and what its signature proves."""

    text: str
    reasoning: str
    fee: Fee
    verdict: Verdict
    outcome: ChatOutcome


class Broker:
    """One network, and one wallet where a signer is given."""

    def __init__(
        self,
        network: str | Network = "testnet",
        signer: Signer | None = None,
        networks_file: str | Path | None = None,
        *,
        chain: Chain | None = None,
        connect: Callable[[Service], ProviderClient] | None = None,
    ) -> None:
        """Take a network by slug or value; `networks_file` is the TOML of `networks.load`.

        `chain` and `connect` replace the real chain and providers, for tests. Raises
        UnknownNetwork, ConfigurationError.
        """
        if isinstance(network, str):
            network = networks.get(network, networks_file)
        self.network = network
        self.signer = signer
        self.chain: Chain = chain or RpcChain(network)
        self._connect = connect or self._connect_really
        self.services = Services(self)
        self.ledger = LedgerAccess(self)
        self.inference = Inference(self)

    @property
    def calls(self) -> Calls:
        """Unsigned calls for this network's contracts, for somebody else to sign and send."""
        return Calls(self.network.chain_id, self.chain.contracts())

    def required_signer(self) -> Signer:
        """Return the signer; raises ConfigurationError where there is none."""
        if self.signer is None:
            raise ConfigurationError(
                "This needs a wallet, and no signer was given.",
                advice="Create the broker with signer=LocalSigner.from_environment().",
            )
        return self.signer

    def address(self, user: str | None = None) -> Address:
        """Return `user`, or the signer's address where None."""
        return self.required_signer().address if user is None else checksum(user)

    def provider(self, provider: str) -> ProviderClient:
        """Return a client for the provider's service as it is on chain now."""
        return self._connect(self.services.get(provider))

    def close(self) -> None:
        """Close kept connections to providers."""
        if "_door" in vars(self):
            self._door.close()

    @cached_property
    def _door(self) -> Any:
        return door(local=self.network.local)

    def _connect_really(self, service: Service) -> ProviderClient:
        return Provider(service, door=self._door)


class Services:
    """The services on offer."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def list(self, service_type: str | None = None) -> tuple[Service, ...]:
        """All registered services, or those of one type such as "chatbot".

        Also those that cannot be used now: see `Service.tee_signer_acknowledged`.
        """
        found = self._broker.chain.services()
        return tuple(s for s in found if service_type in (None, s.service_type))

    def get(self, provider: str) -> Service:
        """The service of `provider`; raises ServiceMissing."""
        return self._broker.chain.service(provider)


class LedgerAccess:
    """The wallet's money in the contracts. Amounts are neuron: use `amounts.parse("1.5")`.

    What moves money sends one transaction with the broker's signer, waits until it is mined and
    returns its receipt; it raises TransactionReverted subclasses with the contract's reason.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def get(self, user: str | None = None) -> Ledger:
        """The ledger of `user` or the signer; raises LedgerMissing."""
        return self._broker.chain.ledger(self._broker.address(user))

    def sub_account(self, provider: str, user: str | None = None) -> SubAccount:
        """What is locked with `provider`; raises SubAccountMissing."""
        return self._broker.chain.sub_account(self._broker.address(user), provider)

    def sub_accounts(self, user: str | None = None) -> tuple[SubAccount, ...]:
        """Everything that is locked with providers."""
        return self._broker.chain.sub_accounts(self._broker.address(user))

    def deposit(self, amount: int) -> Receipt:
        """Move `amount` from the wallet into its ledger, which the first deposit creates."""
        return self._send(self._broker.calls.deposit(amount))

    def transfer(self, provider: str, amount: int) -> Receipt:
        """Lock `amount` with `provider`; this also acknowledges its TEE signer."""
        return self._send(self._broker.calls.transfer(provider, amount))

    def retrieve(self, providers: Sequence[str]) -> Receipt:
        """Bring home what is unlocked at `providers` and request the rest; call twice."""
        return self._send(self._broker.calls.retrieve(providers))

    def refund(self, amount: int) -> Receipt:
        """Pay `amount` out of the ledger to the wallet."""
        return self._send(self._broker.calls.refund(amount))

    def acknowledge(self, provider: str) -> Receipt:
        """Accept the provider's TEE signer."""
        return self._send(self._broker.calls.acknowledge(provider))

    def _send(self, call: UnsignedCall) -> Receipt:
        chain = self._broker.chain
        return chain.wait(chain.send(call, self._broker.required_signer()))


class Inference:
    """Sessions, chats and their verification."""

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
        **parameters: Any,
    ) -> Answer:
        """Ask `provider` and return the answer with its fee and verdict.

        `parameters` are OpenAI's (temperature, max_tokens, ...). The provider bills the answer to
        the sub-account. Raises ProviderError subclasses, ServiceMissing, ModelNotServed.
        """
        client = self._broker.provider(provider)
        service = client.service
        chosen = _served_model(service, model)
        body = chat_body(chosen, messages, stream=False, **parameters)
        reply = self._ask(client, body)
        outcome = reply.outcome
        return Answer(
            text=reply.text,
            reasoning=reply.reasoning,
            fee=chat_fee(service, outcome.usage, reply.text, streamed=False),
            verdict=check_response(
                client,
                outcome.response_id,
                request_sha256=outcome.request_sha256,
                response_sha256=outcome.response_sha256,
                model=chosen,
            ),
            outcome=outcome,
        )

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

    def _ask(self, client: ProviderClient, body: bytes) -> ChatReply:
        provider = client.service.provider
        try:
            return client.chat(self.session(provider).api_key, body)
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


def _served_model(service: Service, model: str) -> str:
    """Check the model here: five wrong names within five minutes block a user for an hour."""
    if model and model != service.model and not service.info.multi_model:
        raise ModelNotServed(f"This provider serves {service.model!r}, not {model!r}.")
    return model or service.model


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
