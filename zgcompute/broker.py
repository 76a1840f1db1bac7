"""The whole SDK behind one object, for scripts and notebooks.

    broker = Broker(network="testnet", signer=LocalSigner.from_environment())
    broker.ledger.deposit(amounts.parse("3"))
    broker.ledger.transfer(provider, amounts.parse("1.5"))
    answer = broker.inference.chat(provider, [{"role": "user", "content": "Hello"}])
    print(answer.text, answer.fee.total.og, answer.verdict.outcome)

Moving money needs a signer and is done only by the methods that say so: reading never moves any.
With a ready API key, given as `api_key`, answers need none. `AsyncBroker` is the same in an event
loop.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from zgcompute import networks
from zgcompute._chain import RpcChain
from zgcompute.addresses import checksum
from zgcompute.calls import Calls
from zgcompute.catalog import Services
from zgcompute.chain import Chain
from zgcompute.errors import ConfigurationError
from zgcompute.ledger import LedgerAccess
from zgcompute.networks import Network
from zgcompute.signers import Signer, as_signer
from zgcompute.types import Address, Receipt, Service, UnsignedCall

if TYPE_CHECKING:
    import openai

    from zgcompute._clients import ProviderClient
    from zgcompute.inference import Inference


class Broker:
    """One network, and one wallet where a signer is given."""

    def __init__(
        self,
        network: str | Network = "testnet",
        signer: object | None = None,
        networks_file: str | Path | None = None,
        *,
        chain: Chain | None = None,
        connect: Callable[[Service], ProviderClient] | None = None,
        gas_price: int | None = None,
    ) -> None:
        """Take a network by slug or value; `networks_file` is the TOML of `networks.load`.

        Without a `signer` the broker only reads; one is whatever `as_signer` takes. `chain` and
        `connect` replace the real chain and providers, for tests. `gas_price` is neuron for a unit
        of gas, otherwise as the node says. Raises UnknownNetwork, ConfigurationError.
        """
        if isinstance(network, str):
            network = networks.get(network, networks_file)
        self.network = network
        self.signer: Signer | None = None if signer is None else as_signer(signer)
        self.chain: Chain = chain or RpcChain(network)
        self.gas_price = gas_price
        self._connect = connect or self._connect_really
        self.services = Services(self)
        self.ledger = LedgerAccess(self)

    @property
    def calls(self) -> Calls:
        """Unsigned calls for this network's contracts, for somebody else to sign and send."""
        return Calls(self.network.chain_id, self.chain.contracts())

    @cached_property
    def inference(self) -> Inference:
        """Answers of providers; loaded on first use, like everything that speaks to them."""
        from zgcompute.inference import Inference

        return Inference(self)

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

    def send(self, call: UnsignedCall) -> Receipt:
        """Sign and send `call`, and wait until it is mined; raises like `Chain.send` and `wait`."""
        signer = self.required_signer()
        return self.chain.wait(self.chain.send(call, signer, gas_price=self.gas_price))

    def openai(self, provider: str | Service, **options: Any) -> openai.OpenAI:
        """Return a client of the `openai` package for `provider`, with sessions that renew.

        `options` are those of openai.OpenAI. It repeats no request unless `max_retries` says so:
        each may be billed. A session that the provider refused is replaced for the next request,
        unless `options` bring an `http_client`. It checks no signatures. Raises ConfigurationError
        where the package is missing, DestinationRefused, InvalidToken for another provider's
        `api_key`.
        """
        from zgcompute._openai import client

        service = provider if isinstance(provider, Service) else self.services.get(provider)
        return client(self.network, service, self.inference, **options)

    def close(self) -> None:
        """Close kept connections to providers; also at the end of a `with` block."""
        if "_door" in vars(self):
            self._door.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Broker({self.network.slug}, {self.signer or 'read-only'})"

    @cached_property
    def _door(self) -> Any:
        from zgcompute.providers import door

        return door(local=self.network.local)

    def _connect_really(self, service: Service) -> ProviderClient:
        from zgcompute.providers import Provider

        return Provider(service, door=self._door)
