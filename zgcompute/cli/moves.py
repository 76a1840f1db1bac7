"""Moves of the wallet's funds: into the ledger, to providers, and all the way back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from zgcompute.cli.output import moment, og
from zgcompute.cli.place import provider_option
from zgcompute.cli.spending import Order, Wallet, amount_option, parse_amount, wallet_command

if TYPE_CHECKING:
    from zgcompute.retrieval import Plan
    from zgcompute.types import Constants, Receipt, Service, SubAccount

service_option = click.option(
    "--service",
    type=click.Choice(["inference"]),
    default="inference",
    show_default=True,
    help="The kind of service; there is one here.",
)


@click.command("add-account")
@wallet_command
@amount_option
def add_account(wallet: Wallet, amount: int) -> None:
    """Create the wallet's ledger.

    With its first deposit. The contract has a minimum for it.

    \b
    0g-compute-cli add-account --amount 3
    """
    from zgcompute import rules

    rules.require_new_ledger(amount, wallet.state(), wallet.constants())
    call = wallet.broker.calls.add_ledger(amount)
    title = f"Create the ledger with {og(amount)} of the wallet"
    wallet.carry_out(Order(title, call, f"Created the ledger with {og(amount)}", amount))


@click.command()
@wallet_command
@amount_option
def deposit(wallet: Wallet, amount: int) -> None:
    """Move 0G from the wallet into the ledger.

    The first deposit creates the ledger.

    \b
    0g-compute-cli deposit --amount 1.5
    """
    from zgcompute import rules

    state = wallet.state()
    rules.require_deposit(amount, state, wallet.constants())
    notes = () if state.ledger else ("It is the first deposit here: it creates the ledger.",)
    title = f"Deposit {og(amount)} of the wallet into its ledger"
    call = wallet.broker.calls.deposit(amount)
    wallet.carry_out(Order(title, call, f"Deposited {og(amount)}", amount, notes))


@click.command()
@wallet_command
@click.option(
    "-a", "--amount", metavar="0G", callback=parse_amount, help="How much, in 0G, such as 1.5."
)
@click.option("--all", "everything", is_flag=True, help="All that is available.")
def refund(wallet: Wallet, amount: int | None, everything: bool) -> None:
    """Pay 0G of the ledger out to the wallet.

    What is locked with providers comes back with retrieve-fund first.

    \b
    0g-compute-cli refund --amount 0.5
    """
    from zgcompute import rules

    if (amount is not None) == everything:
        raise click.UsageError("Give either --amount or --all.")
    state = wallet.state()
    wanted = rules.required_ledger(state).available if amount is None else amount
    ledger = rules.require_refund(wanted, state, wallet.constants())
    last = "Nothing is left then: the contract deletes the ledger and its sub-accounts."
    notes = (last,) if wanted == ledger.total else ()
    title = f"Refund {og(wanted)} of the ledger to the wallet"
    call = wallet.broker.calls.refund(wanted)
    wallet.carry_out(Order(title, call, f"Refunded {og(wanted)}", wanted, notes))


@click.command("transfer-fund")
@wallet_command
@provider_option
@amount_option
@service_option
def transfer_fund(wallet: Wallet, provider: str, amount: int, service: str) -> None:
    """Lock 0G of the ledger with a provider.

    It pays for answers there. This also acknowledges the provider's TEE signer.

    \b
    0g-compute-cli transfer-fund --provider ADDRESS --amount 2
    """
    from zgcompute import rules

    state, constants = wallet.state(), wallet.constants()
    listed = wallet.broker.services.get(provider)
    account = rules.require_transfer(amount, listed.provider, state, constants)
    order = Order(
        f"Lock {og(amount)} of the ledger with {listed.provider}",
        wallet.broker.calls.transfer(listed.provider, amount),
        f"Transferred {og(amount)} to {listed.provider}",
        amount,
        _transfer_notes(amount, listed, account),
        {"provider": listed.provider},
    )
    wallet.carry_out(order)


@click.command("retrieve-fund")
@wallet_command
@click.option(
    "--provider",
    "providers",
    multiple=True,
    metavar="ADDRESS",
    help="Only from this provider; may be given several times.",
)
@service_option
def retrieve_fund(wallet: Wallet, providers: tuple[str, ...], service: str) -> None:
    """Bring funds back from providers.

    In two steps: the first call starts the lock time of what is free, and a second one after the
    lock time brings it into the ledger. Each call does both for all providers, or for those named.

    \b
    0g-compute-cli retrieve-fund --provider ADDRESS
    """
    from zgcompute import retrieval, rules

    state, constants = wallet.state(), wallet.constants()
    rules.required_ledger(state)
    accounts = state.sub_accounts
    if providers:
        named = dict.fromkeys(rules.required_sub_account(one, state) for one in providers)
        accounts = tuple(named)
    now = wallet.broker.chain.block().timestamp
    plan = retrieval.plan(accounts, constants, now)
    order = Order(
        f"Retrieve what is with {_providers(len(plan.parts))}",
        wallet.broker.calls.retrieve([part.provider for part in plan.parts]),
        "",
        plan.due + plan.starting,
        _retrieval_notes(plan, constants, now + constants.lock_time),
    )
    receipt = wallet.send(order)
    second = _block_time(wallet, receipt, now) + constants.lock_time
    facts = _retrieval_facts(plan, second)
    wallet.report(replace(order, done=_retrieved(plan, second), facts=facts), receipt)


def _transfer_notes(amount: int, service: Service, account: SubAccount | None) -> tuple[str, ...]:
    from zgcompute import rules
    from zgcompute.fees import MINIMUM_RESERVE

    notes, cancelled = [], rules.cancelled(amount, account)
    if cancelled:
        notes.append(
            f"{og(cancelled)} of it cancel refunds that were on their way back; "
            f"{og(amount - cancelled)} leave the available balance."
        )
    left = (account.free if account else 0) + amount
    if left <= MINIMUM_RESERVE:
        notes.append(
            f"The provider keeps {og(MINIMUM_RESERVE)} in reserve: with {og(left)} it refuses "
            "requests, at the latest after the first fee. Lock more than that."
        )
    if not service.tee_signer_acknowledged:
        notes.append(
            "The network's owner has not acknowledged this provider's TEE signer: until then it "
            "refuses requests."
        )
    return tuple(notes)


def _retrieval_notes(plan: Plan, constants: Constants, second: int) -> tuple[str, ...]:
    notes = []
    if plan.due:
        notes.append(f"{og(plan.due)} whose lock time has passed come home with this call.")
    if plan.starting:
        notes.append(
            f"{og(plan.starting)} start a lock time of {_duration(constants.lock_time)}. They come "
            f"home with a second call, from about {moment(second)} on. A transfer to the same "
            "provider before that cancels it."
        )
    if plan.later:
        left = _providers(len(plan.later))
        notes.append(f"One call takes no more: run the same command again for {left}.")
    if plan.blocked:
        notes.append(
            f"{_providers(len(plan.blocked))} left out: as many refunds as there may be wait there."
        )
    return tuple(notes)


def _retrieved(plan: Plan, second: int) -> str:
    if not plan.starting:
        return f"{og(plan.due)} came home to the ledger"
    started = f"{og(plan.starting)} come home with a second call, from {moment(second)} on"
    return f"{og(plan.due)} came home to the ledger; {started}" if plan.due else started


def _retrieval_facts(plan: Plan, second: int) -> dict[str, object]:
    from zgcompute.cli.output import amount as in_json

    return {
        "providers": [part.provider for part in plan.parts],
        "came_home": in_json(plan.due),
        "started": in_json(plan.starting),
        "second_call_from": second if plan.starting else None,
        "providers_left": len(plan.later),
        "providers_blocked": len(plan.blocked),
    }


def _block_time(wallet: Wallet, receipt: Receipt, before: int) -> int:
    """The time of the block that mined it, or the last known one: the move itself is done."""
    from zgcompute.errors import ChainError

    try:
        return wallet.broker.chain.block(receipt.block_number).timestamp
    except ChainError:
        return before


def _providers(count: int) -> str:
    return f"{count} provider" if count == 1 else f"{count} providers"


def _duration(seconds: int) -> str:
    for size, unit in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size and not seconds % size:
            return f"{seconds // size} {unit}"
    return f"{seconds} seconds"
