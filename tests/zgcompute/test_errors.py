from __future__ import annotations

import inspect
import re

import pytest

from zgcompute import errors

CLASSES = [
    error
    for _, error in inspect.getmembers(errors, inspect.isclass)
    if error.__module__ == errors.__name__
]


def test_all_errors_but_the_mixin_are_one_tree() -> None:
    outside = [error for error in CLASSES if not issubclass(error, errors.Error)]
    assert outside == [errors.Transient]


def test_the_drawing_names_every_error_once() -> None:
    drawn = re.findall(r"[A-Z]\w+", str(errors.__doc__).split("Error\n", 1)[1].split("\n\n")[0])
    named = [name for name in drawn if name != "Transient"]
    assert sorted(named) == sorted(
        error.__name__ for error in CLASSES if error not in (errors.Transient, errors.Error)
    )


def test_the_drawing_marks_what_is_worth_retrying() -> None:
    drawn = set(re.findall(r"(\w+) \(Transient\)", str(errors.__doc__)))
    transient = {e.__name__ for e in CLASSES if issubclass(e, errors.Transient)} - {"Transient"}
    assert drawn == transient


@pytest.mark.parametrize("error", CLASSES)
def test_every_error_explains_itself(error: type[Exception]) -> None:
    assert error.__doc__


@pytest.mark.parametrize(
    "error", [e for e in CLASSES if issubclass(e, errors.Error) and e is not errors.Error]
)
def test_every_error_has_a_remedy_even_where_none_is_given(error: type[errors.Error]) -> None:
    advice = error("It went wrong.").advice
    assert advice.endswith(".")
    assert advice[0].isupper()


def test_an_error_says_what_happened_and_what_helps() -> None:
    error = errors.LedgerMissing("This wallet has no ledger yet.", name="LedgerNotExists")
    assert str(error) == "This wallet has no ledger yet."
    assert error.advice == "Make a first deposit: it creates the ledger."
    assert error.name == "LedgerNotExists"
    assert errors.LedgerMissing("no", advice="Wait.").advice == "Wait."


def test_a_refusal_carries_the_providers_own_words() -> None:
    error = errors.RateLimited("Slow down.", status=429, detail="wait 5 seconds", retry_after=5.0)
    assert (error.status, error.detail, error.retry_after) == (429, "wait 5 seconds", 5.0)
    reserve = errors.ReserveTooLow("Too little.", status=400, locked=10**18, required=2 * 10**18)
    assert (reserve.locked, reserve.required) == (10**18, 2 * 10**18)
