"""Letting a wallet in: a nonce for one use, a message, and the proof that the address signed it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as Overdue
from datetime import datetime
from typing import TYPE_CHECKING

from accounts.models import Nonce, Wallet
from accounts.signin import LIFETIME, SignInMessage, SignInRefused, new_nonce
from zgcompute.addresses import checksum, same
from zgcompute.errors import ChainError, InvalidToken, SignatureMismatch
from zgcompute.session import recover_message_signer
from zgcompute.types import Address

if TYPE_CHECKING:
    from zgcompute.chain import Chain

STATEMENT = (
    "Sign in to 0G Compute. This only proves that the address is yours: "
    "nothing is sent and nothing is paid."
)
CONTRACT_CHECK_SECONDS = 4  # sign-in waits no longer for a contract wallet's answer
MAX_SIGNATURE_BYTES = 4096

_asking = ThreadPoolExecutor(max_workers=4, thread_name_prefix="contract-wallet")


def invite(address: str, *, domain: str, uri: str, chain_id: int, now: datetime) -> SignInMessage:
    """Return the message that `address` has to sign, with a nonce of its own."""
    signer, nonce = checksum(address), new_nonce()
    Nonce.objects.filter(issued_at__lt=now - LIFETIME).delete()
    Nonce.objects.create(value=nonce, issued_at=now)
    return SignInMessage(
        domain=domain,
        address=signer,
        statement=STATEMENT,
        uri=uri,
        chain_id=chain_id,
        nonce=nonce,
        issued_at=now.replace(microsecond=0),
        expires_at=now.replace(microsecond=0) + LIFETIME,
    )


def admit(
    text: str,
    signature: str,
    *,
    domain: str,
    scheme: str,
    chain_id: int,
    now: datetime,
    chain: Callable[[], Chain],
) -> Wallet:
    """Return the wallet that signed `text`; its nonce is used up, whatever the outcome.

    `chain` is asked only where the signature is not that of the address's own key: the address
    may be a contract wallet (EIP-1271). Raises SignInRefused.
    """
    message = SignInMessage.parse(text)
    message.check(domain=domain, scheme=scheme, chain_id=chain_id, now=now)
    _use_up(message.nonce, now)
    by_key = _signed_by_key(message.address, text.encode(), signature)
    if not by_key and not _signed_by_contract(message.address, text.encode(), signature, chain):
        raise SignInRefused(
            f"The signature is not that of {message.address}.",
            advice="Sign with the account that the message names.",
        )
    return Wallet.objects.signed_in(message.address)


def _use_up(nonce: str, now: datetime) -> None:
    deleted, _ = Nonce.objects.filter(value=nonce, issued_at__gt=now - LIFETIME).delete()
    if not deleted:
        raise SignInRefused("This sign-in message was used already, or was not issued here.")


def _signed_by_key(address: Address, message: bytes, signature: str) -> bool:
    try:
        return same(recover_message_signer(message, signature), address)
    except (InvalidToken, SignatureMismatch):
        return False


def _signed_by_contract(
    address: Address, message: bytes, signature: str, chain: Callable[[], Chain]
) -> bool:
    blob, digest = _bytes(signature), _personal_digest(message)
    asked = _asking.submit(lambda: chain().is_valid_signature(address, digest, blob))
    try:
        return asked.result(timeout=CONTRACT_CHECK_SECONDS)
    except (Overdue, ChainError) as error:
        raise SignInRefused(
            "The signature is not of this address's own key, and the chain cannot be asked now "
            "whether a contract wallet made it.",
            advice="Try again in a moment.",
        ) from error


def _bytes(signature: str) -> bytes:
    try:
        blob = bytes.fromhex(signature.removeprefix("0x"))
    except ValueError:
        raise SignInRefused("The signature is not hexadecimal text.") from None
    if not 0 < len(blob) <= MAX_SIGNATURE_BYTES:
        raise SignInRefused("The signature has an impossible length.")
    return blob


def _personal_digest(message: bytes) -> bytes:
    """The hash that a contract wallet is asked about: that of personal_sign (EIP-191)."""
    from eth_utils.crypto import keccak

    return bytes(keccak(b"\x19Ethereum Signed Message:\n%d%b" % (len(message), message)))
