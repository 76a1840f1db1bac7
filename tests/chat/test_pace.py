"""How a running answer is doing, in words."""

from __future__ import annotations

from chat.pace import Pace
from zgcompute.testing_providers import fake_service


def test_the_speed_counts_from_the_first_token_and_the_cost_is_rounded_up() -> None:
    service = fake_service(input_price=10**12, output_price=10**13)
    pace = Pace(first_token_ms=420, elapsed_ms=2420, pieces=76, request_bytes=400)
    assert pace.words(service) == (
        "0.42 s to first token · about 38 tokens/s · about 0.00086 0G so far"
    )


def test_nobody_guesses_a_speed_from_a_moment() -> None:
    pace = Pace(first_token_ms=1500, elapsed_ms=1600, pieces=9, request_bytes=0)
    assert pace.words(fake_service()).startswith("1.5 s to first token · about 0.0")
