"""The whole SDK behind one object, for scripts and notebooks.

    broker = Broker(network="testnet", signer=LocalSigner.from_environment())
    broker.ledger.deposit(amounts.parse("3"))
    broker.ledger.transfer(provider, amounts.parse("1.5"))
    answer = broker.inference.chat(provider, [{"role": "user", "content": "Hello"}])
    print(answer.text, answer.fee.total, answer.verdict.outcome)

Moving money needs a signer and is done only by the methods that say so. With a ready API key,
given as `api_key`, answers need none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zgcompute import networks
from zgcompute._chain import RpcChain
from zgcompute.addresses import checksum
from zgcompute.calls import Calls
from zgcompute.chain import Chain
from zgcompute.errors import (
    ConfigurationError,
)
from zgcompute.inference import Inference
from zgcompute.model_cards import ModelCard
from zgcompute.networks import Network
from zgcompute.priced_answers import ProviderClient
from zgcompute.providers import Provider, door
from zgcompute.signers import Signer
from zgcompute.types import (
    Address,
    Ledger,
    Receipt,
    Service,
    SubAccount,
    UnsignedCall,
)

if TYPE_CHECKING:
    from zgcompute.attestation import ProviderVerdict


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

    def provider(self, provider: str | Service) -> ProviderClient:
        """Return a client for a service, or for the provider's as it is on chain now."""
        if not isinstance(provider, Service):
            provider = self.services.get(provider)
        return self._connect(provider)

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

    def models(self, provider: str | Service) -> tuple[ModelCard, ...]:
        """The models that the provider says it serves; older builds refuse, they have no list."""
        return self._broker.provider(provider).models()

    def verify(self, provider: str | Service, **options: Any) -> ProviderVerdict:
        """Fetch the provider's attestation reports and check them.

        `options` are those of `attestation.verify_provider`. What cannot be had becomes a check
        that could not be done.
        """
        from zgcompute.attestation import verify_provider

        return verify_provider(self._broker.provider(provider), **options)


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
