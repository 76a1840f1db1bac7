"""Mirroring wallets: balance, ledger, sub-accounts and refunds in one read for many people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Protocol

from django.db import transaction
from django.utils import timezone

from accounts import sessions
from accounts.models import Ledger, Refund, SubAccount, Wallet
from marketplace.models import NetworkState, Service
from zgcompute import types
from zgcompute.chain import Chain
from zgcompute.errors import ChainError, Error
from zgcompute.networks import Network
from zgcompute.providers import Provider

ACTIVE = timedelta(minutes=15)
_OVERTAKING = timedelta(seconds=20)  # longer than a read takes, shorter than a new chain's start
_ASKED_AT_ONCE = 8  # providers asked for unsettled fees at the same time


def active_wallets() -> list[Wallet]:
    """The wallets whose people were here lately."""
    return list(Wallet.objects.filter(seen_at__gt=timezone.now() - ACTIVE))


def refresh(chain: Chain, network: Network, wallets: Iterable[Wallet]) -> None:
    """Mirror `wallets`, then ask their providers what is unsettled. Raises as `mirror` does."""
    chosen = list(wallets)
    mirror(chain, network, chosen)
    refresh_unsettled(network, chosen, lambda service: Provider(service, local=network.local))


def mirror(chain: Chain, network: Network, wallets: Iterable[Wallet]) -> None:
    """Read `wallets` from the chain, all at one height, and write what it says.

    Where the chain cannot be read, the reason is noted on each ledger and the error raised.
    """
    chosen = {wallet.address: wallet for wallet in wallets}
    if not chosen:
        return
    try:
        states = chain.wallets(list(chosen))
    except ChainError as error:
        _note_problem(network, chosen.values(), error)
        raise
    lock_time = timedelta(seconds=NetworkState.of(network.slug).lock_time or 0)
    for address, wallet in chosen.items():
        _write(wallet, network, states[types.Address(address)], lock_time)


def rewind(wallet: Wallet, network: str) -> None:
    """Let the next read count although it may be of an earlier block: the chain was replaced."""
    Ledger.objects.filter(wallet=wallet, network=network).update(block_number=None)


class Teller(Protocol):
    """What is asked of a provider here."""

    def unsettled_fee(self, user: str, api_key: str) -> int:
        """Neuron of `user`'s fees that it has not settled yet."""


def refresh_unsettled(
    network: Network, wallets: Sequence[Wallet], reach: Callable[[types.Service], Teller]
) -> None:
    """Ask each provider that has a running session of these wallets what it has not settled.

    One that does not answer is noted on its row and keeps nobody waiting.
    """
    with ThreadPoolExecutor(max_workers=_ASKED_AT_ONCE) as pool:
        asked = [
            (row, pool.submit(reach(service).unsettled_fee, user, api_key))
            for row, service, user, api_key in _askable(network, wallets)
        ]
        for row, answer in asked:
            try:
                _note_unsettled(row, answer.result(), "")
            except Error as error:
                _note_unsettled(row, row.unsettled, str(error))


def _askable(
    network: Network, wallets: Sequence[Wallet]
) -> list[tuple[SubAccount, types.Service, str, str]]:
    services = {row.provider: row.snapshot() for row in Service.objects.on(network.slug).listed()}
    rows = SubAccount.objects.filter(wallet__in=wallets, network=network.slug)
    found = []
    for row in rows.select_related("wallet"):
        api_key = sessions.api_key_for(row.wallet, network.slug, row.provider)
        if api_key and row.provider in services:
            found.append((row, services[row.provider], row.wallet.address, api_key))
    return found


def _note_unsettled(row: SubAccount, unsettled: int | None, problem: str) -> None:
    when = row.unsettled_at if problem else timezone.now()
    SubAccount.objects.filter(pk=row.pk).update(
        unsettled=unsettled, unsettled_at=when, unsettled_problem=problem[:300]
    )


def _note_problem(network: Network, wallets: Iterable[Wallet], error: ChainError) -> None:
    for wallet in wallets:
        Ledger.objects.update_or_create(
            wallet=wallet, network=network.slug, defaults={"problem": str(error)[:500]}
        )


@transaction.atomic
def _write(
    wallet: Wallet, network: Network, state: types.WalletState, lock_time: timedelta
) -> None:
    ledger = state.ledger
    if _is_overtaken(wallet, network, state):
        return
    Ledger.objects.update_or_create(
        wallet=wallet,
        network=network.slug,
        defaults={
            "wallet_balance": state.balance,
            "exists": ledger is not None,
            "available": ledger.available if ledger else 0,
            "total": ledger.total if ledger else 0,
            "block_number": state.block_number,
            "refreshed_at": timezone.now(),
            "problem": "",
        },
    )
    kept = [_write_sub_account(wallet, network, found, lock_time) for found in state.sub_accounts]
    gone = SubAccount.objects.filter(wallet=wallet, network=network.slug)
    gone.exclude(pk__in=[row.pk for row in kept]).delete()
    sessions.forget_revoked(wallet, network.slug, {row.provider: row.generation for row in kept})


def _is_overtaken(wallet: Wallet, network: Network, state: types.WalletState) -> bool:
    """A read that was slower than another one of a later block would turn the mirror back."""
    later = Ledger.objects.filter(
        wallet=wallet,
        network=network.slug,
        block_number__gt=state.block_number,
        refreshed_at__gt=timezone.now() - _OVERTAKING,
    )
    return later.exists()


def _write_sub_account(
    wallet: Wallet, network: Network, found: types.SubAccount, lock_time: timedelta
) -> SubAccount:
    row, _ = SubAccount.objects.update_or_create(
        wallet=wallet,
        network=network.slug,
        provider=found.provider,
        defaults={
            "balance": found.balance,
            "pending_refund": found.pending_refund,
            "nonce": found.nonce,
            "acknowledged": found.acknowledged,
            "generation": found.generation,
            "revoked_bitmap": found.revoked_bitmap,
            "refreshed_at": timezone.now(),
        },
    )
    row.refunds.all().delete()
    Refund.objects.bulk_create(
        _refund(row, refund, lock_time) for refund in found.refunds if not refund.processed
    )
    return row


def _refund(row: SubAccount, refund: types.Refund, lock_time: timedelta) -> Refund:
    created = datetime.fromtimestamp(refund.created_at, tz=UTC)
    return Refund(
        sub_account=row,
        index=refund.index,
        amount=refund.amount,
        created_at=created,
        payable_at=created + lock_time,
    )
