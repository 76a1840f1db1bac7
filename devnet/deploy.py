"""Put the contracts and the providers' services onto the devnet's chain.

Everything here can be repeated: what is already as it should be is left alone, and a deployment
that was cut off is carried on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from devnet import accounts
from devnet.node import Node
from zgcompute._codec import inference_interface, ledger_interface
from zgcompute.networks import DEVNET
from zgcompute.types import Address

LEDGER = DEVNET.ledger
INFERENCE = Address("0x0165878A594ca255338adfa4d48449f69242Eb8F")
FINE_TUNING = Address("0xA51c1fc2f0D1a1b8494Ed1FE312d7C3a78Ed91C0")
LOCK_TIME = 24 * 60 * 60  # seconds that a refund waits
STAKE = 100 * 10**18  # InferenceServing.MIN_PROVIDER_STAKE

_ARTIFACTS = Path(__file__).resolve().parent / "artifacts"


class DeploymentImpossible(Exception):
    """The chain is another one than the devnet's, or its deployer did something else before."""


@dataclass(frozen=True, slots=True)
class ServiceOffer:
    """What one provider registers; prices are neuron per unit of the service type."""

    provider: Address
    service_type: str
    url: str
    model: str
    verifiability: str
    input_price: int
    output_price: int
    additional_info: str
    tee_signer: Address
    acknowledged: bool = True

    @property
    def parameters(self) -> tuple[str, str, str, str, int, int, str, str]:
        """The contract's struct ServiceParams."""
        return (
            self.service_type,
            self.url,
            self.model,
            self.verifiability,
            self.input_price,
            self.output_price,
            self.additional_info,
            self.tee_signer,
        )


@dataclass(frozen=True, slots=True)
class _Creation:
    """A contract that lands at `address` when the deployer creates it with this `nonce`."""

    nonce: int
    address: Address
    contract: str
    arguments: tuple[Any, ...]
    service_type: str = ""


def deploy(rpc_url: str) -> None:
    """Create and register the contracts at the addresses that clients expect of chain id 31337.

    Fine-tuning is a second serving contract in which nobody offers anything, so that a client that
    asks for it is answered with empty lists. Raises DeploymentImpossible.
    """
    node = Node(rpc_url)
    if int(node.call("eth_chainId"), 16) != DEVNET.chain_id:
        raise DeploymentImpossible(f"{rpc_url} serves another chain than {DEVNET.chain_id}.")
    for creation in _creations():
        if not node.has_code(creation.address):
            _create(node, creation)
        if creation.service_type:
            _register(node, creation)


def register_services(rpc_url: str, offers: Sequence[ServiceOffer]) -> None:
    """Register or update each provider's service, and let the owner acknowledge its signer."""
    node = Node(rpc_url)
    for offer in offers:
        if not _is_registered(node, offer):
            _put_service(node, offer)
        if _service(node, offer.provider)["teeSignerAcknowledged"] != offer.acknowledged:
            _acknowledge(node, offer)


def _creations() -> tuple[_Creation, ...]:
    owner = _deployer()
    serving = (LOCK_TIME, LEDGER, owner)
    return (
        _Creation(2, LEDGER, "LedgerManager", (owner,)),
        _Creation(6, INFERENCE, "InferenceServing", serving, "inference"),
        _Creation(12, FINE_TUNING, "InferenceServing", serving, "fine-tuning"),
    )


def _create(node: Node, creation: _Creation) -> None:
    deployer = _deployer()
    sent = node.transaction_count(deployer)
    if sent > creation.nonce:
        raise DeploymentImpossible(
            f"{creation.contract} cannot be placed at {creation.address}: the deployer has sent "
            f"{sent} transactions already. Start with a fresh chain."
        )
    for _ in range(sent, creation.nonce):
        node.send(deployer, deployer)
    receipt = node.send(deployer, None, creation_code(creation.contract, *creation.arguments))
    if receipt["contractAddress"].lower() != creation.address.lower():
        raise DeploymentImpossible(f"{creation.contract} landed at {receipt['contractAddress']}.")


def creation_code(contract: str, *arguments: Any) -> str:
    """Return the data of the transaction that creates `contract`, as 0x text."""
    from eth_abi.abi import encode

    artifact = _artifact(contract)
    inputs = next(entry["inputs"] for entry in artifact["abi"] if entry["type"] == "constructor")
    encoded = encode([parameter["type"] for parameter in inputs], arguments)
    return str(artifact["bytecode"]) + encoded.hex()


def _register(node: Node, creation: _Creation) -> None:
    kind, version, ledger = creation.service_type, "v1.0", ledger_interface()
    named = ledger.encode("getServiceAddressByName", f"{kind}-{version}")
    if int.from_bytes(node.read(LEDGER, named)) == 0:
        description = f"{kind} of the devnet"
        register = ledger.encode("registerService", kind, version, creation.address, description)
        node.send(_deployer(), LEDGER, register)
    recommended = ledger.encode("isRecommendedVersion", kind, version)
    if int.from_bytes(node.read(LEDGER, recommended)) == 0:
        node.send(_deployer(), LEDGER, ledger.encode("setRecommendedService", kind, version))


def _is_registered(node: Node, offer: ServiceOffer) -> bool:
    if not _exists(node, offer.provider):
        return False
    service = _service(node, offer.provider)
    return offer.parameters == (
        service["serviceType"],
        service["url"],
        service["model"],
        service["verifiability"],
        service["inputPrice"],
        service["outputPrice"],
        service["additionalInfo"],
        service["teeSignerAddress"],
    )


def _put_service(node: Node, offer: ServiceOffer) -> None:
    stake = 0 if _exists(node, offer.provider) else STAKE
    put = inference_interface().encode("addOrUpdateService", offer.parameters)
    node.send(offer.provider, INFERENCE, put, stake)


def _acknowledge(node: Node, offer: ServiceOffer) -> None:
    function = (
        "acknowledgeTEESignerByOwner" if offer.acknowledged else "revokeTEESignerAcknowledgement"
    )
    node.send(_deployer(), INFERENCE, inference_interface().encode(function, offer.provider))


def _exists(node: Node, provider: Address) -> bool:
    exists = inference_interface().encode("serviceExists", provider)
    return int.from_bytes(node.read(INFERENCE, exists)) == 1


def _service(node: Node, provider: Address) -> dict[str, Any]:
    interface = inference_interface()
    answer = node.read(INFERENCE, interface.encode("getService", provider))
    service: dict[str, Any] = interface.decode_result("getService", answer)[0]
    return service


def _deployer() -> Address:
    return accounts.account(accounts.DEPLOYER).address


@cache
def _artifact(contract: str) -> dict[str, Any]:
    artifact: dict[str, Any] = json.loads((_ARTIFACTS / f"{contract}.json").read_text("utf-8"))
    return artifact
