"""When a provider that fails is left alone, and when it is tried again (pure).

    unproven --a look finds it alive--> half-open --first byte of a trial--> closed
    closed --failures in a row--> open --the pause is over, a look finds it alive--> half-open
    half-open --the trial fails--> open, for twice as long

A look costs nothing (it asks for the models); a trial is one real request. While half-open only
one trial runs at a time, so a provider that is up but broken gets one request per pause.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Whether requests go to a provider."""

    UNPROVEN = "unproven"
    HALF_OPEN = "half-open"
    CLOSED = "closed"
    OPEN = "open"


@dataclass(slots=True)
class Breaker:
    """The state of one provider; times are seconds of the caller's clock.

    `patience` is how many failures in a row open it; None never does.
    """

    patience: int | None = 3
    first_pause: float = 5.0
    longest_pause: float = 120.0
    state: State = State.UNPROVEN
    opens_until: float = 0.0
    _failures: int = 0
    _pause: float = 0.0
    _is_on_trial: bool = False

    def __post_init__(self) -> None:
        if self.patience is None:
            self.state = State.CLOSED

    @property
    def may_start(self) -> bool:
        """Tell whether a request may go to the provider now."""
        return self.state is State.CLOSED or (
            self.state is State.HALF_OPEN and not self._is_on_trial
        )

    def started(self) -> bool:
        """Note a request on its way; True if it is a trial, to be ended by one of the below."""
        is_trial = self.state is State.HALF_OPEN
        self._is_on_trial = self._is_on_trial or is_trial
        return is_trial

    def answered(self) -> None:
        """Note the first byte of an answer: the provider works."""
        if self.state is not State.OPEN:
            self.state, self._is_on_trial, self._pause = State.CLOSED, False, 0.0

    def succeeded(self) -> None:
        """Note a whole answer, or a refusal that was the request's own fault."""
        self.answered()
        self._failures = 0

    def failed(self, now: float, *, at_once: bool = False) -> bool:
        """Note a failure; True if the provider is left alone from now on.

        `at_once` is for failures that all requests share, such as a refused connection.
        """
        self._failures += 1
        if self.patience is None or self.state is State.OPEN:
            return False
        if self.state is State.CLOSED and not at_once and self._failures < self.patience:
            return False
        self._open(now)
        return True

    def given_up(self) -> None:
        """Note a trial whose client left: it tells nothing."""
        self._is_on_trial = False

    def looked(self, *, is_alive: bool, now: float) -> None:
        """Note what a look found, before the first request or after a pause."""
        if self.state not in (State.UNPROVEN, State.OPEN):
            return
        if is_alive:
            self.state, self._is_on_trial = State.HALF_OPEN, False
        else:
            self._open(now)

    def _open(self, now: float) -> None:
        self._pause = min(max(self.first_pause, 2 * self._pause), self.longest_pause)
        self.state, self._is_on_trial = State.OPEN, False
        self.opens_until = now + self._pause
