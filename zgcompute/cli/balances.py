"""What the wallet has where: `get-account`, `get-sub-account`, `inference usage`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zgcompute.cli.moves import service_option
from zgcompute.cli.output import amount, moment, note, og, say, say_json, say_record, say_table
from zgcompute.cli.place import Place, json_option, network_options, provider_option
from zgcompute.cli.spending import opened

if TYPE_CHECKING:
    from zgcompute.types import Constants, Ledger, Refund, SubAccount, WalletState


@click.command("get-account")
@network_options
@json_option
def get_account(place: Place, as_json: bool) -> None:
    """Show the wallet, its ledger and its sub-accounts.

    \b
    0g-compute-cli get-account
    """
    with opened(place) as wallet:
        state = wallet.state()
    if as_json:
        say_json({"network": place.network, **_state_in_json(state)})
        return
    say_record(
        (("Wallet", state.user), ("In the wallet", og(state.balance)), *_ledger(state.ledger))
    )
    if state.ledger is None:
        note("There is no ledger yet. Create it with: 0g-compute-cli add-account --amount 0G")
    if state.sub_accounts:
        head = ("Provider", "Balance", "On its way back", "Signer acknowledged")
        say_table(head, [_row(account) for account in state.sub_accounts])


@click.command("get-sub-account")
@network_options
@provider_option
@service_option
@json_option
def get_sub_account(place: Place, provider: str, service: str, as_json: bool) -> None:
    """Show what is locked with a provider.

    And what is on its way back, with the time from which retrieve-fund brings it home.

    \b
    0g-compute-cli get-sub-account --provider ADDRESS
    """
    with opened(place) as wallet:
        chain = wallet.broker.chain
        account = chain.sub_account(wallet.address, provider)
        constants, now = chain.constants(), chain.block().timestamp
    if as_json:
        say_json(_sub_account(account) | {"refunds": _refunds(account, constants, now)})
        return
    say_record(
        (
            ("Provider", account.provider),
            ("Balance", og(account.balance)),
            ("On its way back", og(account.pending_refund)),
            ("Free", og(account.free)),
            ("Signer acknowledged", "yes" if account.acknowledged else "no"),
        )
    )
    for refund in account.refunds:
        say(f"{og(refund.amount)} {_when(refund, constants, now)}")


@click.command()
@network_options
@provider_option
@json_option
def usage(place: Place, provider: str, as_json: bool) -> None:
    """Show what a provider has not settled yet.

    As it says itself, and what then is left above its reserve. Signs a session with the wallet's
    key; moves nothing.

    \b
    0g-compute-cli inference usage --provider ADDRESS
    """
    from zgcompute.fees import MINIMUM_RESERVE

    with opened(place) as wallet:
        account = wallet.broker.chain.sub_account(wallet.address, provider)
        unsettled = wallet.unlocked().inference.unsettled_fee(account.provider)
    left = account.free - unsettled - MINIMUM_RESERVE
    if as_json:
        facts = {"unsettled": unsettled, "reserve": MINIMUM_RESERVE, "left": left}
        amounts = {name: amount(neuron) for name, neuron in facts.items()}
        say_json(_sub_account(account) | amounts)
        return
    say_record(
        (
            ("Provider", account.provider),
            ("Free", og(account.free)),
            ("Not settled", f"{og(unsettled)} (as the provider says)"),
            ("Reserve", og(MINIMUM_RESERVE)),
            ("Left for requests", og(max(left, 0))),
        )
    )
    if left < 0:
        note(f"The provider refuses requests: {og(-left)} are missing. Transfer more to it.")


def _ledger(ledger: Ledger | None) -> tuple[tuple[str, str], ...]:
    if ledger is None:
        return (("Ledger", "none"),)
    return (
        ("Ledger", og(ledger.total)),
        ("Available", og(ledger.available)),
        ("With providers", og(ledger.locked)),
    )


def _row(account: SubAccount) -> tuple[str, str, str, str]:
    known = "yes" if account.acknowledged else "no"
    return account.provider, og(account.balance), og(account.pending_refund), known


def _state_in_json(state: WalletState) -> dict[str, object]:
    ledger = state.ledger
    return {
        "address": state.user,
        "wallet": amount(state.balance),
        "ledger": ledger
        and {
            "total": amount(ledger.total),
            "available": amount(ledger.available),
            "locked": amount(ledger.locked),
        },
        "sub_accounts": [_sub_account(account) for account in state.sub_accounts],
        "block_number": state.block_number,
    }


def _sub_account(account: SubAccount) -> dict[str, object]:
    return {
        "provider": account.provider,
        "balance": amount(account.balance),
        "pending_refund": amount(account.pending_refund),
        "free": amount(account.free),
        "acknowledged": account.acknowledged,
        "generation": account.generation,
    }


def _refunds(account: SubAccount, constants: Constants, now: int) -> list[dict[str, object]]:
    from zgcompute.retrieval import due_at, is_due

    return [
        {
            "amount": amount(refund.amount),
            "requested_at": refund.created_at,
            "due_at": due_at(refund, constants),
            "is_due": is_due(refund, constants, now),
        }
        for refund in account.refunds
    ]


def _when(refund: Refund, constants: Constants, now: int) -> str:
    from zgcompute.retrieval import due_at, is_due

    if is_due(refund, constants, now):
        return "can come home now: retrieve-fund"
    return f"on its way back, until {moment(due_at(refund, constants))}"
