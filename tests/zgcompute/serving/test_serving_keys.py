from __future__ import annotations

import asyncio
from typing import Any

import pytest

from zgcompute import _sessions
from zgcompute.amounts import parse
from zgcompute.broker import Broker
from zgcompute.errors import InvalidToken, RpcUnreachable
from zgcompute.networks import DEVNET
from zgcompute.serving.keys import ReadyKey, WalletSessions
from zgcompute.session import SessionRequest, SessionToken
from zgcompute.signers import LocalSigner
from zgcompute.testing import FakeChain, fake_service
from zgcompute.types import Address, SubAccount

ALICE = LocalSigner("0x" + "11" * 32)
HOUR_MS = 3_600_000


class FarChain(FakeChain):
    """A chain whose node may be out of reach."""

    is_away = False

    def sub_account(self, user: str, provider: str) -> SubAccount:
        if self.is_away:
            raise RpcUnreachable("nobody answers")
        return super().sub_account(user, provider)


class Wallet:
    """Alice's sessions, with a clock that tests turn and a count of what she signs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.chain = FarChain()
        self.provider = self.chain.register(fake_service()).provider
        self.chain.endow(ALICE.address, parse("100"))
        self.chain.apply(self.chain.calls.deposit(parse("5")), ALICE.address)
        self.chain.apply(self.chain.calls.transfer(self.provider, parse("2")), ALICE.address)
        self.now_ms = _sessions.now_ms()
        monkeypatch.setattr(_sessions, "now_ms", lambda: self.now_ms)
        self.signed = 0
        self.sessions = WalletSessions(Broker(DEVNET, self, chain=self.chain).inference)

    @property
    def address(self) -> Address:
        return ALICE.address

    def sign_message(self, message: bytes) -> str:
        self.signed += 1
        return ALICE.sign_message(message)

    def sign_transaction(self, transaction: dict[str, Any]) -> bytes:
        raise AssertionError("A session needs no transaction.")

    async def key(self) -> str:
        return await self.sessions.key(self.provider)


@pytest.fixture
def wallet(monkeypatch: pytest.MonkeyPatch) -> Wallet:
    return Wallet(monkeypatch)


def test_many_requests_at_once_need_one_signature(wallet: Wallet) -> None:
    async def many() -> set[str]:
        return set(await asyncio.gather(*(wallet.key() for _ in range(200))))

    keys = asyncio.run(many())
    assert (len(keys), wallet.signed) == (1, 1)
    assert SessionToken.parse(keys.pop()).provider == wallet.provider


def test_a_refused_session_is_replaced_once_for_all_who_had_it(wallet: Wallet) -> None:
    async def many() -> set[str]:
        old = await wallet.key()

        async def renewed() -> str:
            assert wallet.sessions.refused(wallet.provider, old)
            return await wallet.key()

        return set(await asyncio.gather(*(renewed() for _ in range(50))))

    assert len(asyncio.run(many())) == 1
    assert wallet.signed == 2


def test_after_all_sessions_are_revoked_the_next_has_the_new_generation(wallet: Wallet) -> None:
    async def story() -> int:
        old = await wallet.key()
        revoke = wallet.chain.calls.revoke_all_tokens(wallet.provider)
        wallet.chain.apply(revoke, ALICE.address)
        wallet.sessions.refused(wallet.provider, old)
        return SessionToken.parse(await wallet.key()).generation

    assert asyncio.run(story()) == 1


def test_a_session_is_replaced_before_it_ends(wallet: Wallet) -> None:
    async def story() -> list[int]:
        counts = []
        for hours in (0, 22, 2):
            wallet.now_ms += hours * HOUR_MS
            await wallet.key()
            counts.append(wallet.signed)
        return counts

    assert asyncio.run(story()) == [1, 1, 2]


def test_while_the_chain_is_away_the_old_session_goes_on_as_long_as_it_lives(
    wallet: Wallet,
) -> None:
    async def story() -> None:
        first = await wallet.key()
        wallet.chain.is_away = True
        wallet.now_ms += 23 * HOUR_MS + HOUR_MS // 2
        assert await wallet.key() == first
        wallet.now_ms += HOUR_MS
        with pytest.raises(RpcUnreachable):
            await wallet.key()

    asyncio.run(story())


def test_a_ready_key_is_only_for_its_provider() -> None:
    provider = fake_service().provider
    request = SessionRequest.new(ALICE.address, provider, generation=0, token_id=3)
    key = request.signed_by(ALICE).api_key
    assert asyncio.run(ReadyKey(provider, key).key(provider)) == key
    assert not ReadyKey(provider, key).refused(provider, key)
    with pytest.raises(InvalidToken):
        ReadyKey(ALICE.address, key)
