"""One test provider: its profile, its memory, and the switches that tests turn."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from devnet.faults import FaultSwitch
from devnet.providers.billing import FeeBook
from devnet.providers.limits import Limits, LimitSettings
from devnet.providers.onchain import CachedChain, OnChain
from devnet.providers.profiles import Profile
from devnet.providers.session import SessionGuard
from devnet.providers.signatures import SignatureMemory
from devnet.providers.storage import ImageStore, JobBoard
from devnet.providers.tokens import PromptCache
from zgcompute.types import Address


@dataclass(slots=True)
class Options:
    """How a provider behaves; every field can be changed while it runs."""

    tokens_per_second: float = 50.0  # 0: as fast as possible
    first_token_seconds: float = 0.25
    signature_delay: float = 0.05  # seconds between the last byte and the signature
    account_cache_seconds: float = 2.0  # the real broker: 600
    reserve: int = 10**18  # MinimumLockedBalance, neuron
    settle_minimum: int = 0  # the real broker: 4 * 10**15 neuron
    stall_seconds: float = 60.0
    slow_seconds: float = 10.0  # of silence before the first token
    huge_megabytes: int = 24
    older_build: bool = False  # older texts, upstream ids, images signed as chat
    lists_models: bool = True  # the oldest builds have no /v1/models


@dataclass(slots=True)
class Provider:
    """Everything that the request handlers of one provider share."""

    profile: Profile
    address: Address
    url: str
    chain: CachedChain
    options: Options
    book: FeeBook
    limits: Limits = field(default_factory=Limits)
    faults: FaultSwitch = field(default_factory=FaultSwitch)
    signatures: SignatureMemory = field(default_factory=SignatureMemory)
    images: ImageStore = field(default_factory=ImageStore)
    jobs: JobBoard = field(default_factory=JobBoard)
    prompts: PromptCache = field(default_factory=PromptCache)
    clock: Callable[[], float] = time.time
    running: int = 0  # answers that are being worked on
    requests: Counter[str] = field(default_factory=Counter)  # to billed routes, by path
    asked: Counter[str] = field(default_factory=Counter)  # of them with a good session, by user
    guard: SessionGuard = field(init=False)
    _first_options: Options = field(init=False)
    _first_limits: LimitSettings = field(init=False)

    def __post_init__(self) -> None:
        self._first_options = replace(self.options)
        self._first_limits = replace(self.limits.settings)
        self.guard = SessionGuard(self.address, self.chain.account, clock=self.clock)

    @classmethod
    def open(
        cls,
        profile: Profile,
        *,
        address: Address,
        url: str,
        chain: OnChain,
        options: Options | None = None,
        limits: LimitSettings | None = None,
        state: Path | None = None,
    ) -> Provider:
        """Start a provider with the fees it remembered in the folder `state`."""
        options = options or Options()
        return cls(
            profile=profile,
            address=address,
            url=url,
            chain=CachedChain(chain, age=options.account_cache_seconds),
            options=options,
            book=FeeBook(state / f"{profile.name}-unsettled.json" if state else None),
            limits=Limits(limits or LimitSettings()),
        )

    def reset(self) -> None:
        """Behave as at the start; only fees, counts, signatures, images and jobs stay."""
        self.faults.set(None)
        self.options = replace(self._first_options)
        self.limits.settings = replace(self._first_limits)
        self.chain.age = self.options.account_cache_seconds
        self.prompts = PromptCache()
        self.limits.reset()
        self.chain.forget()
