from __future__ import annotations

from zgcompute.serving.breaker import Breaker, State


def proven() -> Breaker:
    breaker = Breaker()
    breaker.looked(is_alive=True, now=0)
    breaker.started()
    breaker.succeeded()
    return breaker


def test_nothing_is_sent_to_who_was_not_looked_at() -> None:
    assert not Breaker().may_start


def test_the_first_request_is_a_trial_and_others_wait_for_its_first_byte() -> None:
    breaker = Breaker()
    breaker.looked(is_alive=True, now=0)
    assert breaker.started()
    assert not breaker.may_start
    breaker.answered()
    assert breaker.may_start
    assert not breaker.started()


def test_who_is_found_dead_is_left_alone_without_a_request() -> None:
    breaker = Breaker(first_pause=5)
    breaker.looked(is_alive=False, now=10)
    assert (breaker.state, breaker.opens_until) == (State.OPEN, 15)


def test_three_failures_in_a_row_open_it_and_an_answer_in_between_does_not() -> None:
    breaker = proven()
    assert not breaker.failed(1)
    assert not breaker.failed(1)
    breaker.succeeded()
    assert not breaker.failed(2)
    assert not breaker.failed(2)
    assert breaker.failed(2)
    assert breaker.state is State.OPEN


def test_first_bytes_alone_do_not_excuse_answers_that_break_off() -> None:
    breaker = proven()
    for _ in range(2):
        breaker.answered()
        assert not breaker.failed(1)
    breaker.answered()
    assert breaker.failed(1)


def test_a_refused_connection_opens_it_at_once() -> None:
    assert proven().failed(1, at_once=True)


def test_each_failed_trial_doubles_the_pause_up_to_a_limit() -> None:
    breaker, pauses = Breaker(first_pause=5, longest_pause=15), []
    for _ in range(4):
        breaker.looked(is_alive=True, now=0)
        assert breaker.started()
        assert breaker.failed(0)
        pauses.append(breaker.opens_until)
    assert pauses == [5, 10, 15, 15]


def test_failures_of_requests_sent_before_do_not_prolong_the_pause() -> None:
    breaker = proven()
    breaker.failed(1, at_once=True)
    assert not breaker.failed(3)
    assert breaker.opens_until == 6


def test_a_trial_whose_client_left_makes_room_for_another() -> None:
    breaker = Breaker()
    breaker.looked(is_alive=True, now=0)
    breaker.started()
    breaker.given_up()
    assert breaker.may_start


def test_without_patience_it_never_opens() -> None:
    breaker = Breaker(patience=None)
    assert breaker.may_start
    for _ in range(9):
        assert not breaker.failed(0, at_once=True)
    assert breaker.may_start
