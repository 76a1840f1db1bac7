"""How long a provider will take for a recording, by what it took for earlier ones."""

from __future__ import annotations

from dataclasses import dataclass

from studio.models import Work

_LOOKED_AT = 5  # earlier recordings of the wallet with the provider
_SHORTEST = 10  # seconds; what is over sooner needs no forecast


@dataclass(frozen=True, slots=True)
class Pace:
    """`seconds` that the work has taken of the `expected` ones."""

    seconds: int
    expected: int

    @property
    def shown(self) -> int:
        """How far a bar goes: never to its end before the work is there."""
        return min(self.seconds, self.expected * 95 // 100)

    @property
    def is_over(self) -> bool:
        return self.seconds > self.expected


def pace(work: Work) -> Pace | None:
    """How far the running work is likely to be; None where nothing is known to judge it by."""
    length = work.source.seconds if work.source else None
    if not work.is_running or work.started_at is None or not length:
        return None
    earlier = Work.objects.of(work.wallet, work.network).filter(
        provider=work.provider, state=Work.State.COMPLETE, kind=Work.Kind.SPEECH
    )
    heard = took = 0
    for one in earlier.prefetch_related("files")[:_LOOKED_AT]:
        if one.source and one.source.seconds:
            heard += one.source.seconds
            took += one.seconds
    expected = round(length * took / heard) if heard else 0
    return Pace(work.seconds, expected) if expected >= _SHORTEST else None
