"""Who plays in these tests: Alice has funds, Bob has little, Mallory is a stranger."""

from __future__ import annotations

import time
from datetime import timedelta

from django.contrib.sessions.backends.db import SessionStore
from django.utils import timezone
from eth_account import Account

from accounts import refresh
from accounts.models import SignIn, Usage, Wallet
from marketplace.models import NetworkState, Service
from zgcompute.addresses import checksum
from zgcompute.amounts import parse
from zgcompute.networks import DEVNET
from zgcompute.signers import LocalSigner
from zgcompute.testing import FakeChain, fake_service

ALICE = LocalSigner("0x" + "a1" * 32)
BOB = LocalSigner("0x" + "b0" * 32)
MALLORY = LocalSigner("0x" + "ee" * 32)
SLUG = "devnet"
NETWORK = DEVNET


def zg(text: str) -> int:
    """Neuron in an amount of 0G."""
    return parse(text)


def wallet_of(signer: LocalSigner) -> Wallet:
    return Wallet.objects.signed_in(signer.address)


def make_chain() -> FakeChain:
    """A chain of this moment on which Alice has 100 0G, Bob 2 0G, and Aurora a service."""
    chain = FakeChain(NETWORK)
    chain.advance(int(time.time()) - chain.block().timestamp - 30)
    chain.endow(ALICE.address, zg("100"))
    chain.endow(BOB.address, zg("2"))
    chain.register(fake_service())
    return chain


def mirror_rules(chain: FakeChain) -> NetworkState:
    """What the marketplace's workers would have mirrored of `chain`."""
    state = NetworkState.of(SLUG)
    contracts, constants = chain.contracts(), chain.constants()
    state.ledger, state.inference = contracts.ledger, contracts.inference
    state.service_name = contracts.service_name
    state.min_account_balance = constants.min_account_balance
    state.min_transfer_amount = constants.min_transfer_amount
    state.lock_time = constants.lock_time
    state.seen_at = timezone.now()
    state.save()
    return state


def mirror_service(chain: FakeChain, provider: str) -> Service:
    found = chain.service(provider)
    return Service.objects.create(
        network=SLUG,
        provider=found.provider,
        service_type=found.service_type,
        url=found.url,
        model=found.model,
        verifiability=found.verifiability,
        input_price=found.input_price,
        output_price=found.output_price,
        additional_info=found.additional_info,
        tee_signer=found.tee_signer,
        tee_signer_acknowledged=found.tee_signer_acknowledged,
        updated_at=found.updated_at,
        first_seen_at=timezone.now(),
        seen_at=timezone.now(),
    )


def mirror(chain: FakeChain, *signers: LocalSigner) -> None:
    refresh.mirror(chain, NETWORK, [wallet_of(signer) for signer in signers])


def fund(
    chain: FakeChain, signer: LocalSigner, provider: str, deposit: str = "5", transfer: str = "2"
) -> None:
    """Deposit and transfer on chain, then mirror."""
    chain.apply(chain.calls.deposit(zg(deposit)), signer.address)
    chain.apply(chain.calls.transfer(provider, zg(transfer)), signer.address)
    mirror(chain, signer)


def use(
    signer: LocalSigner, provider: str, fee: str, *, seconds_ago: int = 60, kind: str = "chatbot"
) -> Usage:
    """A billed request of a while ago."""
    return Usage.objects.create(
        wallet=wallet_of(signer),
        network=SLUG,
        provider=provider,
        model="test-chat",
        kind=kind,
        fee=zg(fee),
        basis="usage",
        happened_at=timezone.now() - timedelta(seconds=seconds_ago),
    )


def stranger() -> str:
    """An address that nobody plays."""
    return checksum(Account.from_key("0x" + "77" * 32).address)


def browser(wallet: Wallet, device: str = "Firefox on Linux") -> SignIn:
    """Another browser in which somebody is signed in."""
    session = SessionStore()
    session.create()
    return SignIn.objects.create(wallet=wallet, session_id=session.session_key or "", device=device)
