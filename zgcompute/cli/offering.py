"""A provider's own service: `inference update-service` and `remove-service`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from zgcompute.cli.output import amount as in_json
from zgcompute.cli.output import og, one_line
from zgcompute.cli.spending import Order, Wallet, wallet_command

if TYPE_CHECKING:
    from zgcompute.types import Service


def _parse_price(context: click.Context, option: click.Parameter, text: str | None) -> int | None:
    from zgcompute.amounts import parse

    return None if text is None else parse(text)


@click.command("update-service")
@wallet_command
@click.option("--url", metavar="URL", help="Where the provider's broker answers.")
@click.option("--model", metavar="NAME", help="The model. A change ends the acknowledgement.")
@click.option(
    "--input-price", metavar="0G", callback=_parse_price, help="For one token, second or unit."
)
@click.option(
    "--output-price", metavar="0G", callback=_parse_price, help="For one token, picture or unit."
)
def update_service(
    wallet: Wallet,
    url: str | None,
    model: str | None,
    input_price: int | None,
    output_price: int | None,
) -> None:
    """Change your own service.

    For providers: the wallet's key is the provider's. What is not named stays as it is.

    \b
    0g-compute-cli inference update-service --output-price 0.0000004
    """
    named = {"url": url, "model": model, "input_price": input_price, "output_price": output_price}
    changes: dict[str, Any] = {name: new for name, new in named.items() if new is not None}
    if not changes:
        raise click.UsageError("Name what changes: --url, --model, --input-price, --output-price.")
    before = _own_service(wallet)
    after = replace(before, **changes)
    _require_change(wallet, before, after)
    order = Order(
        f"Change the service of {before.provider}",
        wallet.broker.calls.update_service(after),
        f"Changed the service of {before.provider}",
        notes=tuple(_update_notes(before, after)),
        facts=_facts(after, keeps_signer=after.model == before.model),
    )
    wallet.carry_out(order)


@click.command("remove-service")
@wallet_command
def remove_service(wallet: Wallet) -> None:
    """Withdraw your own service.

    For providers: the wallet's key is the provider's. The stake comes back to the wallet.

    \b
    0g-compute-cli inference remove-service
    """
    service = _own_service(wallet)
    order = Order(
        f"Remove the service {one_line(service.model)} of {service.provider}",
        wallet.broker.calls.remove_service(),
        f"Removed the service of {service.provider}; its stake is in the wallet",
        notes=(
            "Its stake comes back to this wallet. Users' funds with it stay theirs to retrieve.",
            "Fees that are not settled by then are lost: stop the broker and settle first.",
            "To offer it again takes the stake and a new acknowledgement of the TEE signer.",
        ),
        facts={"provider": service.provider, "model": service.model},
    )
    wallet.carry_out(order)


def _own_service(wallet: Wallet) -> Service:
    from zgcompute.errors import ChainError, ServiceMissing

    try:
        service = wallet.broker.services.get(wallet.address)
    except ServiceMissing as error:
        raise ServiceMissing(
            f"{wallet.address} offers no service on {wallet.broker.network.name}.",
            advice="Use the provider's key. The first registration is its broker's work.",
        ) from error
    kept = (service.service_type, service.verifiability, service.additional_info)
    if any("\ufffd" in text for text in kept):
        raise ChainError(
            "The service on chain has broken text, which would not stay as it is.",
            advice="Let the provider's broker register it again.",
        )
    return service


def _require_change(wallet: Wallet, before: Service, after: Service) -> None:
    from zgcompute._destinations import AddressPolicy
    from zgcompute.errors import LedgerError

    if after == before:
        raise LedgerError("The service is like that already.", advice="There is nothing to do.")
    if after.url != before.url:  # what clients would refuse to call
        AddressPolicy(allow_private=wallet.broker.network.local).check_url(after.url)


def _update_notes(before: Service, after: Service) -> Iterator[str]:
    if after.url != before.url:
        yield f"URL: {one_line(before.url)} becomes {one_line(after.url)}"
    if after.model != before.model:
        yield f"Model: {one_line(before.model)} becomes {one_line(after.model)}"
    for name in ("input_price", "output_price"):
        old, new = getattr(before, name), getattr(after, name)
        if new != old:
            word = name.replace("_", " ").capitalize()
            yield f"{word}: {og(old)} becomes {og(new)}"
    if after.model != before.model:
        yield (
            "The new model ends the acknowledgement of the TEE signer by the network's owner: "
            "until the next one users cannot be billed, and clients do not list the service."
        )


def _facts(service: Service, *, keeps_signer: bool) -> dict[str, object]:
    return {
        "provider": service.provider,
        "service_url": service.url,
        "model": service.model,
        "input_price": in_json(service.input_price),
        "output_price": in_json(service.output_price),
        "tee_signer_acknowledged": service.tee_signer_acknowledged and keeps_signer,
    }
