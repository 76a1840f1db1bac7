"""Each turn is one request: what the providers were asked, beside what the sites have kept."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import psycopg

from devnet.testing import Devnet
from tests.site_fixture import STARTED, Site

AGREES_WITHIN = 20.0  # seconds: a turn that was just taken is sent a moment later

# Refused before it was sent, or by a provider that never counted it: its session was no good.
_NEVER_COUNTED = (
    "('SessionExpired', 'SessionRevoked', 'SessionInvalid', 'ServiceMissing', "
    "'ProviderUnreachable', 'DestinationRefused')"
)
_ANSWERS = f"""
SELECT lower(w.address), count(*) FROM chat_message m
JOIN chat_conversation c ON c.id = m.conversation_id
JOIN accounts_wallet w ON w.id = c.wallet_id
LEFT JOIN chat_receipt r ON r.message_id = m.id
WHERE m.role = 'assistant' AND (c.imported_at IS NULL OR m.created_at > c.imported_at)
AND (r.id IS NOT NULL OR NOT (m.problem_kind IN {_NEVER_COUNTED}
  OR (m.state = 'stopped' AND m.closed_at = m.ended_at)
  OR m.problem LIKE 'This site stopped before your message%'))
GROUP BY 1
"""
_WORKS = f"""
SELECT lower(w.address), count(*) FROM studio_work k
JOIN accounts_wallet w ON w.id = k.wallet_id
WHERE k.started_at IS NOT NULL AND (k.may_be_billed OR k.problem_kind NOT IN {_NEVER_COUNTED})
GROUP BY 1
"""


class Sends:
    """What happens between its making and `problem`; `past_the_site` are requests of the test's."""

    def __init__(self, devnet: Devnet, past_the_site: int = 0) -> None:
        self._devnet = devnet
        self._past_the_site = past_the_site
        self._asked_before = Counter(devnet.asked())
        self._kept_before = turns_kept()

    def problem(self) -> str:
        """What does not agree once all turns have been sent; "" where all is well."""
        deadline = time.monotonic() + AGREES_WITHIN
        while (problem := self._disagreement()) and time.monotonic() < deadline:
            time.sleep(0.2)
        return problem

    def _disagreement(self) -> str:
        asked = Counter(self._devnet.asked()) - self._asked_before
        kept = turns_kept() - self._kept_before
        return disagreement(kept, asked, self._past_the_site)


def disagreement(kept: Counter[str], asked: Counter[str], past_the_site: int = 0) -> str:
    """Compare turns `kept` with requests `asked`, both by wallet."""
    wrong = [
        f"{wallet}: {kept[wallet]} turns, {asked[wallet]} requests"
        for wallet in sorted(kept | asked)
        if kept[wallet] != asked[wallet]
    ]
    is_declared = asked >= kept and (asked - kept).total() == past_the_site
    return "" if is_declared else "\n".join(wrong) or f"{past_the_site} requests are missing"


def turns_kept() -> Counter[str]:
    """How many answers and works that were sent all sites of this run keep, by wallet."""
    counts: Counter[str] = Counter()
    for site in STARTED:
        for wallet, count in _rows(site):
            counts[wallet] += count
    return counts


def _rows(site: Site) -> Iterator[tuple[str, int]]:
    connect = psycopg.connect if site.database.startswith("postgres") else sqlite3.connect
    with closing(connect(site.database)) as database:  # type: ignore[operator]
        for query in (_ANSWERS, _WORKS):
            yield from database.execute(query).fetchall()
