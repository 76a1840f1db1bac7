"""The providers of a network and their models, as the contract and they themselves say."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import click

from zgcompute.cli.output import amount, note, plain, say_json, say_record, say_table
from zgcompute.cli.place import Place, json_option, network_options, provider_option

if TYPE_CHECKING:
    from zgcompute.broker import Broker
    from zgcompute.model_cards import ModelCard
    from zgcompute.types import Service

_ASKED_AT_ONCE = 8
_include_invalid = click.option(
    "--include-invalid",
    is_flag=True,
    help="Also those whose TEE signer the network's owner has not acknowledged.",
)


@click.command("list-providers")
@network_options
@_include_invalid
@json_option
def list_providers(place: Place, include_invalid: bool, as_json: bool) -> None:
    """List the providers with model and price.

    \b
    0g-compute-cli inference list-providers
    """
    with place.broker() as broker:
        services = _wanted(broker, include_invalid)
    if as_json:
        say_json({"network": place.network, "providers": [_service(s) for s in services]})
        return
    head = ("Provider", "Service", "Model", "Input", "Output", "Answers")
    say_table(head, [_row(service) for service in services])


@click.command("list-providers-detail")
@network_options
@_include_invalid
@json_option
def list_providers_detail(place: Place, include_invalid: bool, as_json: bool) -> None:
    """List the providers in detail.

    Asks each of them for its models.

    \b
    0g-compute-cli inference list-providers-detail --json
    """
    with place.broker() as broker:
        services = _wanted(broker, include_invalid)
        with ThreadPoolExecutor(_ASKED_AT_ONCE) as threads:
            answers = list(threads.map(lambda service: _ask(broker, service), services))
    found = list(zip(services, answers, strict=True))
    if as_json:
        say_json({"network": place.network, "providers": [_detail(*one) for one in found]})
        return
    for service, (cards, problem) in found:
        say_record((*_facts(service), ("Reachable", problem or "yes"), *_card_facts(cards)))


@click.command("get-models")
@network_options
@provider_option
@json_option
def get_models(place: Place, provider: str, as_json: bool) -> None:
    """List a provider's models and prices.

    \b
    0g-compute-cli inference get-models --provider ADDRESS
    """
    with place.broker() as broker:
        cards = broker.services.models(provider)
    if as_json:
        say_json({"provider": provider, "models": [_card(card) for card in cards]})
        return
    head = ("Model", "Service", "Input", "Output", "Image", "Context", "Expires")
    say_table(head, [_card_row(card) for card in cards])


def _wanted(broker: Broker, include_invalid: bool) -> list[Service]:
    services = broker.services.list()
    if include_invalid:
        return list(services)
    usable = [service for service in services if service.tee_signer_acknowledged]
    if hidden := len(services) - len(usable):
        note(f"Not shown: {hidden} without an acknowledged TEE signer (--include-invalid).")
    return usable


def _row(service: Service) -> tuple[str, ...]:
    return (
        service.provider,
        service.service_type,
        service.model,
        *_prices(service),
        _check(service),
    )


def _check(service: Service) -> str:
    from zgcompute.verification import can_be_verified

    return "not verifiable" if can_be_verified(service) else "signed"


def _prices(service: Service) -> tuple[str, str]:
    from zgcompute.fees import price_units

    at_most = "at most " if service.info.multi_model else ""
    pairs = zip((service.input_price, service.output_price), price_units(service), strict=True)
    shown = (f"{at_most}{_price(price, unit)}" if unit else "" for price, unit in pairs)
    first, second = shown
    return first, second


def _price(price: int, unit: str) -> str:
    from zgcompute.amounts import short

    count = 1_000_000 if "1M" in unit else 1
    return f"{short(price * count, round_up=True)} 0G {unit}"


def _facts(service: Service) -> tuple[tuple[str, str], ...]:
    from zgcompute.verification import can_be_verified

    return (
        ("Provider", service.provider),
        ("Service", service.service_type),
        ("Model", service.model),
        ("Input", _prices(service)[0]),
        ("Output", _prices(service)[1]),
        ("URL", service.url),
        ("Verifiability", service.verifiability),
        ("TEE signer", service.tee_signer),
        ("Acknowledged", "yes" if service.tee_signer_acknowledged else "no"),
        ("Answers", can_be_verified(service) or "signed by its TEE signer"),
    )


def _ask(broker: Broker, service: Service) -> tuple[tuple[ModelCard, ...], str]:
    """The provider's cards, or why there are none."""
    from zgcompute.errors import ProviderError

    try:
        return broker.services.models(service), ""
    except ProviderError as error:
        return (), str(error)


def _card_facts(cards: Sequence[ModelCard]) -> tuple[tuple[str, str], ...]:
    if len(cards) != 1:
        return (("Models", f"{len(cards)}: see get-models" if cards else ""),)
    (card,) = cards
    return (
        ("Description", card.description[:300]),
        ("Context length", plain(card.context_length)),
        ("Longest answer", plain(card.max_completion_tokens)),
        ("Owned by", card.owned_by),
        ("TEE verifier", card.tee_verifier),
        ("Parameters", ", ".join(card.supported_parameters)),
        ("Expires", card.expires),
    )


def _card_row(card: ModelCard) -> tuple[str, ...]:
    prompt, completion = (
        "" if price is None else _price(price, "per 1M tokens")
        for price in (card.prompt_price, card.completion_price)
    )
    image = "" if card.image_price is None else _price(card.image_price, "per image")
    kind = card.service_type
    return card.id, kind, prompt, completion, image, plain(card.context_length), card.expires


def _service(service: Service) -> dict[str, Any]:
    from zgcompute.fees import price_units
    from zgcompute.verification import can_be_verified

    units = [_unit(unit) for unit in price_units(service)]
    return {
        "provider": service.provider,
        "service_type": service.service_type,
        "model": service.model,
        "url": service.url,
        "input_price": {**amount(service.input_price), "per": units[0]},
        "output_price": {**amount(service.output_price), "per": units[1]},
        "prices_are_upper_bounds": service.info.multi_model,
        "verifiability": service.verifiability,
        "not_verifiable_because": can_be_verified(service),
        "tee_signer": service.tee_signer,
        "tee_signer_acknowledged": service.tee_signer_acknowledged,
        "updated_at": service.updated_at,
    }


def _unit(shown: str) -> str | None:
    """What one price is for, such as "token"; None where it is not used."""
    return "token" if "tokens" in shown else shown.removeprefix("per ") or None


def _detail(service: Service, answer: tuple[tuple[ModelCard, ...], str]) -> dict[str, Any]:
    cards, problem = answer
    return {
        **_service(service),
        "reachable": not problem,
        "problem": problem or None,
        "models": [_card(card) for card in cards],
    }


def _card(card: ModelCard) -> dict[str, Any]:
    prices = {
        "prompt_price": card.prompt_price,
        "completion_price": card.completion_price,
        "image_price": card.image_price,
    }
    return {
        "id": card.id,
        "service_type": card.service_type,
        "name": card.name,
        "description": card.description,
        "context_length": card.context_length,
        "max_completion_tokens": card.max_completion_tokens,
        "supported_parameters": list(card.supported_parameters),
        **{name: None if price is None else amount(price) for name, price in prices.items()},
        "verifiability": card.verifiability,
        "expires": card.expires or None,
    }
