from __future__ import annotations

import time

import pytest

from zgcompute import errors
from zgcompute.checks import check_response
from zgcompute.errors import ProviderUnreachable, SignatureNotFound
from zgcompute.testing_providers import FakeProvider, fake_service
from zgcompute.types import Service
from zgcompute.verification import Outcome, SignatureRecord, Verdict

HASHES = {"request_sha256": "a" * 64, "response_sha256": "b" * 64}


class Slow:
    """Has its signature after some refusals; counts the questions."""

    def __init__(self, *failures: Exception, service: Service | None = None) -> None:
        self.service = service or fake_service()
        self.failures = list(failures)
        self.asked: list[tuple[str, str]] = []

    def signature(self, response_id: str, model: str = "") -> SignatureRecord:
        self.asked.append((response_id, model))
        if self.failures:
            raise self.failures.pop(0)
        return SignatureRecord("x", "y")


def checked(
    provider: Slow, response_id: str = "r", **options: float
) -> tuple[Verdict, list[float]]:
    waits: list[float] = []
    verdict = check_response(
        provider, response_id, **HASHES, model="m", sleep=waits.append, **options
    )
    return verdict, waits


def test_a_late_signature_is_waited_for() -> None:
    provider = Slow(*[SignatureNotFound("not yet")] * 3)
    verdict, waits = checked(provider)
    assert waits == [0.2, 0.4, 0.8]
    assert provider.asked == [("r", "m")] * 4
    assert verdict.outcome is Outcome.FAILED


def test_waiting_ends_with_the_budget() -> None:
    verdict, waits = checked(Slow(*[SignatureNotFound("not yet")] * 99), budget=10.0)
    assert waits == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.0, 3.0])
    assert (verdict.outcome, verdict.reason) == (Outcome.NOT_CHECKED, "not yet")
    assert verdict.can_retry


def test_a_provider_that_takes_its_time_to_refuse_uses_up_the_budget() -> None:
    class Dawdling(Slow):
        def signature(self, response_id: str, model: str = "") -> SignatureRecord:
            time.sleep(0.3)
            return super().signature(response_id, model)

    provider = Dawdling(*[SignatureNotFound("not yet")] * 99)
    verdict, waits = checked(provider, budget=0.4)
    assert (len(provider.asked), waits) == (1, [])
    assert verdict.can_retry


def test_other_errors_are_not_repeated() -> None:
    verdict, waits = checked(Slow(ProviderUnreachable("gone")))
    assert (verdict.outcome, verdict.reason, verdict.can_retry) == (
        Outcome.NOT_CHECKED,
        "gone",
        True,
    )
    assert waits == []


def test_a_final_error_offers_no_retry() -> None:
    verdict, _ = checked(Slow(errors.DestinationRefused("private")))
    assert (verdict.outcome, verdict.can_retry) == (Outcome.NOT_CHECKED, False)


def test_an_answer_without_an_id_cannot_be_checked() -> None:
    provider = Slow()
    verdict, _ = checked(provider, response_id="")
    assert (verdict.outcome, verdict.can_retry, provider.asked) == (Outcome.NOT_CHECKED, False, [])


def test_a_service_that_cannot_be_verified_is_not_asked() -> None:
    provider = Slow(service=fake_service(verifiability="TeeTLS"))
    assert checked(provider)[0].outcome is Outcome.NOT_VERIFIABLE
    assert provider.asked == []


def test_a_fake_providers_answer_is_really_verified() -> None:
    provider = FakeProvider()
    outcome = provider.chat("app-sk-YQ==", b"{}").outcome
    verdict = check_response(
        provider,
        outcome.response_id,
        request_sha256=outcome.request_sha256,
        response_sha256=outcome.response_sha256,
    )
    assert verdict.outcome is Outcome.VERIFIED
