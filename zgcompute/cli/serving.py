"""`inference serve` and `inference router-serve`: OpenAI's protocol on this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from zgcompute.cli import keystore
from zgcompute.cli.funding_options import Funding, Task, funding_options
from zgcompute.cli.output import note, one_line, say_json
from zgcompute.cli.place import KEY_VARIABLE, Place, json_option, network_options, provider_option
from zgcompute.cli.serving_options import (
    EndpointOrder,
    Shown,
    local_key,
    parse_endpoint,
    parse_provider,
    server_options,
)

if TYPE_CHECKING:
    from zgcompute._http import AsyncDoor
    from zgcompute.broker import Broker
    from zgcompute.serving.app import Settings
    from zgcompute.serving.keys import Keys
    from zgcompute.serving.targets import ProviderTarget, Target
    from zgcompute.types import Address, Service

    Made = tuple[Sequence[Target], Sequence[AsyncDoor]]

_PROVIDER_PRIORITY, _ENDPOINT_PRIORITY = 100, 200


@click.command()
@network_options
@provider_option
@server_options
@funding_options
@json_option
def serve(place: Place, provider: str, shown: Shown, funding: Funding, as_json: bool) -> None:
    """Serve a provider as OpenAI's API on this machine.

    Any OpenAI client works at http://127.0.0.1:3000/v1. Answers are paid with the wallet's key,
    which is asked for once and kept in memory only, or with the API key in ZG_API_KEY. Starting
    bills nothing.

    \b
    0g-compute-cli inference serve --provider ADDRESS --port 3000
    """
    from zgcompute.serving.breaker import Breaker

    with place.broker() as broker:
        service = broker.services.get(provider)
        _require_usable(service, must_verify=shown.must_verify)
        keys = _keys(broker, service.provider)

        def made() -> Made:
            from zgcompute.async_providers import async_door

            door = async_door(local=broker.network.local)
            target = _target(broker, service, keys, door, _PROVIDER_PRIORITY)
            target.breaker = Breaker(patience=None)  # there is nobody else to ask
            return [target], [door]

        tasks = funding.tasks(broker, [service.provider])
        _run(made, tasks, shown, shown.settings(), as_json)


@click.command("router-serve")
@network_options
@server_options
@click.option(
    "--add-provider",
    "providers",
    multiple=True,
    metavar="ADDRESS[,PRIORITY]",
    callback=parse_provider,
    help="A provider; the lower number goes first. Default: all that the wallet acknowledged.",
)
@click.option("--model", default="", metavar="NAME", help="Only providers of this model.")
@click.option(
    "--add-endpoint",
    "endpoints",
    multiple=True,
    metavar="ID,URL,env:NAME[,MODEL[,PRIORITY]]",
    callback=parse_endpoint,
    help="Another OpenAI server to fall back on; its API key is in the variable NAME.",
)
@click.option(
    "--order",
    type=click.Choice(["priority", "price", "speed"]),
    default="priority",
    show_default=True,
    help="Who is asked first.",
)
@click.option(
    "--default-provider-priority",
    type=int,
    default=_PROVIDER_PRIORITY,
    show_default=True,
    help="Of providers added without one.",
)
@click.option(
    "--default-endpoint-priority",
    type=int,
    default=_ENDPOINT_PRIORITY,
    show_default=True,
    help="Of fallbacks added without one.",
)
@funding_options
@json_option
def router_serve(
    place: Place,
    shown: Shown,
    funding: Funding,
    providers: Sequence[tuple[str, int | None]],
    model: str,
    endpoints: Sequence[EndpointOrder],
    order: str,
    default_provider_priority: int,
    default_endpoint_priority: int,
    as_json: bool,
) -> None:
    """Serve several providers as one OpenAI API.

    Another provider is asked only after 429, 5xx and where one was not reached, and never once a
    request may be billed. Pays with the wallet's key, asked for once and kept in memory only.

    \b
    0g-compute-cli inference router-serve --model NAME --order price
    """
    from zgcompute.errors import ConfigurationError

    if endpoints and shown.must_verify:
        raise click.UsageError("--verify-before-forward and --add-endpoint exclude each other.")
    with place.broker() as broker:
        keys = _wallet_keys(broker) if providers or not endpoints else None
        chosen = _chosen(broker, providers, model, must_verify=shown.must_verify) if keys else []
        if not chosen and not endpoints:
            raise ConfigurationError(
                "There is no provider to serve.",
                advice="Transfer funds to one (that acknowledges it), or name it: --add-provider.",
            )

        def made() -> Made:
            from zgcompute.async_providers import async_door

            door, own_door = async_door(local=broker.network.local), async_door(local=True)
            targets: list[Target] = []
            for service, priority in chosen:
                assert keys is not None
                rank = default_provider_priority if priority is None else priority
                targets.append(_target(broker, service, keys, door, rank))
            # Where a fallback is, its user says himself: also on this machine.
            targets += [e.target(own_door, default_endpoint_priority) for e in endpoints]
            return targets, [door, own_door]

        shown.secrets += [endpoint.api_key for endpoint in endpoints]
        tasks = funding.tasks(broker, [service.provider for service, _ in chosen])
        _run(made, tasks, shown, shown.settings(order), as_json)


def _run(
    made: Callable[[], Made],
    tasks: Sequence[Task],
    shown: Shown,
    settings: Settings,
    as_json: bool,
) -> None:
    from zgcompute.serving.app import application
    from zgcompute.serving.guard import Guard, is_loopback
    from zgcompute.serving.running import listen, serve

    key = local_key(shown)
    listener = listen(shown.host, shown.port)
    host, port = listener.getsockname()[:2]
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"

    def started(targets: Sequence[Target]) -> None:
        facts = [target.describe() for target in targets]
        for fact in facts:
            problem = f": {fact['last_error']}" if fact["last_error"] else ""
            note(one_line(f"{fact['name']} serves {fact['model']} ({fact['state']}){problem}"))
        note(f"OpenAI clients use it at {url}. Nothing has been billed.")
        if as_json:
            say_json({"url": url, "host": host, "port": port, "providers": facts})

    shown.log_to_the_terminal(key)
    app = Guard(
        application(made, settings, started, tasks),
        only_local=is_loopback(host),
        key=key,
        origins=shown.origins,
    )
    with listener:
        serve(app, listener)
    note("Stopped.")


def _target(
    broker: Broker, service: Service, keys: Keys, door: AsyncDoor, priority: int
) -> ProviderTarget:
    from zgcompute.serving.targets import ProviderTarget

    return ProviderTarget(
        service.provider,
        priority,
        door,
        service=service,
        keys=keys,
        read_service=lambda: broker.services.get(service.provider),
    )


def _keys(broker: Broker, provider: Address) -> Keys:
    import os

    from zgcompute.serving.keys import ReadyKey

    ready = os.environ.get(KEY_VARIABLE, "").strip()
    return ReadyKey(provider, ready) if ready else _wallet_keys(broker)


def _wallet_keys(broker: Broker) -> Keys:
    from zgcompute.serving.keys import WalletSessions

    broker.signer = keystore.signer(keystore.required())
    return WalletSessions(broker.inference)


def _chosen(
    broker: Broker, named: Sequence[tuple[str, int | None]], model: str, *, must_verify: bool
) -> list[tuple[Service, int | None]]:
    """The services to ask, with their priority where one was given."""
    if named:
        found = [(broker.services.get(address), priority) for address, priority in named]
        for service, _ in found:
            _require_usable(service, must_verify=must_verify)
    else:
        accounts = broker.ledger.sub_accounts()
        acknowledged = {account.provider for account in accounts if account.acknowledged}
        services = [s for s in broker.services.list() if s.provider in acknowledged]
        usable = [s for s in services if _reason_against(s, must_verify=must_verify) is None]
        found = [(service, None) for service in usable]
    return [(s, p) for s, p in found if not model or s.info.multi_model or s.model == model]


def _require_usable(service: Service, *, must_verify: bool) -> None:
    from zgcompute.errors import ConfigurationError

    reason = _reason_against(service, must_verify=must_verify)
    if reason is not None:
        raise ConfigurationError(
            f"The provider {service.provider} cannot be served: {reason}",
            advice="Choose another provider.",
        )


def _reason_against(service: Service, *, must_verify: bool) -> str | None:
    from zgcompute.verification import can_be_verified

    if not service.tee_signer_acknowledged:
        return "The network's owner has not acknowledged its TEE signer: it refuses everybody."
    return can_be_verified(service) if must_verify else None
