"""The devnet's switchboard on 127.0.0.1: what is going on, faults, settlement on demand.

    GET  /state                                             providers, faults, unsettled fees, and
                                                            how often they were asked
    POST /faults   {"provider": "aurora", "fault": "stall", "times": 1}   fault null: off
    POST /options  {"provider": "aurora", "tokens_per_second": 0}         any field of Options
    POST /limits   {"provider": "aurora", "enabled": false}               any limit setting
    POST /settle   {"provider": "aurora"}                   provider null: everybody
    POST /reset    {"provider": null}                       as at the start; fees and counts stay
    POST /node     {"running": false}                       stop or start the EVM node
    POST /status   {"answering": false}                     the network's status service

Amounts are neuron in decimal text. Only local clients that send JSON are heard.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, fields
from typing import Any

from devnet.anvil import Anvil, AnvilFailed
from devnet.faults import Fault
from devnet.fleet import Fleet, Member
from devnet.providers.provider import Options
from devnet.providers.settlement import Settled, total
from devnet.providers.wire import ConnectionLost, Outlet, Receive, Refusal, Request, Scope, Send
from devnet.status import StatusService
from zgcompute.errors import Error

Action = Callable[[dict[str, Any]], Awaitable[Any]]
LOCAL_NAMES = ("127.0.0.1", "localhost")


class Control:
    """The ASGI application behind the control port."""

    def __init__(self, fleet: Fleet, node: Anvil, status: StatusService, status_url: str) -> None:
        self._fleet = fleet
        self._node = node
        self._status = status
        self._status_url = status_url
        self._actions: dict[str, Action] = {
            "/faults": self._set_fault,
            "/options": self._set_options,
            "/limits": self._set_limits,
            "/settle": self._settle,
            "/reset": self._reset,
            "/node": self._turn_node,
            "/status": self._turn_status,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request, outlet = Request(scope, receive), Outlet(send)
        try:
            await outlet.reply_json(await self._answer(request))
        except ConnectionLost:
            return
        except Refusal as refusal:
            await outlet.reply_json(refusal.body, refusal.status)
        except (Error, AnvilFailed) as error:
            await outlet.reply_json({"error": str(error)}, 502)

    async def _answer(self, request: Request) -> Any:
        host = request.headers.get("host", "").rpartition(":")[0] or request.headers.get("host", "")
        if host not in LOCAL_NAMES:
            raise Refusal("Only local names are answered here.", 403)
        if request.method == "GET" and request.path in ("/", "/state"):
            return self.state()
        action = self._actions.get(request.path)
        if action is None or request.method != "POST":
            raise Refusal(f"There is GET /state and POST {', '.join(self._actions)}.", 404)
        if not request.headers.get("content-type", "").startswith("application/json"):
            raise Refusal("Send JSON.", 415)
        return await action(_decode(await request.body()))

    def state(self) -> dict[str, Any]:
        """What GET /state answers."""
        members = self._fleet.members.values()
        return {
            "rpc_url": self._node.rpc_url,
            "node_running": self._node.is_running,
            "status_url": self._status_url,
            "status_answering": self._status.answering,
            "faults": [fault.value for fault in Fault],
            "providers": [_describe(member) for member in members],
        }

    async def _set_fault(self, order: dict[str, Any]) -> Any:
        name, times = order.get("fault"), order.get("times")
        if name is not None and name not in [fault.value for fault in Fault]:
            raise Refusal(f"There is no fault {name!r}: {', '.join(Fault)}.")
        if times is not None and (isinstance(times, bool) or not isinstance(times, int)):
            raise Refusal("times must be a whole number or null.")
        for member in self._chosen(order):
            member.provider.faults.set(Fault(name) if name is not None else None, times)
        return self.state()

    async def _set_options(self, order: dict[str, Any]) -> Any:
        changes = _changes(order, Options())
        for member in self._chosen(order):
            _apply(member.provider.options, changes)
            member.provider.chain.age = member.provider.options.account_cache_seconds
        return self.state()

    async def _set_limits(self, order: dict[str, Any]) -> Any:
        for member in self._chosen(order):
            settings = member.provider.limits.settings
            _apply(settings, _changes(order, settings))
        return self.state()

    async def _settle(self, order: dict[str, Any]) -> Any:
        return {
            "settled": [
                _describe_settled(member, done)
                for member in self._chosen(order)
                for done in await member.settler.settle()
            ]
        }

    async def _reset(self, order: dict[str, Any]) -> Any:
        for member in self._chosen(order):
            member.provider.reset()
        self._status.answering = True
        return self.state()

    async def _turn_node(self, order: dict[str, Any]) -> Any:
        """The chain survives in its state file; requests that need it fail meanwhile."""
        wanted = order.get("running")
        if not isinstance(wanted, bool):
            raise Refusal("running must be true or false.")
        if wanted != self._node.is_running:
            await asyncio.to_thread(self._node.start if wanted else self._node.stop)
        return self.state()

    async def _turn_status(self, order: dict[str, Any]) -> Any:
        wanted = order.get("answering")
        if not isinstance(wanted, bool):
            raise Refusal("answering must be true or false.")
        self._status.answering = wanted
        return self.state()

    def _chosen(self, order: dict[str, Any]) -> list[Member]:
        name = order.get("provider")
        if name is None:
            return list(self._fleet.members.values())
        if name not in self._fleet.members:
            raise Refusal(f"There is no provider {name!r}: {', '.join(self._fleet.members)}.")
        return [self._fleet.members[name]]


def _describe(member: Member) -> dict[str, Any]:
    provider = member.provider
    return {
        "name": member.name,
        "url": provider.url,
        "address": provider.address,
        "service_type": provider.profile.service_type,
        "model": provider.profile.model,
        "tee_signer": provider.profile.tee_key.address,
        "answer_signer": provider.profile.answer_key.address,
        "fault": provider.faults.fault,
        "times": provider.faults.times,
        "running": provider.running,
        "requests": dict(provider.requests),
        "asked": dict(provider.asked),
        "unsettled": {
            user: str(total(requests)) for user, requests in provider.book.by_user().items()
        },
        "unsettled_requests": {
            user: len(requests) for user, requests in provider.book.by_user().items()
        },
        "options": asdict(provider.options),
        "limits": asdict(provider.limits.settings),
    }


def _describe_settled(member: Member, done: Settled) -> dict[str, Any]:
    return {
        "provider": member.name,
        "user": done.user,
        "fee": str(done.fee),
        "status": done.status.name,
        "unsettled": str(done.unsettled),
        "transaction": done.transaction_hash,
    }


def _decode(body: bytes) -> dict[str, Any]:
    try:
        order = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise Refusal(f"That is no JSON: {error}") from error
    if not isinstance(order, dict):
        raise Refusal("A JSON object is wanted.")
    return order


def _changes(order: dict[str, Any], settings: Any) -> dict[str, Any]:
    """The settings that `order` names, checked for their types; raises Refusal."""
    known = {item.name: getattr(settings, item.name) for item in fields(settings)}
    changes = {name: value for name, value in order.items() if name != "provider"}
    for name, value in changes.items():
        if name not in known:
            raise Refusal(f"There is no setting {name!r}: {', '.join(known)}.")
        wanted = (int, float) if isinstance(known[name], float) else type(known[name])
        is_mistyped = not isinstance(value, wanted)
        if is_mistyped or isinstance(value, bool) != isinstance(known[name], bool):
            raise Refusal(f"{name} must be like {known[name]!r}.")
        if not isinstance(value, bool) and value < 0:
            raise Refusal(f"{name} cannot be negative.")
    return changes


def _apply(settings: Any, changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        setattr(settings, name, value)
