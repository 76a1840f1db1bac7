"""What an order will cost, and whether the balance with its provider can pay for it."""

from __future__ import annotations

from dataclasses import dataclass

from accounts.models import Wallet
from accounts.reserve import Position, position
from marketplace.models import Service
from studio.offered import card_of
from zgcompute.amounts import exact, short
from zgcompute.fees import Fee, image_fee, speech_fee


@dataclass(frozen=True, slots=True)
class Quote:
    """A fee before it is due, beside the wallet's position with the provider (None: nobody's)."""

    fee: Fee
    stands: Position | None
    seconds: int | None = None

    @property
    def is_beyond(self) -> bool:
        """Whether all that is left with the provider cannot pay for it."""
        return self.stands is not None and self.fee.total > self.stands.left

    @property
    def uses_reserve(self) -> bool:
        """Whether it can be paid, and the provider will refuse the next request."""
        return (
            self.stands is not None
            and not self.is_beyond
            and self.fee.total > self.stands.spendable
        )

    @property
    def refusal(self) -> str:
        """One sentence for the person, "" where the order can be paid for."""
        if self.stands is None or not self.is_beyond:
            return ""
        left = max(0, self.stands.left)
        return (
            f"It would cost about {short(self.fee.total, round_up=True)} 0G, and {exact(left)} 0G "
            f"are left with this provider. Transfer at least {exact(self.fee.total - left)} 0G "
            "more, or order less."
        )


def quote_pictures(wallet: Wallet, service: Service, model: str, count: int) -> Quote:
    """What `count` pictures of `model` cost."""
    card = card_of(service.network, service.provider, model)
    return Quote(image_fee(service.as_listed, count, card), _stands(wallet, service))


def quote_recording(
    wallet: Wallet | None, service: Service, model: str, seconds: int | None
) -> Quote | None:
    """What a recording of that length costs; None where the length is not known."""
    if seconds is None:
        return None
    card = card_of(service.network, service.provider, model)
    fee = speech_fee(service.as_listed, seconds=seconds, card=card)
    return Quote(fee, _stands(wallet, service) if wallet else None, seconds)


def _stands(wallet: Wallet, service: Service) -> Position:
    return position(wallet, service.network, service.provider)
