"""What becomes of a turn under each fault of a provider: against a running devnet, to its page."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import pytest
from django.test import Client

from accounts import vault
from accounts.models import ProviderSession
from chat import receipts
from chat.engine import Engine
from chat.models import Conversation, Message
from chat.streams import MemoryStreams
from devnet.faults import Fault
from devnet.providers import answers
from devnet.testing import Devnet
from tests.chat import stage
from tests.chat.bubble import Bubble
from tests.payers import payer
from zgcompute import Broker
from zgcompute._limits import CHAT
from zgcompute.providers import HttpDoor, Provider, door

pytestmark = [pytest.mark.chain, pytest.mark.django_db(transaction=True)]

QUESTION = "Say hello"
HUGE = "".join(answers.huge(1))
WHOLE = answers.compose(QUESTION, model="devnet-chat").text
HUGE_BYTES = 200_000  # in the product: 8 MB
SILENCE, PATIENCE = 2.0, 15.0  # seconds without a byte, for a stall and else; in the product: 120
SIGNATURE_WITHIN = 4.0  # seconds; in the product: 8
ENDED_WITHIN = 20.0  # seconds: no turn takes longer, whatever its provider does
T = TypeVar("T")

REGENERATE = ("Regenerate",)
AGAIN = ("Send again",)
ELSEWHERE = ("Send again", "Choose another provider")
GO_ON = ("Continue", "Send again", "Choose another provider")
CHECK_AGAIN = ("Check again", "Regenerate")
DISTRUST = "Treat this answer as if anybody could have written it."
UNSETTLED = "see the unsettled fees in your account."
BILLED_UNSEEN = "The provider may bill it all the same."
BILLED_ANEW = f"{BILLED_UNSEEN} Sending it again is billed on its own."


@dataclass(frozen=True)
class Row:
    """How a turn ends: `offers` are the ways on as its page labels them, `says` are words there.

    `kept` is whole, part, nothing, or other where it is not what the model said. `fee` is exact (to
    the neuron what the provider bills), unknown, or none where the provider bills nothing.
    `verdict` is the badge's.
    """

    state: str
    kept: str
    fee: str
    verdict: str
    offers: tuple[str, ...]
    says: tuple[str, ...]


# fmt: off
TABLE = {
    # ------------------- state         kept       fee        verdict        offers and words
    Fault.TAMPERED_ANSWER: Row(
                          "complete",    "other",   "exact",   "failed",      REGENERATE,
        ("The signed hash is of other bytes", DISTRUST)),
    Fault.WRONG_SIGNER: Row(
                          "complete",    "whole",   "exact",   "failed",      REGENERATE,
        ("another key", "but the contract names", DISTRUST)),
    Fault.NO_SIGNATURE: Row(
                          "complete",    "whole",   "exact",   "not checked", CHECK_AGAIN,
        ("Nothing is proved either way", "this site looks again by itself")),
    Fault.LATE_SIGNATURE: Row(
                          "complete",    "whole",   "exact",   "verified",    REGENERATE, ()),
    Fault.DISCONNECT: Row(
                          "interrupted", "part",    "unknown", "not checked", GO_ON,
        ("127.0.0.1 broke the connection.", BILLED_ANEW, "Fee not known")),
    Fault.EARLY_DISCONNECT: Row(
                          "failed",      "nothing", "unknown", "not checked", ELSEWHERE,
        ("127.0.0.1 broke the connection.", BILLED_ANEW, "Fee not known", UNSETTLED)),
    Fault.STALL: Row(
                          "interrupted", "part",    "unknown", "not checked", GO_ON,
        ("127.0.0.1 did not answer in time.", BILLED_ANEW, "Fee not known")),
    Fault.SLOW_START: Row(
                          "complete",    "whole",   "exact",   "verified",    REGENERATE, ()),
    Fault.BAD_CHUNK: Row(
                          "complete",    "whole",   "exact",   "verified",    REGENERATE,
        ("A part of the provider's reply could not be read: words may be missing here.",)),
    Fault.ERROR_CHUNK: Row(
                          "interrupted", "part",    "unknown", "not checked", GO_ON,
        ("The provider's model server failed: CUDA out of memory <img src=x onerror=alert(1)>",
         BILLED_ANEW, "Fee not known")),
    Fault.CUT_SHORT: Row(
                          "interrupted", "part",    "exact",   "verified",    GO_ON,
        ("The answer stops without a sign that it is finished.", "What came is kept.")),
    Fault.EMPTY_ANSWER: Row(
                          "complete",    "nothing", "exact",   "verified",    REGENERATE,
        ("The model ended without an answer.",)),
    Fault.EMPTY_BODY: Row(
                          "failed",      "nothing", "unknown", "not checked", ELSEWHERE,
        ("The provider's reply holds no answer.", BILLED_ANEW, "Fee not known")),
    Fault.RATE_LIMITED: Row(
                          "failed",      "nothing", "none",    "",            ELSEWHERE,
        ("You have sent this provider too many requests in a short time.", "Try again in")),
    Fault.BUSY: Row(
                          "failed",      "nothing", "none",    "",            ELSEWHERE,
        ("The provider is at capacity.", "Try again in 7 seconds.")),
    Fault.SERVER_ERROR: Row(
                          "failed",      "nothing", "none",    "",            ELSEWHERE,
        ("The provider's model server failed: Internal Server Error",
         "Try again, or choose another provider.")),
    Fault.HTML: Row(
                          "failed",      "nothing", "none",    "",            ELSEWHERE,
        ("The provider's model server failed.", "Try again, or choose another provider.")),
    Fault.XSS: Row(
                          "complete",    "whole",   "exact",   "verified",    REGENERATE,
        ("taken over", "cell")),  # as words: the markup around them does nothing
    Fault.HUGE_ANSWER: Row(
                          "interrupted", "part",    "unknown", "not checked",
        ("Continue", "Choose another provider"),
        ("127.0.0.1 sent more than 200000 bytes.", BILLED_UNSEEN, "Fee not known")),
    Fault.NO_USAGE: Row(
                          "complete",    "whole",   "exact",   "verified",    REGENERATE,
        ("The provider stated no usage, so it bills the words of the answer.",)),
    Fault.NO_DONE: Row(
                          "complete",    "whole",   "exact",   "verified",    REGENERATE, ()),
    Fault.EXPIRED_SESSION: Row(
                          "failed",      "nothing", "none",    "",            AGAIN,
        ("Your session with this provider is over.", "Sign a new session below")),
    Fault.RESERVE: Row(
                          "failed",      "nothing", "none",    "",            AGAIN,
        ("does not cover this provider's reserve", "Transfer at least", "Review transfer")),
}
# fmt: on


def test_every_fault_of_the_devnet_has_its_row() -> None:
    assert set(TABLE) == set(Fault)


@pytest.mark.parametrize("fault", Fault)
def test_a_turn_ends_as_its_row_says(fault: Fault, visitor: Visitor) -> None:
    row = TABLE[fault]
    answer = visitor.ask(fault, SILENCE if fault is Fault.STALL else PATIENCE)
    bubble = visitor.bubble(answer)
    fee = _fee(answer, bubble, visitor.owed_more)
    offers = tuple(bubble.offers)
    assert Row(answer.state, _kept(answer), fee, bubble.verdict, offers, row.says) == row
    assert [words for words in row.says if words not in bubble.text] == []
    assert bubble.armed == []
    assert visitor.requests == 1


def test_a_start_that_is_too_slow_is_ended_and_may_be_billed(
    visitor: Visitor, devnet: Devnet
) -> None:
    devnet.options("aurora", slow_seconds=SILENCE + 1)
    answer = visitor.ask(Fault.SLOW_START, silence=SILENCE)
    bubble = visitor.bubble(answer)
    assert (answer.state, bubble.verdict) == ("failed", "not checked")
    assert bubble.offers == list(ELSEWHERE)
    assert BILLED_ANEW in bubble.text
    assert visitor.owed_more > 0
    assert visitor.requests == 1


def test_an_answer_that_reached_its_limit_says_so_and_can_go_on(visitor: Visitor) -> None:
    visitor.conversation.parameters = {"max_tokens": 9}
    visitor.conversation.save()
    answer = visitor.ask(None)
    bubble = visitor.bubble(answer)
    assert (answer.state, bubble.verdict, _kept(answer)) == ("complete", "verified", "part")
    assert bubble.offers == ["Regenerate", "Continue"]
    assert "The answer ends here because it reached its limit of tokens." in bubble.text


class Visitor:
    """Somebody who is ready to ask Aurora, and whom only Aurora's word costs money."""

    def __init__(self, broker: Broker, devnet: Devnet, door: HttpDoor) -> None:
        service = broker.provider(devnet.address("aurora")).service
        self.devnet = devnet
        connect = lambda service, _: Provider(service, door=door)  # noqa: E731
        self._check = partial(receipts.check, budget=SIGNATURE_WITHIN, connect=connect)
        self.wallet = stage.make_wallet(broker.address())
        row = stage.mirror(service)
        stage.make_ready(self.wallet, row)
        api_key = broker.inference.session(service.provider).api_key
        ProviderSession.objects.update(sealed_token=vault.lock(api_key))
        self.conversation: Conversation = stage.make_conversation(self.wallet, row)
        self._asked, self._owed = self._count(), self._debt()

    def ask(self, fault: Fault | None, silence: float = PATIENCE) -> Message:
        """Ask once under `fault`, and wait until the turn is closed and the provider is done."""
        self.devnet.fault("aurora", fault, times=1)
        answer = stage.ask(self.conversation, QUESTION)
        limits = replace(CHAT, idle=silence, max_bytes=HUGE_BYTES)
        engine = Engine(MemoryStreams(), check=self._check, limits=limits)
        try:
            engine.start(answer.pk)
            closed = _wait_for(lambda: _closed(answer), f"the answer under {fault} to end")
        finally:
            engine.close()
        self.devnet.fault("aurora", None)  # a provider that stalls goes on
        _wait_for(lambda: not self._aurora()["running"], "the provider to end")
        return closed

    def bubble(self, answer: Message) -> Bubble:
        """The answer on its page, as its owner sees it."""
        browser = Client()
        browser.force_login(self.wallet, backend="accounts.backends.SignedMessage")
        page = browser.get(f"/{stage.NETWORK}/chat/{answer.conversation_id}/")
        return Bubble(page.content.decode())

    @property
    def requests(self) -> int:
        """How many billed requests the provider has received since."""
        return self._count() - self._asked

    @property
    def owed_more(self) -> int:
        """Neuron that the provider has billed since."""
        return self._debt() - self._owed

    def _aurora(self) -> dict[str, Any]:
        found: dict[str, Any] = self.devnet.state()["providers"][0]
        assert found["name"] == "aurora"
        return found

    def _count(self) -> int:
        return sum(self._aurora()["requests"].values())

    def _debt(self) -> int:
        debts = {user.lower(): int(fee) for user, fee in self._aurora()["unsettled"].items()}
        return debts.get(self.wallet.address.lower(), 0)


@pytest.fixture(scope="module")
def broker(devnet: Devnet) -> Iterator[Broker]:
    """The wallet behind the visitor, with funds at Aurora."""
    with payer(devnet, "10", {"aurora": "5"}) as funded:
        yield funded


@pytest.fixture(scope="module")
def signature_door() -> Iterator[HttpDoor]:
    opened = door(local=True)
    yield opened
    opened.close()


@pytest.fixture
def visitor(broker: Broker, devnet: Devnet, signature_door: HttpDoor) -> Visitor:
    devnet.options("aurora", slow_seconds=0.5, stall_seconds=30.0, huge_megabytes=1)
    return Visitor(broker, devnet, signature_door)


def _kept(answer: Message) -> str:
    if not answer.text:
        return "nothing"
    if answer.text in (WHOLE, answers.HOSTILE):
        return "whole"
    is_part = WHOLE.startswith(answer.text) or HUGE.startswith(answer.text)
    return "part" if is_part else "other"


def _fee(answer: Message, bubble: Bubble, billed: int) -> str:
    """What the page says of the fee, beside what the provider has `billed` in neuron."""
    if not hasattr(answer, "receipt"):
        return "none" if billed == 0 else f"none said, {billed} billed"
    if answer.receipt.fee is None:
        return "unknown" if bubble.fee is None else f"{bubble.fee} shown, unknown kept"
    is_exact = bubble.fee == answer.receipt.fee == billed
    return "exact" if is_exact else f"{bubble.fee} shown, {billed} billed"


def _closed(answer: Message) -> Message | None:
    found: Message | None = (
        Message.objects.with_proof().exclude(closed_at=None).filter(pk=answer.pk).first()
    )
    return found


def _wait_for(look: Callable[[], T], what: str) -> T:
    deadline = time.monotonic() + ENDED_WITHIN
    while not (seen := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"Waited {ENDED_WITHIN:.0f} s for {what}.")
        time.sleep(0.02)
    return seen
