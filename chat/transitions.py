"""How an answer's row moves from pending to a stated end: guarded, so that each step happens once.

Called from the engine's threads, views and workers; the guard is the `WHERE` of one UPDATE.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from chat import search
from chat.live import Shown
from chat.models import Message
from chat.queries import MessageQuerySet
from zgcompute.errors import Error

LOST_AFTER = timedelta(seconds=30)  # the engine gives a sign of life every 5

Bill = Callable[[], int]  # writes the receipt, returns its key
_State = Message.State


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an answer failed or broke off, in words, with the remedy.

    A remark is about an answer that is complete all the same.
    """

    message: str
    advice: str = ""
    kind: str = ""
    retry_after: int | None = None
    is_remark: bool = False

    @classmethod
    def of(cls, error: Error) -> Problem:
        seconds = getattr(error, "retry_after", None)
        return cls(
            message=str(error),
            advice=error.advice,
            kind=type(error).__name__[:40],
            retry_after=None if seconds is None else min(3600, max(1, round(seconds))),
        )


def claim(pk: UUID) -> bool:
    """Take the pending answer for this engine; False where somebody else has it already."""
    pending = Message.objects.filter(pk=pk, state=_State.PENDING)
    return pending.update(state=_State.STREAMING, touched_at=timezone.now()) == 1


def save(pk: UUID, shown: Shown) -> bool:
    """Store the text so far; False where somebody has ended the answer meanwhile."""
    running = Message.objects.filter(pk=pk, state=_State.STREAMING)
    return bool(running.update(**_written(shown), touched_at=timezone.now()))


def touch(pk: UUID) -> bool:
    """Give a sign of life; False where somebody has ended the answer meanwhile."""
    Message.objects.filter(pk=pk).update(touched_at=timezone.now())
    return Message.objects.filter(pk=pk, state=_State.STREAMING).exists()


def end(
    pk: UUID, state: str, shown: Shown, problem: Problem | None = None, bill: Bill | None = None
) -> int | None:
    """Write the final text and state, and the bill with them; returns what `bill` returns.

    Where somebody else has ended the answer meanwhile, its state is left alone. A failure that
    costs nothing closes the answer at once.
    """
    now, words = timezone.now(), problem or Problem("")
    message = Message.objects.filter(pk=pk)
    with transaction.atomic():
        message.filter(state=_State.STREAMING).update(
            state=state,
            problem=words.message,
            advice=words.advice,
            problem_kind=words.kind,
            retry_after=words.retry_after,
            ended_at=now,
        )
        message.update(**_written(shown), touched_at=now)
        if bill is not None:
            return bill()
        message.filter(state=_State.FAILED).update(closed_at=now)
        return None


def stop(pk: UUID) -> bool:
    """End a running answer because the person asked for it; False where it has ended."""
    now = timezone.now()
    running = Message.objects.running().filter(pk=pk)
    if running.filter(state=_State.PENDING).update(
        state=_State.STOPPED, ended_at=now, closed_at=now
    ):
        return True  # nothing had been sent: nothing follows
    return bool(running.update(state=_State.STOPPED, ended_at=now))


def close(pk: UUID) -> None:
    """Say that the answer's cost and proof are settled: no page needs to follow it any more.

    Its text is final, and can be searched from now on.
    """
    Message.objects.filter(pk=pk, closed_at=None).update(closed_at=timezone.now())
    search.keep_message(Message.objects.select_related("conversation").get(pk=pk))


def interrupt_lost(network: str) -> int:
    """End the running answers whose engine gives no sign of life; returns how many."""
    running = Message.objects.running().filter(conversation__network=network)
    lost = running.filter(touched_at__lt=timezone.now() - LOST_AFTER)
    keys = list(lost.values_list("pk", flat=True))
    return sum(_end_lost(pk) for pk in keys)


def give_up(pk: UUID) -> bool:
    """End an answer that was never sent, and so costs nothing; False where it was claimed."""
    return bool(_give_up(Message.objects.filter(pk=pk)))


def _written(shown: Shown) -> dict[str, Any]:
    return {"text": shown.text, "reasoning": shown.reasoning, "stream_id": shown.stream_id}


def _end_lost(pk: UUID) -> bool:
    """End the answer if it still gives no sign of life."""
    now = timezone.now()
    lost = Message.objects.filter(pk=pk, touched_at__lt=now - LOST_AFTER)
    if _give_up(lost):
        return True
    return bool(
        lost.filter(state=_State.STREAMING).update(
            state=_State.INTERRUPTED,
            problem=SITE_STOPPED.message,
            advice=SITE_STOPPED.advice,
            ended_at=now,
            touched_at=now,
        )
    )


def _give_up(messages: MessageQuerySet) -> int:
    now = timezone.now()
    return messages.filter(state=_State.PENDING).update(
        state=_State.FAILED,
        problem=_NEVER_SENT.message,
        advice=_NEVER_SENT.advice,
        ended_at=now,
        closed_at=now,
    )


_NEVER_SENT = Problem(
    "This site stopped before your message was sent.", "It costs nothing. Send it again."
)
SITE_STOPPED = Problem(
    "This site stopped while the answer was being written.",
    "What had arrived is kept. The provider bills the whole answer all the same.",
)
