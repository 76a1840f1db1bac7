"""What on the account page needs somebody's attention, each with its remedy; mostly nothing does.

Judged over mirrored rows only: the page's own, and two queries more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Count, Min
from django.urls import reverse
from django.utils import timezone

from accounts import narration, sums
from accounts.holdings import Holdings, ProviderRow
from accounts.models import Ledger, Transaction, Wallet
from zgcompute.amounts import short

SHOWN = 6  # the rest is folded up
DAY = timedelta(days=1)
ENOUGH_REQUESTS = 5  # in a day, for a pace to be told from them
SHORTEST = timedelta(hours=1)  # a pace is not told from less time than this
OLD_NEWS = timedelta(days=3)
SOON = timedelta(hours=1)
UNREAD = timedelta(minutes=10)
_State = Transaction.State
_TROUBLED = (_State.REVERTED, _State.REPLACED, _State.DROPPED, _State.MISMATCHED)
_SUCCEEDED = (_State.MINED, _State.CONFIRMED)


@dataclass(frozen=True, slots=True)
class Remedy:
    """What to do: a link, or with `fields` a form to send."""

    label: str
    url: str
    fields: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to know, in a state's `style` and `icon`."""

    title: str
    text: str
    remedy: Remedy
    style: str = "warn"
    icon: str = "exclamation-triangle"


@dataclass(frozen=True, slots=True)
class Pace:
    """What was spent with a provider in the last day; `fees` in neuron."""

    fees: int
    requests: int
    since: datetime

    def seconds_left(self, spendable: int, now: datetime) -> int | None:
        """How long `spendable` neuron last at this pace; None where there is too little to tell."""
        if self.requests < ENOUGH_REQUESTS or not self.fees:
            return None
        elapsed = max(SHORTEST, now - self.since)
        return spendable * int(elapsed.total_seconds()) // self.fees


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is judged; `ended` are the transactions of the last days, the newest first."""

    network: str
    ledger: Ledger | None
    providers: Sequence[ProviderRow]
    paces: Mapping[str, Pace]
    ended: Sequence[Transaction]
    now: datetime


def of(wallet: Wallet, network: str, holdings: Holdings) -> list[Notice]:
    """What `wallet` should know now, the most urgent first."""
    now = timezone.now()
    recent = wallet.transactions.filter(network=network, prepared_at__gt=now - OLD_NEWS)
    facts = Facts(
        network=network,
        ledger=holdings.ledger,
        providers=holdings.providers,
        paces=_paces(wallet, network, now),
        ended=list(recent.filter(state__in=(*_TROUBLED, *_SUCCEEDED)).order_by("-prepared_at")),
        now=now,
    )
    return notices(facts)


def notices(facts: Facts) -> list[Notice]:
    """Judge `facts`: unread balances, trouble, money that runs out, money to collect, sessions."""
    found = [*_unread(facts), *_troubled(facts)]
    for judge in (_running_out, _ready_to_collect, _ending):
        for row in facts.providers:
            found += judge(facts, row)
    return found


def _paces(wallet: Wallet, network: str, now: datetime) -> dict[str, Pace]:
    rows: Any = wallet.usage.filter(network=network, happened_at__gt=now - DAY).order_by()
    groups = rows.values("provider").annotate(
        requests=Count("pk"), since=Min("happened_at"), **sums.pieces("fee")
    )
    return {
        group["provider"]: Pace(sums.total(group, "fee"), group["requests"], group["since"])
        for group in groups
    }


def _unread(facts: Facts) -> Iterator[Notice]:
    """Old balances without a stated reason: where the chain is the reason, the page says so."""
    ledger = facts.ledger
    if ledger is None or ledger.refreshed_at is None or ledger.problem or ledger.is_awaited:
        return
    if facts.now - ledger.refreshed_at > UNREAD:
        yield Notice(
            "These balances are old.",
            f"They were last read at {_clock(ledger.refreshed_at, facts.now)}.",
            Remedy("Read again", reverse("accounts:refresh", args=[facts.network]), {}),
            icon="clock",
        )


def _troubled(facts: Facts) -> Iterator[Notice]:
    """What failed lately, unless the same was done successfully afterwards."""
    done: set[tuple[str, str]] = set()
    for row in facts.ended:
        what = (row.function, row.provider)
        if row.state in _SUCCEEDED:
            done.add(what)
        elif what not in done:
            words = narration.state_words(row)
            yield Notice(
                f"{narration.story(row).title}: {words.word}.",
                " ".join(part for part in (row.reason or words.sentence, row.advice) if part),
                Remedy("Details", reverse("accounts:transaction", args=[facts.network, row.pk])),
                words.style,
                words.icon,
            )


def _running_out(facts: Facts, row: ProviderRow) -> Iterator[Notice]:
    stands, pace = row.position, facts.paces.get(row.sub_account.provider)
    seconds = pace.seconds_left(stands.spendable, facts.now) if pace else None
    transfer = _transfer(facts.network, row)
    if stands.left < 0:
        yield Notice(
            f"{row.name}: more was used than is free.",
            f"Fees of {_cost(stands.unsettled)} wait to be settled and {_zg(stands.free)} is free."
            " What is missing is taken from funds on their way back, or stays owed.",
            transfer,
        )
    elif stands.missing and (row.sub_account.free or pace):
        yield Notice(
            f"{row.name} will refuse the next request.",
            f"{_cost(stands.missing)} is missing to the reserve that it keeps.",
            transfer,
        )
    elif pace and seconds is not None and seconds < DAY.total_seconds():
        yield Notice(
            f"{row.name}: {_duration(seconds)} left at today's pace.",
            f"{_zg(stands.spendable)} can be spent; {pace.requests} requests cost"
            f" {_cost(pace.fees)} since {_clock(pace.since, facts.now)}.",
            transfer,
        )


def _ready_to_collect(facts: Facts, row: ProviderRow) -> Iterator[Notice]:
    due = sum(refund.amount for refund in row.refunds if refund.payable_at <= facts.now)
    if not due:
        return
    rest = row.sub_account.free
    yield Notice(
        f"{_zg(due)} from {row.name} is ready to collect.",
        f"Its lock time has passed. The same call starts the lock time of the {_zg(rest)} that is"
        " still free there."
        if rest
        else "Its lock time has passed: retrieving once more brings it into your ledger.",
        Remedy(
            "Bring home",
            reverse("accounts:retrieval", args=[facts.network]),
            {"provider": row.sub_account.provider},
        ),
        "good",
        "arrow-down-tray",
    )


def _ending(facts: Facts, row: ProviderRow) -> Iterator[Notice]:
    if row.session is None or row.session.expires_at - facts.now > SOON:
        return
    chat = f"{reverse('chat:home', args=[facts.network])}?provider={row.sub_account.provider}"
    yield Notice(
        f"The session with {row.name} ends at {_clock(row.session.expires_at, facts.now)}.",
        "The next conversation asks your wallet for a new signature.",
        Remedy("Open chat", chat),
        "wait",
        "clock",
    )


def _transfer(network: str, row: ProviderRow) -> Remedy:
    page = reverse("accounts:account", args=[network])
    return Remedy("Transfer", f"{page}?provider={row.sub_account.provider}#transfer")


def _zg(neuron: int) -> str:
    return f"{short(neuron)} 0G"


def _cost(neuron: int) -> str:
    return f"{short(neuron, round_up=True)} 0G"


def _duration(seconds: int) -> str:
    """Rounded down: nobody is promised a minute too much."""
    if seconds < 60:
        return "less than a minute"
    if seconds < 2 * 3600:
        return f"about {seconds // 60} min"
    return f"about {seconds // 3600} h"


def _clock(when: datetime, now: datetime) -> str:
    at = when.astimezone(UTC)
    day = "" if at.date() == now.astimezone(UTC).date() else f"{at.day} {at:%b}, "
    return f"{day}{at:%H:%M} UTC"
