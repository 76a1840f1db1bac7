from __future__ import annotations

import math

from zgcompute.errors import RateLimited
from zgcompute.serving.pace import UNSTATED_WAIT, Pace

TOO_MANY = "Too many concurrent requests. You have 5 active requests (limit: 5). Please wait"


def refused(pace: Pace, now: float, wait: float | None = None, detail: str = "") -> None:
    error = RateLimited("slow down", detail=detail, status=429)
    error.retry_after = wait
    pace.started()
    pace.refused(error, now)
    pace.ended()


def test_a_refusal_rests_as_long_as_it_says() -> None:
    pace = Pace()
    refused(pace, 100, wait=7)
    assert not pace.may_start(106.9)
    assert pace.opens_at(101) == 107
    assert pace.may_start(107)


def test_a_refusal_that_names_no_time_rests_for_one_drop_of_the_bucket() -> None:
    pace = Pace()
    refused(pace, 100)
    assert pace.opens_at(100) == 100 + UNSTATED_WAIT


def test_after_a_rest_one_request_goes_ahead_and_the_others_follow_once_it_is_taken() -> None:
    pace = Pace()
    refused(pace, 0, wait=1)
    pace.started()
    assert not pace.may_start(2)
    assert pace.opens_at(2) == math.inf
    pace.admitted({}, 2)
    assert pace.may_start(2)


def test_an_emptied_bucket_is_not_asked_before_it_has_refilled() -> None:
    pace = Pace()
    pace.started()
    headers = {"x-ratelimit-limit-requests": "30", "x-ratelimit-remaining-requests": "1"}
    pace.admitted(headers, 10)
    assert pace.opens_at(10) == 12


def test_a_bucket_with_more_in_it_holds_nobody_up() -> None:
    pace = Pace()
    pace.started()
    headers = {"x-ratelimit-limit-requests": "30", "x-ratelimit-remaining-requests": "4"}
    pace.admitted(headers, 10)
    assert pace.may_start(10)


def test_it_learns_how_many_may_run_at_once() -> None:
    pace = Pace()
    for _ in range(5):
        pace.started()
    refused(pace, 0, detail=TOO_MANY)
    assert pace.opens_at(0) == math.inf
    pace.ended()
    assert pace.may_start(0)


def test_where_others_use_the_places_it_waits_instead_of_asking_at_once() -> None:
    pace = Pace()
    refused(pace, 0, detail=TOO_MANY)
    assert pace.opens_at(0) == UNSTATED_WAIT


def test_headers_that_are_no_numbers_count_for_nothing() -> None:
    pace = Pace()
    pace.started()
    pace.admitted({"x-ratelimit-remaining-requests": "٣", "x-ratelimit-limit-requests": "0"}, 0)
    assert pace.may_start(0)
