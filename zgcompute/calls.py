"""Unsigned calls of the two contracts, for somebody else to sign and send (pure).

Everything is checked for type and range before it is encoded; the contracts' own rules (minimums,
balances) are for the chain to judge: see `Chain.simulate`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zgcompute import amounts
from zgcompute._codec import decode_parameters, inference_interface, ledger_interface
from zgcompute.addresses import checksum
from zgcompute.amounts import Neuron
from zgcompute.errors import AmountError, ChainError, InvalidAddress, InvalidToken
from zgcompute.types import ZERO_ADDRESS, Address, Contracts, Service, UnsignedCall

NOTHING = Neuron(0)
MAX_API_KEY_ID = 254  # PROTOCOL: 255 is the ephemeral session, which cannot be revoked alone


class Calls:
    """Builds UnsignedCall values for one network's contracts."""

    def __init__(self, chain_id: int, contracts: Contracts) -> None:
        self.chain_id = chain_id
        self.contracts = contracts

    def deposit(self, amount: int) -> UnsignedCall:
        """Put `amount` neuron of the wallet into its ledger (LedgerManager.depositFund)."""
        return self._ledger("depositFund", value=_positive(amount))

    def deposit_for(self, recipient: str, amount: int) -> UnsignedCall:
        """Put `amount` neuron into somebody else's ledger (LedgerManager.depositFundFor)."""
        arguments = {"recipient": _address(recipient)}
        return self._ledger("depositFundFor", value=_positive(amount), **arguments)

    def add_ledger(self, amount: int, additional_info: str = "") -> UnsignedCall:
        """Create the wallet's ledger with `amount` neuron (LedgerManager.addLedger)."""
        return self._ledger("addLedger", value=_positive(amount), additionalInfo=additional_info)

    def transfer(self, provider: str, amount: int) -> UnsignedCall:
        """Lock `amount` neuron of the ledger with `provider` (LedgerManager.transferFund).

        Also acknowledges the provider's TEE signer, and cancels pending refunds first.
        """
        return self._ledger(
            "transferFund",
            provider=_address(provider),
            serviceName=self.contracts.service_name,
            amount=_positive(amount),
        )

    def retrieve(self, providers: Sequence[str]) -> UnsignedCall:
        """Pay out unlocked refunds of `providers`, request the rest (LedgerManager.retrieveFund).

        Money comes home with the second call, one lock time after the first.
        """
        return self._ledger(
            "retrieveFund",
            providers=_addresses(providers),
            serviceName=self.contracts.service_name,
        )

    def refund(self, amount: int) -> UnsignedCall:
        """Pay `amount` neuron of the ledger out to the wallet (LedgerManager.refund)."""
        return self._ledger("refund", amount=_positive(amount))

    def delete_ledger(self) -> UnsignedCall:
        """Delete the empty ledger (LedgerManager.deleteLedger)."""
        return self._ledger("deleteLedger")

    def acknowledge(self, provider: str, acknowledged: bool = True) -> UnsignedCall:
        """Accept the provider's TEE signer, or not (InferenceServing.acknowledgeTEESigner)."""
        return self._inference(
            "acknowledgeTEESigner", provider=_address(provider), acknowledged=bool(acknowledged)
        )

    def revoke_token(self, provider: str, token_id: int) -> UnsignedCall:
        """Revoke one API key, id 0..254 (InferenceServing.revokeToken)."""
        return self._inference(
            "revokeToken", provider=_address(provider), tokenId=_token_id(token_id)
        )

    def revoke_tokens(self, provider: str, token_ids: Sequence[int]) -> UnsignedCall:
        """Revoke several API keys, ids 0..254 (InferenceServing.revokeTokens)."""
        if not token_ids:
            raise InvalidToken("No API key to revoke was named.")
        ids = tuple(sorted({_token_id(token_id) for token_id in token_ids}))
        return self._inference("revokeTokens", provider=_address(provider), tokenIds=ids)

    def revoke_all_tokens(self, provider: str) -> UnsignedCall:
        """Revoke every key and running session (InferenceServing.revokeAllTokens)."""
        return self._inference("revokeAllTokens", provider=_address(provider))

    def update_service(self, service: Service) -> UnsignedCall:
        """Change the sender's own service to `service` (InferenceServing.addOrUpdateService).

        Sends no stake, so the contract refuses it where there is no service yet. Another service
        type, model, verifiability, signer or additional information ends the acknowledgement of
        the TEE signer by the contract's owner.
        """
        params = (
            service.service_type,
            service.url,
            service.model,
            service.verifiability,
            service.input_price,
            service.output_price,
            service.additional_info,
            _address(service.tee_signer),
        )
        return self._inference("addOrUpdateService", params=params)

    def remove_service(self) -> UnsignedCall:
        """Withdraw the sender's own service, for its stake (InferenceServing.removeService)."""
        return self._inference("removeService")

    def _ledger(self, function: str, *, value: Neuron = NOTHING, **arguments: Any) -> UnsignedCall:
        return UnsignedCall(
            chain_id=self.chain_id,
            to=self.contracts.ledger,
            data=ledger_interface().encode(function, *arguments.values()),
            value=value,
            function=function,
            arguments=arguments,
        )

    def _inference(self, function: str, **arguments: Any) -> UnsignedCall:
        return UnsignedCall(
            chain_id=self.chain_id,
            to=self.contracts.inference,
            data=inference_interface().encode(function, *arguments.values()),
            value=NOTHING,
            function=function,
            arguments=arguments,
        )


def arguments_of(call_data: str) -> Mapping[str, Any]:
    """The arguments in calldata of either contract, by their names in the ABI.

    Raises ChainError for the data of no function that they have.
    """
    encoded = bytes.fromhex(call_data.removeprefix("0x"))
    for interface in (ledger_interface(), inference_interface()):
        for entry in interface.functions.values():
            if entry.topic[:4] == encoded[:4]:
                return decode_parameters(entry.inputs, encoded[4:], entry.name)
    raise ChainError("That is no call of these contracts.")


def _positive(amount: int) -> Neuron:
    if not isinstance(amount, int) or isinstance(amount, bool):
        raise AmountError("An amount is a whole number of neuron.")
    if amount <= 0:
        raise AmountError("The amount must be above zero.", advice="Choose another amount.")
    if amount > amounts.MAX_NEURON:
        raise AmountError("The amount is larger than any balance can be.", advice="Check it.")
    return Neuron(amount)


def _address(text: str) -> Address:
    address = checksum(text)
    if address == ZERO_ADDRESS:
        raise InvalidAddress("The zero address belongs to nobody.")
    return address


def _addresses(providers: Sequence[str]) -> tuple[Address, ...]:
    found = tuple(dict.fromkeys(_address(provider) for provider in providers))
    if isinstance(providers, str) or not found:
        raise InvalidAddress("No provider was named.", advice="Choose at least one provider.")
    return found


def _token_id(token_id: int) -> int:
    if not isinstance(token_id, int) or isinstance(token_id, bool):
        raise InvalidToken("The id of an API key is a whole number.")
    if not 0 <= token_id <= MAX_API_KEY_ID:
        raise InvalidToken(
            f"{token_id} is not the id of an API key.",
            advice="Ids go from 0 to 254; a session can only be revoked together with all keys.",
        )
    return token_id
