"""How a running answer is doing, in words: counted here, because its usage comes at its end."""

from __future__ import annotations

from dataclasses import dataclass

from zgcompute import amounts, types
from zgcompute.fees import chat_fee
from zgcompute.model_cards import ModelCard

_BYTES_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Pace:
    """Times in milliseconds since the request; `pieces` came in, of a token each as a rule.

    `request_bytes` are those of the words; what `pictures` count only the provider knows.
    """

    first_token_ms: int
    elapsed_ms: int
    pieces: int
    request_bytes: int
    pictures: int = 0

    def words(self, service: types.Service, card: ModelCard | None = None) -> str:
        """Time to first token, speed and cost so far; estimates say so."""
        usage = types.Usage(self.request_bytes // _BYTES_PER_TOKEN, self.pieces)
        cost = amounts.short(chat_fee(service, usage, "", card=card).total, round_up=True)
        parts = [f"{seconds(self.first_token_ms)} to first token"]
        if (streamed := self.elapsed_ms - self.first_token_ms) >= 500:
            parts.append(f"about {self.pieces * 1000 // streamed} tokens/s")
        beside = " without the pictures" if self.pictures else ""
        return " · ".join([*parts, f"about {cost} 0G so far{beside}"])


def seconds(milliseconds: int) -> str:
    """Milliseconds as seconds with one decimal (two below one second)."""
    places = 2 if milliseconds < 1000 else 1
    return f"{milliseconds / 1000:.{places}f} s"
