"""What stands between a visitor and an answer from a provider, as steps with one action each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from accounts import forms, sessions
from accounts.models import Ledger, SubAccount, Wallet
from accounts.reserve import Position, least_transfer, position
from zgcompute.amounts import exact
from zgcompute.fees import MINIMUM_RESERVE

if TYPE_CHECKING:
    from marketplace.models import Service


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do before the first answer; `template` is the form that does it."""

    key: str
    title: str
    done: bool
    explanation: str
    provider: str = ""
    form: forms.Form = field(default_factory=dict)
    is_waiting: bool = False  # nobody knows yet: the balances have not been read

    @property
    def template(self) -> str:
        return f"accounts/_step_{self.key.replace('-', '_')}.html"


@dataclass(frozen=True, slots=True)
class Readiness:
    """A service, and the steps of a visitor towards using it."""

    service: Service | None
    steps: list[Step]

    @property
    def next_step(self) -> Step | None:
        """The first step that is not done."""
        return next((step for step in self.steps if not step.done), None)

    @property
    def is_open(self) -> bool:
        """Tell whether the service takes requests at all."""
        service = self.service
        return service is not None and service.is_open and not service.url_problem

    @property
    def is_waiting(self) -> bool:
        """Tell whether the next step is unknown until the balances have been read."""
        return self.next_step is not None and self.next_step.is_waiting


def readiness(wallet: Wallet | None, network: str, service: Service | None) -> Readiness:
    """How far `wallet` is from using `service`; reads only the database."""
    return Readiness(service, steps(wallet, network, service) if service else [])


def steps(wallet: Wallet | None, network: str, service: Service) -> list[Step]:
    """All steps in order, each with whether it is done; the first undone one is the next.

    Reads only the database.
    """
    if wallet is None:
        return [_sign_in(False), *_unknown(service)]
    provider = service.provider
    ledger = Ledger.objects.filter(wallet=wallet, network=network).first()
    found = SubAccount.objects.filter(wallet=wallet, network=network, provider=provider).first()
    stands = position(wallet, network, provider)
    return [
        _sign_in(True),
        _deposit(wallet, network, provider, ledger, stands),
        _transfer(wallet, network, provider, stands),
        _acknowledge(provider, found),
        _session(provider, sessions.running(wallet, network, provider) is not None),
    ]


def _unknown(service: Service) -> list[Step]:
    return [
        Step("deposit", "Deposit", False, "Put 0G into your ledger."),
        Step("transfer", "Fund this provider", False, "Lock some of it with this provider."),
        Step("acknowledge", "Acknowledge its signer", False, "Comes with the first transfer."),
        Step("session", "Start a session", False, "One signature, valid for a day."),
    ]


def _sign_in(done: bool) -> Step:
    return Step(
        "sign-in",
        "Sign in",
        done,
        "Connect a wallet and sign a short text. It is free, and nothing is sent.",
    )


def _deposit(
    wallet: Wallet, network: str, provider: str, ledger: Ledger | None, stands: Position
) -> Step:
    is_funded = not stands.missing and stands.exists
    return Step(
        "deposit",
        "Deposit",
        is_funded or _can_transfer(network, ledger, stands),
        "Your ledger is your prepaid account on chain, and stays yours: what is not used can be "
        "withdrawn.",
        provider,
        forms.deposit(wallet, network, provider=provider),
        is_waiting=ledger is None or ledger.refreshed_at is None,
    )


def _can_transfer(network: str, ledger: Ledger | None, stands: Position) -> bool:
    """Exactly the reserve would not do: the first answer's fee would use it up."""
    if ledger is None or not ledger.exists:
        return False
    return int(ledger.available) > max(least_transfer(network, stands), stands.missing)


def _transfer(wallet: Wallet, network: str, provider: str, stands: Position) -> Step:
    kept = exact(MINIMUM_RESERVE)
    explanation = (
        f"Lock a part with this provider. It keeps {kept} 0G in reserve and answers only while "
        "you have more than that; what is not used can be retrieved."
    )
    if stands.exists and stands.missing:
        explanation = (
            f"This provider keeps {kept} 0G in reserve; you have {exact(max(0, stands.left))} 0G "
            f"left with it. It refuses requests until you transfer {exact(stands.missing)} 0G more."
            + _claim(stands)
        )
    is_funded = stands.exists and not stands.missing
    form = forms.transfer(wallet, network, provider)
    return Step("transfer", "Fund this provider", is_funded, explanation, provider, form)


def _claim(stands: Position) -> str:
    """What to know before paying for fees that only the provider speaks of."""
    if stands.unsettled <= stands.used_here:
        return ""
    return (
        f" It counts {exact(stands.unsettled)} 0G of fees that are not settled yet; requests made "
        f"here account for {exact(stands.used_here)} 0G of them."
    )


def _acknowledge(provider: str, found: SubAccount | None) -> Step:
    return Step(
        "acknowledge",
        "Acknowledge its signer",
        found is not None and found.acknowledged,
        "Comes with the first transfer."
        if found is None
        else "Let this provider settle the fees that its trusted hardware has signed.",
        provider,
        forms.acknowledgement(provider),
    )


def _session(provider: str, is_running: bool) -> Step:
    return Step(
        "session",
        "Start a session",
        is_running,
        "One signature lets this site send your requests to this provider for 24 hours.",
        provider,
    )
