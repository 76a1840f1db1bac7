"""Start the devnet alone: EVM node, contracts, services, test providers, control port."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import shutil
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from devnet import anvil
from devnet.binaries import VAR, AnvilMissing
from devnet.deploy import DeploymentImpossible
from zgcompute.networks import DEVNET

if TYPE_CHECKING:
    from devnet.providers.provider import Options

CONTROL_PORT = 8600
BLOCK_TIME = 1.0  # seconds between the empty blocks that confirm a transaction
SETTLE_EVERY, REAL_SETTLE_EVERY = 60.0, 600.0  # seconds
REAL_SETTLE_MINIMUM = 4 * 10**15  # neuron
REAL_CACHE_SECONDS = 600.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM; return the exit code."""
    options = _parse(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("devnet").setLevel(logging.INFO)
    if options.fresh:
        shutil.rmtree(options.state, ignore_errors=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        with anvil.Anvil(
            options.anvil_port or _free_port(), options.state / "chain.json", options.block_time
        ) as node:
            asyncio.run(_run(node, options))
    except KeyboardInterrupt:
        return 0
    except (AnvilMissing, anvil.AnvilFailed, DeploymentImpossible, OSError) as error:
        print(f"The devnet cannot start: {error}", file=sys.stderr)
        return 1
    return 0


async def _run(node: anvil.Anvil, options: argparse.Namespace) -> None:
    from devnet.control import Control
    from devnet.deploy import deploy, register_services
    from devnet.fleet import Fleet, config, listen, offer, url_of
    from devnet.providers.limits import LimitSettings
    from devnet.providers.profiles import PROFILES
    from devnet.status import PORT_OFFSET, StatusService, Watched

    base = options.port_base
    sockets = {
        profile.name: listen(base + profile.port_offset if base else 0) for profile in PROFILES
    }
    control_socket = listen(base)
    status_socket = listen(base + PORT_OFFSET if base else 0)
    deploy(node.rpc_url)
    offers = [offer(profile, url_of(sockets[profile.name])) for profile in PROFILES]
    register_services(node.rpc_url, offers)
    fleet = Fleet.open(
        replace(DEVNET, rpc_urls=(node.rpc_url,)),
        {profile.name: sockets[profile.name] for profile in PROFILES if profile.listens},
        options=_behaviour(options),
        limits=LimitSettings(enabled=not options.no_limits),
        state=options.state,
    )
    watched = [
        Watched(profile, registered.provider, registered.url)
        for profile, registered in zip(PROFILES, offers, strict=True)
    ]
    status = StatusService(fleet, watched)
    control = Control(fleet, node, status, url_of(status_socket))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, fleet.stop)
    doors = [(config(status), status_socket), (config(control), control_socket)]
    served = asyncio.create_task(fleet.serve(doors, options.settle_every))
    await fleet.started.wait()
    await status.check()
    checking = asyncio.create_task(status.run())
    _announce(control.state(), url_of(control_socket), options)
    await served
    checking.cancel()
    _say_goodbye(fleet.cut_off, options)


def _behaviour(options: argparse.Namespace) -> Options:
    from devnet.providers.provider import Options

    return Options(
        tokens_per_second=options.tokens_per_second,
        account_cache_seconds=REAL_CACHE_SECONDS if options.real else 2.0,
        settle_minimum=REAL_SETTLE_MINIMUM if options.real else 0,
    )


def _announce(state: dict[str, object], control_url: str, options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps({**state, "control_url": control_url}), flush=True)
        return
    from devnet import accounts

    demo = accounts.account(accounts.DEMO_WALLET)
    print("\n  The devnet is running. Nothing here is worth anything.\n")
    print(f"  RPC       {state['rpc_url']}  chain id {DEVNET.chain_id}")
    print(f"  control   {control_url}/state")
    print(f"  status    {state['status_url']}/health")
    for provider in state["providers"]:  # type: ignore[attr-defined]
        print(
            f"  {provider['name']:<9} {provider['url']}  {provider['address']}  "
            f"{provider['service_type']}, {provider['model']}"
        )
        for user, fee in provider["unsettled"].items():
            print(f"            remembers {fee} neuron that {user} owes")
    print(f"\n  demo wallet  {demo.address}\n  its key      {demo.private_key}")
    print(f"\n  State is in {options.state}; Ctrl-C stops everything.\n", flush=True)


def _say_goodbye(cut_off: int, options: argparse.Namespace) -> None:
    if options.json:
        return
    print("\n  The devnet has stopped. Unsettled fees are remembered;")
    print("  signatures, stored images and jobs were in memory and are gone.")
    if cut_off:
        print(f"  Answers cut off, neither billed nor signed: {cut_off}")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m devnet", description=__doc__)
    add = parser.add_argument
    add(
        "--port-base",
        type=int,
        default=CONTROL_PORT,
        help="control port; providers and status follow (0: any)",
    )
    add("--anvil-port", type=int, default=anvil.PORT, help="port of the EVM node (0: any)")
    add("--state", type=Path, default=VAR / "devnet", help="folder of the chain and the fees")
    add("--fresh", action="store_true", help="forget that folder first")
    add("--block-time", type=float, default=BLOCK_TIME, help="seconds between confirming blocks")
    add("--settle-every", type=float, default=None, help="seconds between settlements (0: never)")
    add("--tokens-per-second", type=float, default=50.0, help="speed of answers (0: at once)")
    add("--no-limits", action="store_true", help="let users ask as often as they like")
    add("--real", action="store_true", help="the real broker's settlement and cache constants")
    add("--json", action="store_true", help="announce the running devnet as one line of JSON")
    options = parser.parse_args(arguments)
    if options.settle_every is None:
        options.settle_every = REAL_SETTLE_EVERY if options.real else SETTLE_EVERY
    return options


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((anvil.HOST, 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
