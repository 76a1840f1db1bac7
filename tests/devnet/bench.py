"""What the provider tests stand on: an in-memory chain, keys, and an ASGI client."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from eth_account import Account
from eth_account.messages import encode_defunct
from eth_utils.crypto import keccak

from devnet.providers.app import ProviderApp
from devnet.providers.onchain import SettlementItem, SettlementResult
from devnet.providers.profiles import PROFILES, Profile
from devnet.providers.provider import Options, Provider
from zgcompute.types import Address, Service, SubAccount

ALICE = Account.from_key("0x" + "a1" * 32)
MALLORY = Account.from_key("0x" + "66" * 32)
PROVIDER = Address("0x3333333333333333333333333333333333333333")
INFERENCE = Address("0x0165878A594ca255338adfa4d48449f69242Eb8F")
ZG = 10**18


def profile_of(name: str) -> Profile:
    return next(profile for profile in PROFILES if profile.name == name)


@dataclass
class BookOfAccounts:
    """A chain in memory; tests change `accounts` and `registered` and read `settlements`."""

    accounts: dict[str, SubAccount] = field(default_factory=dict)
    registered: Service | None = None
    chain_id: int = 31337
    inference: Address = INFERENCE
    reads: int = 0
    settlements: list[tuple[SettlementItem, ...]] = field(default_factory=list)
    results: tuple[SettlementResult, ...] | None = None

    def account(self, user: Address) -> SubAccount | None:
        self.reads += 1
        return self.accounts.get(user)

    def service(self) -> Service | None:
        return self.registered

    def send_settlement(self, items: Sequence[SettlementItem]) -> str:
        self.settlements.append(tuple(items))
        return f"0x{len(self.settlements):064x}"

    def settlement_results(self, transaction_hash: str) -> tuple[SettlementResult, ...] | None:
        return self.results


def service_of(profile: Profile, *, acknowledged: bool = True) -> Service:
    return Service(
        provider=PROVIDER,
        service_type=profile.service_type,
        url="http://127.0.0.1:1",
        input_price=profile.chain_prices[0],
        output_price=profile.chain_prices[1],
        updated_at=0,
        model=profile.model,
        verifiability=profile.verifiability,
        additional_info=profile.additional_info,
        tee_signer=Address(profile.tee_key.address),
        tee_signer_acknowledged=acknowledged,
    )


def sub_account(user: str = ALICE.address, **changes: Any) -> SubAccount:
    account = SubAccount(
        user=Address(user),
        provider=PROVIDER,
        nonce=0,
        balance=5 * ZG,
        pending_refund=0,
        refunds=(),
        acknowledged=True,
        generation=0,
        revoked_bitmap=0,
    )
    return replace(account, **changes)


@dataclass
class Bench:
    """One provider with its app; Alice has 5 0G locked there."""

    provider: Provider
    chain: BookOfAccounts
    app: ProviderApp

    def ask(self, path: str, body: Any = None, **options: Any) -> Reply:
        return asyncio.run(self.ask_async(path, body, **options))

    async def ask_async(
        self,
        path: str,
        body: Any = None,
        *,
        method: str = "",
        token: str | None = "",
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Ask the app; `token` "" is Alice's good one, None is none."""
        sent = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        named = dict(headers or {})
        if token is not None:
            named.setdefault("authorization", f"Bearer {token or session()}")
        return await call(self.app, method or ("POST" if sent else "GET"), path, named, sent)

    def chat(self, question: str = "hello", **fields: Any) -> Reply:
        return self.ask("/v1/proxy/chat/completions", chat_body(question, **fields))


def bench(name: str = "aurora", **options: Any) -> Bench:
    profile = profile_of(name)
    chain = BookOfAccounts({ALICE.address: sub_account()}, service_of(profile))
    swift = {"tokens_per_second": 0.0, "first_token_seconds": 0.0, "signature_delay": 0.0}
    provider = Provider.open(
        profile,
        address=PROVIDER,
        url="http://127.0.0.1:1",
        chain=chain,
        options=Options(**(swift | options)),
    )
    return Bench(provider, chain, ProviderApp(provider))


@dataclass
class Reply:
    """A reply; `is_complete` is False where the connection was cut."""

    status: int
    headers: dict[str, str]
    body: bytes
    is_complete: bool

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> Any:
        return self.json["error"]

    @property
    def events(self) -> list[Any]:
        """The decoded `data:` lines of a stream, without [DONE]."""
        lines = [line[6:] for line in self.body.split(b"\n") if line.startswith(b"data: ")]
        return [json.loads(line) for line in lines if line != b"[DONE]"]

    @property
    def text(self) -> str:
        deltas = [choice["delta"] for event in self.events for choice in event["choices"]]
        return "".join(delta.get("content") or "" for delta in deltas)


async def call(
    app: ProviderApp, method: str, target: str, headers: Mapping[str, str], body: bytes
) -> Reply:
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
    }
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start, *rest = sent
    return Reply(
        start["status"],
        {name.decode(): value.decode("latin-1") for name, value in start["headers"]},
        b"".join(message["body"] for message in rest),
        bool(rest) and not rest[-1]["more_body"],
    )


def _encoded(body: Any) -> bytes:
    if isinstance(body, bytes):
        return body
    return b"" if body is None else json.dumps(body).encode()


def chat_body(question: str = "hello", **fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}], **fields}


def token_json(**changes: Any) -> str:
    now = int(time.time() * 1000)
    fields = {
        "address": ALICE.address,
        "provider": PROVIDER,
        "timestamp": now,
        "expiresAt": now + 3_600_000,
        "nonce": "0" * 32,
        "generation": 0,
        "tokenId": 255,
    }
    return json.dumps(fields | changes, separators=(",", ":"))


def session(*, key: Any = ALICE, **changes: Any) -> str:
    return sealed(token_json(**changes), key=key)


def sealed(text: str, *, key: Any = ALICE) -> str:
    message = encode_defunct(primitive=keccak(text=text))
    return packed(f"{text}|0x{bytes(key.sign_message(message).signature).hex()}")


def packed(payload: str | bytes) -> str:
    raw = payload.encode() if isinstance(payload, str) else payload
    return "app-sk-" + base64.b64encode(raw).decode()


def recovered(record: Mapping[str, Any]) -> str:
    """Who signed a signature record's text."""
    return str(
        Account.recover_message(encode_defunct(text=record["text"]), signature=record["signature"])
    )
