"""Mirroring wallets: balance, ledger, sub-accounts and refunds in one read for many people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Protocol

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts import booking, events, sessions
from accounts.models import Ledger, Refund, SubAccount, Wallet
from marketplace import forks
from marketplace.models import NetworkState, Service
from zgcompute import types
from zgcompute.chain import Chain
from zgcompute.errors import ChainError, Error, ProviderTimeout, ProviderUnreachable
from zgcompute.networks import Network
from zgcompute.providers import Provider, door

_MIRRORED = (
    "wallet_balance",
    "exists",
    "available",
    "total",
    "block_number",
    "refreshed_at",
    "problem",
)
_ACCOUNT_COLUMNS = (
    "balance",
    "pending_refund",
    "nonce",
    "acknowledged",
    "generation",
    "revoked_bitmap",
)
ACTIVE = timedelta(minutes=15)
_OVERTAKING = timedelta(seconds=20)  # longer than a read takes, shorter than a new chain's start
_ASKED_AT_ONCE = 8  # providers asked for unsettled fees at the same time
LONGEST_LOCK = timedelta(days=7)  # InferenceServing allows no longer lock time


def active_wallets() -> list[Wallet]:
    """The wallets whose people were here lately."""
    return list(Wallet.objects.filter(seen_at__gt=timezone.now() - ACTIVE))


def refresh(chain: Chain, network: Network, wallets: Iterable[Wallet]) -> None:
    """Mirror `wallets`, then ask their providers what is unsettled. Raises as `mirror` does."""
    chosen = list(wallets)
    mirror(chain, network, chosen)
    with closing(door(local=network.local)) as shared:
        refresh_unsettled(network, chosen, lambda service: Provider(service, door=shared))


def mirror(chain: Chain, network: Network, wallets: Iterable[Wallet]) -> None:
    """Read `wallets` from the chain, all at one height, and write what it says.

    Where the chain cannot be read, the reason is noted on each ledger and the error raised.
    """
    chosen = {wallet.address: wallet for wallet in wallets}
    if not chosen:
        return
    try:
        states = _read(chain, network, list(chosen))
    except ChainError as error:
        _note_problem(network, chosen.values(), error)
        raise
    lock_time = _lock_time(network)
    for address, wallet in chosen.items():
        _write(wallet, network, states[types.Address(address)], lock_time)


def _read(
    chain: Chain, network: Network, users: Sequence[str]
) -> Mapping[types.Address, types.WalletState]:
    """Read all at one height, and on the chain that everything else here rests on."""
    states = chain.wallets(users)
    at = next(iter(states.values()))
    if forks.contradicts(network.slug, at.block_number, at.block_hash):
        events.follow_head(chain, network, chain.block())
    forks.remember(network.slug, at.block_number, at.block_hash)
    return states


def _lock_time(network: Network) -> timedelta:
    """The lock time by our clock, less what the chain's clock is ahead of it.

    Until the contract's rule has been read, nothing is called payable too early.
    """
    state = NetworkState.of(network.slug)
    seconds = state.lock_time
    return (LONGEST_LOCK if seconds is None else timedelta(seconds=seconds)) - state.ahead


def rewind(wallet: Wallet, network: str) -> None:
    """Let the next read count although it may be of an earlier block: the chain was replaced."""
    Ledger.objects.filter(wallet=wallet, network=network).update(block_number=None)


Question = tuple[SubAccount, str]  # with the key of its running session


class Teller(Protocol):
    """What is asked of a provider here."""

    def unsettled_fee(self, user: str, api_key: str) -> int:
        """Neuron of `user`'s fees that it has not settled yet."""


def refresh_unsettled(
    network: Network, wallets: Sequence[Wallet], reach: Callable[[types.Service], Teller]
) -> None:
    """Ask each provider that has a running session of these wallets what it has not settled.

    One that does not answer is noted on its rows and keeps nobody waiting: it is not asked about
    the next wallet.
    """
    with ThreadPoolExecutor(max_workers=_ASKED_AT_ONCE) as pool:
        asked = [
            (questions, pool.submit(_ask, reach(service), questions))
            for service, questions in _askable(network, wallets)
        ]
        for questions, answers in asked:
            for (row, _), answer in zip(questions, answers.result(), strict=True):
                _note_unsettled(row, answer)


def _askable(
    network: Network, wallets: Sequence[Wallet]
) -> list[tuple[types.Service, list[Question]]]:
    """The questions to each listed provider: a sub-account with its running session's key."""
    by_provider: dict[str, list[Question]] = {}
    rows = SubAccount.objects.filter(wallet__in=wallets, network=network.slug)
    for row in rows.select_related("wallet"):
        if api_key := sessions.api_key_for(row.wallet, network.slug, row.provider):
            by_provider.setdefault(row.provider, []).append((row, api_key))
    services = Service.objects.on(network.slug).listed().filter(provider__in=by_provider)
    return [(service.snapshot(), by_provider[service.provider]) for service in services]


def _ask(teller: Teller, questions: Iterable[Question]) -> list[int | Error]:
    """Runs in a thread of its own: touches no database."""
    answers: list[int | Error] = []
    silence: Error | None = None
    for row, api_key in questions:
        try:
            answers.append(silence or teller.unsettled_fee(row.wallet.address, api_key))
        except (ProviderUnreachable, ProviderTimeout) as error:
            silence = error
            answers.append(error)
        except Error as error:
            answers.append(error)
    return answers


def _note_unsettled(row: SubAccount, answer: int | Error) -> None:
    rows = SubAccount.objects.filter(pk=row.pk)
    if isinstance(answer, Error):
        rows.update(unsettled_problem=str(answer)[:300])
    else:
        rows.update(unsettled=answer, unsettled_at=timezone.now(), unsettled_problem="")


def _note_problem(network: Network, wallets: Iterable[Wallet], error: ChainError) -> None:
    for wallet in wallets:
        Ledger.objects.update_or_create(
            wallet=wallet, network=network.slug, defaults={"problem": str(error)[:500]}
        )


@transaction.atomic
def _write(
    wallet: Wallet, network: Network, state: types.WalletState, lock_time: timedelta
) -> None:
    locked = Ledger.objects.select_for_update()  # one writer at a time, or both book the same
    row, _ = locked.get_or_create(wallet=wallet, network=network.slug)
    is_replaced = forks.contradicts(network.slug, state.block_number, state.block_hash)
    if is_replaced or _is_overtaken(row, state):
        return
    known = SubAccount.objects.filter(wallet=wallet, network=network.slug)
    accounts = {account.provider: account for account in known.prefetch_related("refunds")}
    before = booking.mirrored(row, accounts.values())
    _write_ledger(row, state)
    for found in state.sub_accounts:
        account = accounts.pop(found.provider, None) or _new(wallet, network, found)
        _write_sub_account(account, found, lock_time)
    if accounts:
        known.filter(pk__in=[gone.pk for gone in accounts.values()]).delete()
    known.update(refreshed_at=row.refreshed_at)
    booking.book(row, before, booking.read(state))
    generations = {str(found.provider): found.generation for found in state.sub_accounts}
    sessions.forget_revoked(wallet, network.slug, generations)


def _is_overtaken(row: Ledger, state: types.WalletState) -> bool:
    """A read that was slower than another one of a later block would turn the mirror back."""
    if row.block_number is None or row.refreshed_at is None:
        return False
    is_recent = timezone.now() - row.refreshed_at < _OVERTAKING
    return is_recent and row.block_number > state.block_number


def _write_ledger(row: Ledger, state: types.WalletState) -> None:
    ledger = state.ledger
    row.wallet_balance = state.balance
    row.exists = ledger is not None
    row.available, row.total = (ledger.available, ledger.total) if ledger else (0, 0)
    row.block_number, row.refreshed_at, row.problem = state.block_number, timezone.now(), ""
    row.save(update_fields=_MIRRORED)


def _new(wallet: Wallet, network: Network, found: types.SubAccount) -> SubAccount:
    return SubAccount(wallet=wallet, network=network.slug, provider=found.provider)


def _write_sub_account(row: SubAccount, found: types.SubAccount, lock_time: timedelta) -> None:
    """Most reads find most sub-accounts as they were: only what differs is written."""
    columns = {name: getattr(found, name) for name in _ACCOUNT_COLUMNS}
    if row.pk is None or any(getattr(row, name) != value for name, value in columns.items()):
        if row.pk is not None and row.nonce != found.nonce:
            _forget_report(SubAccount.objects.filter(pk=row.pk))
        for name, value in columns.items():
            setattr(row, name, value)
        row.refreshed_at = timezone.now()
        row.save(update_fields=None if row.pk is None else [*columns, "refreshed_at"])
    refunds = [_refund(row, refund, lock_time) for refund in found.refunds if not refund.processed]
    if list(map(_told, refunds)) != list(map(_told, row.refunds.all())):
        row.refunds.all().delete()
        Refund.objects.bulk_create(refunds)


def _forget_report(settled: QuerySet[SubAccount]) -> None:
    """What the provider called unsettled is void once it settled, which moves the nonce."""
    settled.update(unsettled=None, unsettled_at=None, unsettled_problem="")


def _told(refund: Refund) -> tuple[int, int, datetime, datetime]:
    return refund.index, int(refund.amount), refund.created_at, refund.payable_at


def _refund(row: SubAccount, refund: types.Refund, lock_time: timedelta) -> Refund:
    created = datetime.fromtimestamp(refund.created_at, tz=UTC)
    return Refund(
        sub_account=row,
        index=refund.index,
        amount=refund.amount,
        created_at=created,
        payable_at=created + lock_time,
    )
